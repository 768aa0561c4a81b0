// axpy and reciprocal on CUDA. A block takes a chunk of a slice: 4 bytes read per array and 4 written per element; where sums of squares are
// asked for, a block folds its chunk's in double and the host adds the chunks in order, so that the result depends on nothing but the
// values. Factors are those of the CPU rounded to float32; with FMA results agree to 1e-6 of the largest term.
#include "native/ops/axpy.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kBlocks = 4;  // resident
constexpr int64_t kChunk = 1 << 14;

struct Axpy {
  int64_t slices, length, chunks;
  const float *a, *b;  // [slices]
  const float *x, *weights, *y;
  float low, high;
  float* output;
  double* squares;  // [slice, chunk], or null
};

__global__ void __launch_bounds__(kThreads, kBlocks) axpy_chunks(Axpy g) {
  SHARED(double, of_warp, [kThreads / 32]);
  for (int64_t k = blockIdx.x; k < g.slices * g.chunks; k += gridDim.x) {
    const int64_t slice = k / g.chunks, begin = k % g.chunks * kChunk, end = min(begin + kChunk, g.length);
    const float a = g.a[slice], b = g.b[slice];
    double sum = 0;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
      const int64_t at = slice * g.length + i;
      const float x = g.x ? g.x[at] : 0, y = g.y ? (g.weights ? g.weights[i] * g.y[at] : g.y[at]) : 0;
      const float out = axpy_of(a, x, b, y, g.low, g.high);
      if (g.output) g.output[at] = out;
      sum += double(out) * double(out);
    }
    if (!g.squares) continue;
    sum = block_fold(sum, of_warp, Sum());
    if (threadIdx.x == 0) g.squares[k] = sum;
  }
}

struct Reciprocal {
  ReciprocalArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    for (int n = 0; n < N; n++) args.output[i + n] = reciprocal_of(args, i + n);
  }
};

}  // namespace

void axpy(Stream stream, const AxpyArgs& args) {
  if (args.squares) std::fill_n(args.squares, args.slices, 0.0);
  if (args.slices == 0 || args.length == 0) return;
  const int64_t chunks = (args.length + kChunk - 1) / kChunk;
  std::vector<float> factors(size_t(2 * args.slices));
  for (int64_t s = 0; s < args.slices; s++) {
    factors[size_t(s)] = float(factor_of(args.a, s));
    factors[size_t(args.slices + s)] = float(factor_of(args.b, s));
  }
  StreamMemory<float> uploaded(stream, factors.size());
  uploaded.upload(factors.data(), factors.size());
  StreamMemory<double> squares(stream, args.squares ? size_t(args.slices * chunks) : 1);
  const Axpy g = {args.slices,
                  args.length,
                  chunks,
                  uploaded.data(),
                  uploaded.data() + args.slices,
                  args.x,
                  args.weights,
                  args.y,
                  args.low,
                  args.high,
                  args.output,
                  args.squares ? squares.data() : nullptr};
  LAUNCH(axpy_chunks, unsigned(std::min<int64_t>(args.slices * chunks, 1 << 20)), kThreads, 0, stream)(g);
  check_launch("axpy");
  if (!args.squares) return;
  std::vector<double> parts(size_t(args.slices * chunks));
  squares.download(parts.data(), parts.size());
  for (int64_t k = 0; k < int64_t(parts.size()); k++) args.squares[k / chunks] += parts[size_t(k)];
}

void reciprocal(Stream stream, const ReciprocalArgs& args) {
  pointwise(stream, 1, args.count, false, Reciprocal{args}, "reciprocal");
}

}  // namespace sino::cuda
