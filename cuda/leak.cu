// leak on CUDA. find_leak: a pass over memory writes each ray's clue, then one block goes over them five times a round, once for the sums
// and four times for the median (ranks.cuh), sums in double in a fixed order: 12 MB of clues, from L2 after the first time, 50 times
// in 10 rounds, where most rays are passed over by their weight alone; some 3 ms. remove_leak: a thread per view; what elimination
// makes of the system is the same for all of them, a table. Its numbers are kept [bin, view], so that neighbouring threads write
// neighbouring doubles; 0.3 ms of one exponential after another. Never measured.
#include "native/ops/leak.h"

#include "cuda/device.cuh"
#include "cuda/operations.h"
#include "cuda/pointwise.cuh"
#include "cuda/ranks.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 512, kViewThreads = 32;
constexpr int kSums = kLeakTerms * (kLeakTerms + 3) / 2;  // upper half of the matrix, and the right side
constexpr float kNone = -1;                               // weight of a ray without a clue

struct Clues {
  FindLeakArgs args;
  float *weights, *others;  // others: terms and excess, [kLeakTerms + 1, ray]
  int64_t rays;
  template <int N>
  __device__ void at(int64_t, int64_t k, int64_t i) const {
    LeakClue clue;
    const bool is_there = leak_clue(args, i, k, clue);
    weights[i] = is_there ? clue.weight : kNone;
    if (!is_there) return;
    for (int t = 0; t < kLeakTerms; t++) others[t * rays + i] = clue.terms[t];
    others[kLeakTerms * rays + i] = clue.excess;
  }
  __device__ __forceinline__ bool read(int64_t i, LeakClue& clue) const {
    clue.weight = weights[i];
    if (clue.weight == kNone) return false;
    for (int t = 0; t < kLeakTerms; t++) clue.terms[t] = others[t * rays + i];
    clue.excess = others[kLeakTerms * rays + i];
    return true;
  }
};

__global__ void __launch_bounds__(kThreads, 1) fit_leak(Clues clues, double* result) {
  SHARED(unsigned, histogram, [256]);
  SHARED(double, of_warp, [kThreads / 32]);
  SHARED(double, matrix, [kLeakTerms][kLeakTerms + 1]);
  SHARED(double, solution, [kLeakTerms]);
  double c[kLeakTerms] = {}, scale = 0, number = 0;
  for (int64_t i = threadIdx.x; i < clues.rays; i += kThreads) number += clues.weights[i] != kNone;
  number = block_fold(number, of_warp, Sum());
  for (int round = 0; round < clues.args.rounds && number > 0; round++) {
    double sums[kSums] = {};
    for (int64_t i = threadIdx.x; i < clues.rays; i += kThreads) {
      LeakClue clue;
      if (!clues.read(i, clue)) continue;
      const double z = scale > 0 ? leak_residual(clue, c) / (2 * scale) : 0, a = clue.weight / (1 + z * z);
      int at = 0;
#pragma unroll
      for (int r = 0; r < kLeakTerms; r++) {
#pragma unroll
        for (int k = r; k < kLeakTerms; k++) sums[at++] += a * clue.terms[r] * clue.terms[k];
        sums[at++] += a * clue.terms[r] * clue.excess;
      }
    }
#pragma unroll
    for (double& sum : sums) sum = block_fold(sum, of_warp, Sum());
    if (threadIdx.x == 0) {
      int at = 0;
#pragma unroll
      for (int r = 0; r < kLeakTerms; r++) {
#pragma unroll
        for (int k = r; k < kLeakTerms; k++) matrix[r][k] = matrix[k][r] = sums[at++];
        matrix[r][kLeakTerms] = sums[at++];
      }
      solve_leak(matrix, solution);
    }
    __syncthreads();
    for (int k = 0; k < kLeakTerms; k++) c[k] = solution[k];
    scale =
        1.4826 * value_of_rank<kThreads>(clues.rays, int64_t(number) / 2, histogram, [&](int64_t i, const auto& take) {
          LeakClue clue;
          if (clues.read(i, clue)) take(float(fabs(leak_residual(clue, c))));
        });
  }
  if (threadIdx.x == 0)
    for (int k = 0; k < kLeakTerms; k++) result[k] = c[k];
}

__global__ void __launch_bounds__(kViewThreads)
    solve_views(RemoveLeakArgs args, const double* pivot, const double* upper, double* values) {
  const int64_t view = int64_t(blockIdx.x) * kViewThreads + threadIdx.x, row = view * args.bins;
  if (view >= args.views) return;
  const double side = args.share / 2;
  double value = 0;
  for (int64_t k = 0; k < args.bins; k++) {
    const double t = exp(-double(args.measured[row + k])) - args.floor;
    values[k * args.views + view] = value = (t - side * value) / pivot[k];
  }
  value = 0;
  for (int64_t k = args.bins; k-- > 0;) {
    value = values[k * args.views + view] - (k + 1 < args.bins ? upper[k] * value : 0);
    const int64_t i = row + k;
    args.output[i] = args.where[i] ? float(-log(value < args.least ? args.least : value)) : args.measured[i];
  }
}

}  // namespace

void find_leak(Stream stream, const FindLeakArgs& args) {
  const int64_t rays = args.views * args.bins;
  StreamMemory<float> weights(stream, size_t(std::max<int64_t>(1, rays))),
      others(stream, size_t(std::max<int64_t>(1, rays)) * (kLeakTerms + 1));
  StreamMemory<double> result(stream, kLeakTerms);
  const Clues clues = {args, weights.data(), others.data(), rays};
  pointwise_by<1>(stream, args.views, args.bins, clues, "find_leak");
  LAUNCH(fit_leak, 1, kThreads, 0, stream)(clues, result.data());
  check_launch("find_leak");
  result.download(args.result, kLeakTerms);
}

void remove_leak(Stream stream, const RemoveLeakArgs& args) {
  if (args.views == 0) return;
  const LeakSystem system(args);
  Uploaded<double> pivot(stream, system.pivot), upper(stream, system.upper);
  StreamMemory<double> values(stream, size_t(args.views * args.bins));
  const unsigned grid = unsigned((args.views + kViewThreads - 1) / kViewThreads);
  LAUNCH(solve_views, grid, kViewThreads, 0, stream)(args, pivot.data(), upper.data(), values.data());
  check_launch("remove_leak");
}

}  // namespace sino::cuda
