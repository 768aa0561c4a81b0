// robust on CUDA: one block goes over the array as often as it takes; a scan's rays, 2 MB, come from L2 after the first time. A rank is
// found digit by digit: four times over the values, a histogram of 256 each time, counted in integers, so that it is exact. Sums in
// double: a thread's own values, then warps, in a fixed order. metal_mask: a block per group. About 50 µs per time over 2 MB (40 GB/s
// of one multiprocessor): quantiles 5 times, fit_powers 5 times a round. Never measured. Results go where the caller has them.
#include "native/ops/robust.h"

#include <cfloat>

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"
#include "cuda/ranks.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 512, kBlocks = 1;  // resident; asked for more, as ptxas does by itself, registers spill

__device__ __forceinline__ bool is_finite(float x) { return fabsf(x) <= FLT_MAX; }

// The value of rank ⌊q·(number − 1)⌋; NaN of none.
template <typename Each>
__device__ double quantile_of(int64_t count, double number, double q, unsigned* histogram, const Each& each) {
  return number == 0 ? NAN : double(value_of_rank<kThreads>(count, int64_t(floor(q * (number - 1))), histogram, each));
}

__global__ void __launch_bounds__(kThreads, kBlocks) find_quantiles(QuantilesArgs args, double* result) {
  SHARED(unsigned, histogram, [256]);
  SHARED(double, of_warp, [kThreads / 32]);
  const auto each = [&](int64_t i, const auto& take) {
    if ((!args.where || args.where[i]) && is_finite(args.input[i]))
      take(args.magnitudes ? fabsf(args.input[i]) : args.input[i]);
  };
  double number = 0, squares = 0;
  for (int64_t i = threadIdx.x; i < args.count; i += kThreads)
    each(i, [&](float value) { number += 1, squares += double(value) * value; });
  number = block_fold(number, of_warp, Sum());
  squares = block_fold(squares, of_warp, Sum());
  for (int q = 0; q < args.quantiles; q++) {
    const double value = quantile_of(args.count, number, args.ranks[q], histogram, each);
    if (threadIdx.x == 0) result[q] = value;
  }
  if (threadIdx.x > 0) return;
  result[args.quantiles] = number;
  result[args.quantiles + 1] = number > 0 ? sqrt(squares / number) : 0;
}

__global__ void __launch_bounds__(kThreads, kBlocks) fit(FitPowersArgs args, double* result) {
  SHARED(unsigned, histogram, [256]);
  SHARED(double, of_warp, [kThreads / 32]);
  double c[2] = {}, scale = 0, number = 0;
  const auto counts = [&](int64_t i) { return args.where[i] && is_finite(args.x[i]) && is_finite(args.y[i]); };
  const auto residual = [&](int64_t i) { return float(args.y[i] - args.x[i] * (c[0] + c[1] * args.x[i])); };
  for (int64_t i = threadIdx.x; i < args.count; i += kThreads) number += counts(i);
  number = block_fold(number, of_warp, Sum());
  for (int round = 0; round < args.rounds && number > 0; round++) {
    double m[3] = {}, b[2] = {};
    for (int64_t i = threadIdx.x; i < args.count; i += kThreads) {
      if (!counts(i)) continue;
      const double z = scale > 0 ? residual(i) / (2 * scale) : 0, x = args.x[i];
      const double a = (args.weights ? args.weights[i] : 1.f) / (1 + z * z);
      m[0] += a * x * x, m[1] += a * x * x * x, m[2] += a * x * x * x * x;
      b[0] += a * x * args.y[i], b[1] += a * x * x * args.y[i];
    }
    for (double& sum : m) sum = block_fold(sum, of_warp, Sum());
    for (double& sum : b) sum = block_fold(sum, of_warp, Sum());
    solve_powers(m, b, args.order, c);
    scale = 1.4826 * quantile_of(args.count, number, 0.5, histogram, [&](int64_t i, const auto& take) {
              if (counts(i)) take(fabsf(residual(i)));
            });
  }
  if (threadIdx.x > 0) return;
  for (int k = 0; k < args.order; k++) result[k] = c[k];
  result[args.order] = number > 0 ? scale : NAN;
  result[args.order + 1] = number;
}

__global__ void __launch_bounds__(kThreads, kBlocks) gradient(MeanGradientArgs args, double* result) {
  SHARED(double, of_warp, [kThreads / 32]);
  double sum = 0, number = 0;
  const int64_t columns = args.columns, across = columns - 2, inside = across > 0 ? across * (args.rows - 2) : 0;
  for (int64_t i = threadIdx.x; i < inside; i += kThreads) {
    const int64_t at = (i / across + 1) * columns + i % across + 1;
    if (!args.where[at]) continue;
    const float* x = args.input + at;
    const double size = hypot(double(x[1]) - x[-1], double(x[columns]) - x[-columns]) / 2;
    if (size <= DBL_MAX) sum += size, number += 1;
  }
  sum = block_fold(sum, of_warp, Sum());
  number = block_fold(number, of_warp, Sum());
  if (threadIdx.x > 0) return;
  result[0] = number > 0 ? sum / number : NAN;
  result[1] = number;
}

__global__ void __launch_bounds__(kThreads, kBlocks) find_bounds(BoundsArgs args, int64_t* result) {
  SHARED(int64_t, of_warp, [kThreads / 32]);
  int64_t box[5] = {args.rows, -1, args.columns, -1, 0};
  for (int64_t i = threadIdx.x; i < args.rows * args.columns; i += kThreads) {
    if (!args.mask[i]) continue;
    const int64_t row = i / args.columns, column = i - row * args.columns;
    box[0] = Smaller()(box[0], row), box[1] = Larger()(box[1], row);
    box[2] = Smaller()(box[2], column), box[3] = Larger()(box[3], column);
    box[4]++;
  }
  for (int k = 0; k < 5; k++) {
    const int64_t all = k == 4       ? block_fold(box[k], of_warp, Sum())
                        : k % 2 == 0 ? block_fold(box[k], of_warp, Smaller())
                                     : block_fold(box[k], of_warp, Larger());
    if (threadIdx.x == 0) result[k] = all;
  }
}

// Block 0: what is common; the others: of their groups, or NaN where that is the common one.
__global__ void __launch_bounds__(kThreads, kBlocks)
    group_thresholds(MetalMaskArgs args, float* thresholds, double* common) {
  SHARED(unsigned, histogram, [256]);
  SHARED(double, of_warp, [kThreads / 32]);
  for (int64_t group = blockIdx.x; group <= args.groups; group += gridDim.x) {
    const auto each = [&](int64_t i, const auto& take) {
      const int64_t label = args.labels[i];
      const bool is_in = group == 0 ? label >= 1 && label <= args.groups : label == group;
      if (is_in && is_finite(args.input[i])) take(args.input[i]);
    };
    double number = 0;
    for (int64_t i = threadIdx.x; i < args.count; i += kThreads) each(i, [&](float) { number += 1; });
    number = block_fold(number, of_warp, Sum());
    const double p95 = quantile_of(args.count, number, 0.95, histogram, each);
    if (threadIdx.x > 0) continue;
    const float own = number > 0 ? metal_threshold(args, p95) : args.least;
    if (group == 0) *common = own;
    thresholds[group] = group == 0 || p95 >= args.alone ? own : NAN;
  }
}

struct MetalMask {
  MetalMaskArgs args;
  const float* thresholds;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    const int64_t group = args.labels[i];
    const bool is_in = group >= 1 && group <= args.groups;
    const float own = is_in ? thresholds[group] : 0.f;
    args.mask[i] = is_in && args.input[i] >= (own == own ? own : thresholds[0]);
  }
};

}  // namespace

void quantiles(Stream stream, const QuantilesArgs& args) {
  StreamMemory<double> result(stream, size_t(args.quantiles + 2));
  LAUNCH(find_quantiles, 1, kThreads, 0, stream)(args, result.data());
  check_launch("quantiles");
  result.download(args.result, size_t(args.quantiles + 2));
}

void fit_powers(Stream stream, const FitPowersArgs& args) {
  StreamMemory<double> result(stream, size_t(args.order + 2));
  LAUNCH(fit, 1, kThreads, 0, stream)(args, result.data());
  check_launch("fit_powers");
  result.download(args.result, size_t(args.order + 2));
}

void mean_gradient(Stream stream, const MeanGradientArgs& args) {
  StreamMemory<double> result(stream, 2);
  LAUNCH(gradient, 1, kThreads, 0, stream)(args, result.data());
  check_launch("mean_gradient");
  result.download(args.result, 2);
}

void bounds(Stream stream, const BoundsArgs& args) {
  StreamMemory<int64_t> result(stream, 5);
  LAUNCH(find_bounds, 1, kThreads, 0, stream)(args, result.data());
  check_launch("bounds");
  result.download(args.result, 5);
}

void metal_mask(Stream stream, const MetalMaskArgs& args) {
  StreamMemory<float> thresholds(stream, size_t(args.groups + 1));
  StreamMemory<double> common(stream, 1);
  const unsigned grid = unsigned(std::min<int64_t>(args.groups + 1, 1 << 16));
  LAUNCH(group_thresholds, grid, kThreads, 0, stream)(args, thresholds.data(), common.data());
  check_launch("metal_mask");
  pointwise_by<1>(stream, 1, args.count, MetalMask{args, thresholds.data()}, "metal_mask");
  common.download(args.threshold, 1);
}

}  // namespace sino::cuda
