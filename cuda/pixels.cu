// combine, threshold, non_zero and select on CUDA: one pass over memory (pointwise.cuh). statistics: blocks fold chunks of kChunk
// values in registers, one block folds the chunks in their order, so that the result depends on nothing but the values; 4 bytes read
// per value. combine works in double and rounds products and sums one by one: the same bits as on the CPU.
#include "native/ops/pixels.h"

#include <cfloat>
#include <cmath>

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

constexpr int kMostTerms = 64;
constexpr int kThreads = 256, kBlocks = 4;  // resident
constexpr int64_t kChunk = 1 << 14;         // values of one block of statistics

struct Combine {
  int terms;
  const float* term[kMostTerms];
  double weight[kMostTerms], offset, low, high;
  float* output;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    double sums[N];
    for (int n = 0; n < N; n++) sums[n] = offset;
    for (int t = 0; t < terms; t++) {
      const Pack<float, N> x = load<N>(term[t], i);
      for (int n = 0; n < N; n++) sums[n] = plus_weighted(sums[n], weight[t], x.value[n]);
    }
    Pack<float, N> out;
    for (int n = 0; n < N; n++) out.value[n] = static_cast<float>(clamp_keeping_nan(sums[n], low, high));
    store(output, i, out);
  }
};

struct Threshold {
  ThresholdArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    const Pack<float, N> x = load<N>(args.input, i);
    Pack<uint8_t, N> mask;
    for (int n = 0; n < N; n++) mask.value[n] = args.above ? x.value[n] >= args.level : x.value[n] < args.level;
    store(args.mask, i, mask);
  }
};

struct NonZero {
  NonZeroArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    const Pack<float, N> x = load<N>(args.input, i);
    Pack<uint8_t, N> mask;
    for (int n = 0; n < N; n++) mask.value[n] = x.value[n] != 0;
    store(args.mask, i, mask);
  }
};

struct Select {
  SelectArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    const Pack<uint8_t, N> mask = load<N>(args.mask, i);
    Pack<float, N> a, b;
    if (args.a) a = load<N>(args.a, i);
    if (args.b) b = load<N>(args.b, i);
    for (int n = 0; n < N; n++)
      b.value[n] = mask.value[n] ? (args.a ? a.value[n] : args.a_value) : (args.b ? b.value[n] : args.b_value);
    store(args.output, i, b);
  }
};

// What is known of some of the values.
struct Partial {
  int64_t non_finite = 0;
  double sum = 0;
  float minimum = INFINITY, maximum = -INFINITY;

  __device__ void add(const Partial& other) {
    non_finite += other.non_finite, sum += other.sum;
    minimum = Smaller()(minimum, other.minimum), maximum = Larger()(maximum, other.maximum);
  }
  __device__ void add(float x) {
    const bool finite = fabsf(x) <= FLT_MAX;
    non_finite += !finite;
    if (!finite) return;
    sum += x;
    minimum = Smaller()(minimum, x), maximum = Larger()(maximum, x);
  }
};

struct BlockFolds {
  int64_t counts[kThreads / 32];
  double sums[kThreads / 32];
  float bounds[kThreads / 32];
};
__device__ Partial folded(const Partial& own, BlockFolds& shared) {
  Partial all;
  all.non_finite = block_fold(own.non_finite, shared.counts, Sum());
  all.sum = block_fold(own.sum, shared.sums, Sum());
  all.minimum = block_fold(own.minimum, shared.bounds, Smaller());
  all.maximum = block_fold(own.maximum, shared.bounds, Larger());
  return all;
}

template <int N>
__global__ void __launch_bounds__(kThreads, kBlocks)
    chunk_statistics(const float* input, int64_t count, Partial* partials) {
  SHARED(BlockFolds, folds, [1]);
  const int64_t begin = blockIdx.x * kChunk, end = min(begin + kChunk, count);
  Partial own;
  for (int64_t i = begin + threadIdx.x * N; i < end; i += kThreads * N) {
    if (i + N <= end) {
      const Pack<float, N> x = load<N>(input, i);
      for (int n = 0; n < N; n++) own.add(x.value[n]);
    } else {
      for (int64_t last = i; last < end; last++) own.add(input[last]);
    }
  }
  const Partial all = folded(own, folds[0]);
  if (threadIdx.x == 0) partials[blockIdx.x] = all;
}

__global__ void __launch_bounds__(kThreads, kBlocks)
    all_statistics(const Partial* partials, int64_t chunks, int64_t count, Statistics* result) {
  SHARED(BlockFolds, folds, [1]);
  Partial own;
  for (int64_t c = threadIdx.x; c < chunks; c += kThreads) own.add(partials[c]);
  const Partial all = folded(own, folds[0]);
  if (threadIdx.x > 0) return;
  const double none = NAN;
  const bool any = all.non_finite < count;
  *result = {all.non_finite, any ? all.minimum : none, any ? all.maximum : none, all.sum};
}

}  // namespace

void combine(Stream stream, const CombineArgs& args) {
  require(args.terms.size() <= kMostTerms, Code::unsupported,
          "Combining on CUDA takes up to 64 images. Combine fewer at once, or use the device \"cpu\".");
  Combine operation = {int(args.terms.size()), {}, {}, args.offset, args.low, args.high, args.output};
  bool packs = moves_packs(1, args.count, args.output);
  for (size_t t = 0; t < args.terms.size(); t++) {
    operation.term[t] = args.terms[t], operation.weight[t] = args.weights[t];
    packs = packs && moves_packs(1, args.count, args.terms[t]);
  }
  pointwise(stream, 1, args.count, packs, operation, "combine");
}

void threshold(Stream stream, const ThresholdArgs& args) {
  pointwise(stream, 1, args.count, moves_packs(1, args.count, args.input, args.mask), Threshold{args}, "threshold");
}

void non_zero(Stream stream, const NonZeroArgs& args) {
  pointwise(stream, 1, args.count, moves_packs(1, args.count, args.input, args.mask), NonZero{args}, "non_zero");
}

void select(Stream stream, const SelectArgs& args) {
  const bool packs = moves_packs(1, args.count, args.mask, args.a, args.b, args.output);
  pointwise(stream, 1, args.count, packs, Select{args}, "select");
}

void statistics(Stream stream, const StatisticsArgs& args) {
  const int64_t chunks = (args.count + kChunk - 1) / kChunk;
  require(chunks < (int64_t(1) << 31), Code::unsupported, "Statistics on CUDA take up to 2^45 values at once.");
  StreamMemory<Partial> partials(stream, size_t(std::max<int64_t>(chunks, 1)));
  StreamMemory<Statistics> result(stream, 1);
  if (chunks > 0) {
    if (moves_packs(1, args.count, args.input))
      LAUNCH(chunk_statistics<4>, unsigned(chunks), kThreads, 0, stream)(args.input, args.count, partials.data());
    else
      LAUNCH(chunk_statistics<1>, unsigned(chunks), kThreads, 0, stream)(args.input, args.count, partials.data());
  }
  LAUNCH(all_statistics, 1, kThreads, 0, stream)(partials.data(), chunks, args.count, result.data());
  check_launch("statistics");
  result.download(args.result, 1);
}

}  // namespace sino::cuda
