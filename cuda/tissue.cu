// tissue on CUDA. Thresholds: one block per slice, which goes over the slice once per iteration of k-means and once more for the
// smallest values; a slice of 1 MB comes from L2 after the first time, at 64 bytes per clock 10 µs an iteration (not measured). Every
// thread keeps counts and sums of its own values, folded in a fixed order. Prior: one pass over memory (pointwise.cuh).
#include "native/ops/tissue.h"

#include <cfloat>

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 1024;

// body(value) for the finite values of a slice, in a fixed order per thread.
template <int N, typename Body>
__device__ __forceinline__ void each_finite(const float* slice, int64_t pixels, const Body& body) {
  for (int64_t i = int64_t(threadIdx.x) * N; i < pixels; i += kThreads * N) {
    const Pack<float, N> x = load<N>(slice, i);
    for (int n = 0; n < N; n++)
      if (fabsf(x.value[n]) <= FLT_MAX) body(x.value[n]);
  }
}

template <int N>
__global__ void __launch_bounds__(kThreads) classify_tissue(TissueThresholdsArgs args) {
  SHARED(double, sums, [kThreads / 32]);
  SHARED(int, counts, [kThreads / 32]);
  SHARED(float, bounds, [kThreads / 32]);
  for (int64_t slice = blockIdx.x; slice < args.slices; slice += gridDim.x) {
    const float* x = args.images + slice * args.pixels;
    double centres[3] = {0, args.mu_water, 2 * args.mu_water};
    float low = class_edge(centres[0], centres[1]), high = class_edge(centres[1], centres[2]);
    for (int iteration = 0; iteration < kMostTissueIterations; iteration++) {
      double sum[3] = {};
      int count[3] = {};
      each_finite<N>(x, args.pixels, [&](float value) {
        const bool middle = value > low && value <= high, upper = value > high;
        sum[0] += middle || upper ? 0 : value, count[0] += !(middle || upper);
        sum[1] += middle ? value : 0, count[1] += middle;
        sum[2] += upper ? value : 0, count[2] += upper;
      });
      for (int c = 0; c < 3; c++) {
        const double all = block_fold(sum[c], sums, Sum());
        const int number = block_fold(count[c], counts, Sum());
        if (number > 0) centres[c] = all / number;
      }
      const float next_low = class_edge(centres[0], centres[1]), next_high = class_edge(centres[1], centres[2]);
      if (next_low == low && next_high == high) break;  // the same in all threads
      low = next_low, high = next_high;
    }
    float middle = INFINITY, upper = middle;
    each_finite<N>(x, args.pixels, [&](float value) {
      if (value > low) middle = Smaller()(middle, value);
      if (value > high) upper = Smaller()(upper, value);
    });
    middle = block_fold(middle, bounds, Smaller());
    upper = block_fold(upper, bounds, Smaller());
    if (threadIdx.x > 0) continue;
    args.water[slice] = water_threshold(centres, high, middle);
    args.bone[slice] = bone_threshold(centres, args.mu_water, upper);
  }
}

struct Prior {
  TissuePriorArgs args;
  template <int N>
  __device__ void at(int64_t slice, int64_t, int64_t i) const {
    const float water = static_cast<float>(args.water[slice]), bone = static_cast<float>(args.bone[slice]);
    Pack<float, N> x = load<N>(args.images, i);
    for (int n = 0; n < N; n++) x.value[n] = tissue_prior_value(x.value[n], water, bone, args.mu_water);
    store(args.prior, i, x);
  }
};

}  // namespace

void tissue_thresholds(Stream stream, const TissueThresholdsArgs& args) {
  if (args.slices == 0) return;
  require(args.pixels < (int64_t(1) << 31), Code::unsupported,
          "Thresholds on CUDA take slices of fewer than 2^31 pixels. Use the device \"cpu\".");
  StreamMemory<double> thresholds(stream, size_t(2 * args.slices));
  TissueThresholdsArgs own = args;
  own.water = thresholds.data(), own.bone = thresholds.data() + args.slices;
  const unsigned grid = unsigned(std::min<int64_t>(args.slices, 1 << 20));
  if (args.pixels % 4 == 0 && moves_packs(1, args.pixels, args.images))
    LAUNCH(classify_tissue<4>, grid, kThreads, 0, stream)(own);
  else
    LAUNCH(classify_tissue<1>, grid, kThreads, 0, stream)(own);
  check_launch("tissue_thresholds");
  thresholds.download(args.water, size_t(args.slices));
  thresholds.download(args.bone, size_t(args.slices), size_t(args.slices));
}

void tissue_prior(Stream stream, const TissuePriorArgs& args) {
  if (args.slices == 0) return;
  StreamMemory<double> thresholds(stream, size_t(2 * args.slices));
  thresholds.upload(args.water, size_t(args.slices));
  thresholds.upload(args.bone, size_t(args.slices), size_t(args.slices));
  TissuePriorArgs own = args;
  own.water = thresholds.data(), own.bone = thresholds.data() + args.slices;
  const bool packs = moves_packs(args.slices, args.pixels, args.images, args.prior);
  pointwise(stream, args.slices, args.pixels, packs, Prior{own}, "tissue_prior");
}

}  // namespace sino::cuda
