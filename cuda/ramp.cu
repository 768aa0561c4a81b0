// ramp on CUDA: load, weigh, transform, multiply by the response, transform back, weigh and store, in one kernel; between the steps
// a row lives in shared memory.
//
// Two rows are the real and imaginary parts of one complex transform: the filter is real, so they come back apart. A transform is a few
//   steps of radix F ∈ {2, 3, 4, 6, 8, 12, 16}, then perhaps 8, then 16s, each in place: the first reads the rows themselves, with the
//   zeros behind them, the last forward step, the product and the first step back stay in registers, the last step stores the rows.
//   1536 points are 6 · 16 · 16: four times through shared memory. Forward steps leave the frequencies in the order of their
//   digits, which the table of the response has, too; steps back take them from there. Every 32nd number is followed by a gap of
//   one, so that the step of 16 numbers in a row meets two-fold bank conflicts and no worse.
// Rows that shared memory does not hold (beyond 6144 points, 3072 bins, at the 64 KB of compute capability 7.5; 12288 at 99 KB,
//   24576 at 227 KB) live in device memory instead, as many of them as multiprocessors work on at once: 10 MB, much of it in L2.
// Bytes. 4 read and 4 written per value: 64 slices × 720 views × 729 bins are 268 MB, 62 µs at an H200's 4.3 TB/s. Through shared
//   memory 4 · 16 B per point, 2.3 GB: 76 µs at 29.6 TB/s. 5.2 GFLOP: 80 µs at half the FP32 rate; the three overlap. Never measured.
// Agrees with the CPU to 1e-6 of the row's largest value: float32 transforms, turns from a table in double.
#include "native/ops/ramp.h"

#include <algorithm>
#include <complex>

#include "cuda/device.cuh"
#include "cuda/dft.cuh"
#include "cuda/operations.h"
#include "native/runtime/prepared.h"

namespace sino::cuda {

namespace {

constexpr int kMostThreads = 512, kThreadsWanted = 128;

// length = first · (8 where `eight`) · 16^sixteens
struct RampSteps {
  int first = 1, sixteens = 0;
  bool eight = false;
};
RampSteps steps_of(int64_t length) {
  const int three = length % 3 == 0 ? 3 : 1;
  int twos = 0;
  while (three << twos < length) twos++;
  RampSteps steps = {three << twos % 4, twos / 4, false};
  if (steps.first == 24) steps.first = 3, steps.eight = true;
  if (steps.first == 1) steps.first = 16, steps.sixteens--;
  return steps;
}

struct RampTables {
  std::vector<float> roots, response;  // e^(−2πi j/length); in the order that forward steps leave
  explicit RampTables(const FilterPlan& plan) {
    std::complex<double> turn = 1;
    const std::complex<double> one = std::polar(1.0, -2 * 3.14159265358979323846 / double(plan.length));
    for (int64_t j = 0; j < plan.length; j++, turn *= one)  // errs by 1e-16 per step, far below a float
      roots.push_back(float(turn.real())), roots.push_back(float(turn.imag()));
    const RampSteps steps = steps_of(plan.length);
    radices_.push_back(steps.first);
    if (steps.eight) radices_.push_back(8);
    radices_.insert(radices_.end(), size_t(steps.sixteens), 16);
    push_responses(plan, 0, 0, 1);
  }

 private:
  void push_responses(const FilterPlan& plan, size_t step, int64_t first, int64_t distance) {
    if (step == radices_.size()) return response.push_back(plan.response[size_t(first)]);
    for (int d = 0; d < radices_[step]; d++)
      push_responses(plan, step + 1, first + d * distance, distance * radices_[step]);
  }
  std::vector<int> radices_;
};

struct RampRows {
  int64_t rows, views;
  int bins, length, sixteens;
  bool weights_per_view;
  const float2* roots;
  const float *response, *ray_weights, *view_weights;  // ray_weights may be null
  const float* sinograms;
  float* filtered;
};

__host__ __device__ constexpr int padded(int i) { return i + i / 32; }

// z[k] times root^k, or its conjugate's.
template <int R, bool Back>
__device__ __forceinline__ void turn(float2 (&z)[R], float2 root) {
  if (Back) root = conjugate(root);
  const float2 two = root * root, low[4] = {{1, 0}, root, two, two * root};
  const float2 four = two * two;
  float2 high = four;
#pragma unroll
  for (int k = 1; k < R; k++) {
    if (k > 4 && k % 4 == 0) high = high * four;
    z[k] = z[k] * (k < 4 ? low[k] : k % 4 == 0 ? high : high * low[k % 4]);
  }
}

// One step of radix R over blocks of `span` numbers.
template <int R, bool Back>
__device__ __forceinline__ void step(const RampRows& r, float2* line, int span) {
  const int part = span / R, stride = r.length / span;
  for (int butterfly = int(threadIdx.x); butterfly < r.length / R; butterfly += int(blockDim.x)) {
    const int i = butterfly % part, begin = (butterfly - i) * R + i;
    const float2 root = r.roots[i * stride];
    float2 z[R];
#pragma unroll
    for (int k = 0; k < R; k++) z[k] = line[padded(begin + k * part)];
    if (Back) {
      turn<R, true>(z, root);
      inverse_dft(z);
    } else {
      dft(z);
      turn<R, false>(z, root);
    }
#pragma unroll
    for (int k = 0; k < R; k++) line[padded(begin + k * part)] = z[k];
  }
  __syncthreads();
}

// The last step forward, the response and the first step back: R neighbours.
template <int R>
__device__ __forceinline__ void respond(const RampRows& r, float2* line) {
  for (int begin = int(threadIdx.x) * R; begin < r.length; begin += int(blockDim.x) * R) {
    float2 z[R];
#pragma unroll
    for (int k = 0; k < R; k++) z[k] = line[padded(begin + k)];
    dft(z);
#pragma unroll
    for (int k = 0; k < R; k++) z[k] = r.response[begin + k] * z[k];
    inverse_dft(z);
#pragma unroll
    for (int k = 0; k < R; k++) line[padded(begin + k)] = z[k];
  }
  __syncthreads();
}

template <int F, bool Eight>
__device__ __forceinline__ void filter_pair(const RampRows& r, float2* line, int64_t pair) {
  const int64_t row = 2 * pair, other = row + 1;
  const bool one = row < r.rows, two = other < r.rows;
  const float *in = r.sinograms + row * r.bins, *in_other = in + r.bins;
  const float* weights = r.ray_weights ? r.ray_weights + (r.weights_per_view ? row % r.views * r.bins : 0) : nullptr;
  const float* weights_other =
      r.ray_weights ? r.ray_weights + (r.weights_per_view ? other % r.views * r.bins : 0) : nullptr;
  const int part = r.length / F;

  for (int i = int(threadIdx.x); i < part; i += int(blockDim.x)) {
    float2 z[F];
#pragma unroll
    for (int k = 0; k < F; k++) {
      const int n = i + k * part;
      z[k] = {one && n < r.bins ? in[n] : 0.f, two && n < r.bins ? in_other[n] : 0.f};
      if (weights && n < r.bins) z[k] = {z[k].x * weights[n], z[k].y * weights_other[n]};
    }
    dft(z);
    turn<F, false>(z, r.roots[i]);
#pragma unroll
    for (int k = 0; k < F; k++) line[padded(i + k * part)] = z[k];
  }
  __syncthreads();

  const bool last_is_eight = Eight && r.sixteens == 0;
  int span = part;
  if constexpr (Eight)
    if (!last_is_eight) step<8, false>(r, line, span), span /= 8;
  for (; span > 16; span /= 16) step<16, false>(r, line, span);
  if constexpr (Eight) {
    if (last_is_eight)
      respond<8>(r, line);
    else
      respond<16>(r, line);
  } else {
    respond<16>(r, line);
  }
  for (span *= 16; span <= part / (Eight ? 8 : 1); span *= 16) step<16, true>(r, line, span);
  if constexpr (Eight)
    if (!last_is_eight) step<8, true>(r, line, part);

  const float weight = one ? r.view_weights[row % r.views] : 0.f,
              weight_other = two ? r.view_weights[other % r.views] : 0.f;
  float *out = r.filtered + row * r.bins, *out_other = out + r.bins;
  for (int i = int(threadIdx.x); i < part; i += int(blockDim.x)) {
    float2 z[F];
#pragma unroll
    for (int k = 0; k < F; k++) z[k] = line[padded(i + k * part)];
    turn<F, true>(z, r.roots[i]);
    inverse_dft(z);
#pragma unroll
    for (int k = 0; k < F; k++) {
      const int n = i + k * part;
      if (one && n < r.bins) out[n] = weight * z[k].x;
      if (two && n < r.bins) out_other[n] = weight_other * z[k].y;
    }
  }
}

template <int F, bool Eight>
__global__ void __launch_bounds__(kMostThreads) ramp_rows(RampRows r) {
  DYN_SHARED(float2, lines);
  filter_pair<F, Eight>(r, lines + threadIdx.y * padded(r.length), int64_t(blockIdx.x) * blockDim.y + threadIdx.y);
}

// Rows too long for shared memory: one line of the workspace for each block. A thread's last step reads what its next first step writes.
template <int F, bool Eight>
__global__ void __launch_bounds__(kMostThreads) long_rows(RampRows r, float2* workspace) {
  float2* const line = workspace + int64_t(blockIdx.x) * padded(r.length);
  for (int64_t pair = blockIdx.x; 2 * pair < r.rows; pair += gridDim.x) filter_pair<F, Eight>(r, line, pair);
}

template <int F, bool Eight>
void launch(cudaStream_t stream, const RampRows& rows) {
  const int threads = std::clamp(rows.length / 16, 1, kMostThreads), at_once = std::max(1, kThreadsWanted / threads);
  const size_t bytes = size_t(at_once) * size_t(padded(rows.length)) * sizeof(float2);
  const int64_t pairs = (rows.rows + 1) / 2;
  if (bytes <= most_shared_bytes()) {
    allow_shared(ramp_rows<F, Eight>, bytes);
    LAUNCH((ramp_rows<F, Eight>), unsigned((pairs + at_once - 1) / at_once), dim3(unsigned(threads), unsigned(at_once)),
           bytes, stream)
    (rows);
  } else {
    const int64_t blocks = std::min<int64_t>(pairs, 2 * device_attribute(cudaDevAttrMultiProcessorCount));
    StreamMemory<float2> workspace(stream, size_t(blocks) * size_t(padded(rows.length)));
    LAUNCH((long_rows<F, Eight>), unsigned(blocks), unsigned(threads), 0, stream)(rows, workspace.data());
  }
  check_launch("ramp_filter");
}

}  // namespace

void ramp_filter(Stream stream, const FilterArgs& args) {
  if (args.slices == 0) return;
  const FilterPlan& plan = args.plan;
  const auto tables = prepared_table<RampTables>(args.prepared, [&] { return RampTables(plan); });
  Uploaded<float> roots(stream, tables->roots), response(stream, tables->response);
  Uploaded<float> rays(stream, plan.ray_weights), views(stream, plan.view_weights);
  const RampSteps steps = steps_of(plan.length);
  const RampRows rows = {args.slices * plan.views,
                         plan.views,
                         int(plan.bins),
                         int(plan.length),
                         steps.sixteens,
                         plan.weights_per_view,
                         reinterpret_cast<const float2*>(roots.data()),
                         response.data(),
                         plan.ray_weights.empty() ? nullptr : rays.data(),
                         views.data(),
                         args.sinograms,
                         args.filtered};
  if (steps.eight) return launch<3, true>(stream, rows);
  switch (steps.first) {
    case 2:
      return launch<2, false>(stream, rows);
    case 3:
      return launch<3, false>(stream, rows);
    case 4:
      return launch<4, false>(stream, rows);
    case 6:
      return launch<6, false>(stream, rows);
    case 8:
      return launch<8, false>(stream, rows);
    case 12:
      return launch<12, false>(stream, rows);
    default:
      return launch<16, false>(stream, rows);
  }
}

}  // namespace sino::cuda
