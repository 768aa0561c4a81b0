// nonlocal_means and median on CUDA, one thread per pixel straight from global memory: neighbouring threads read neighbouring pixels, which L1
// catches. nonlocal_means: (2·search + 1)²·(2·patch + 1)² differences per pixel; median: the value of which half of the window is
// less, found by counting, side⁴ comparisons and no memory of its own. Weights of nonlocal_means agree with the CPU's to 1e-6.
// noise_level: a block per slice goes over it five times (ranks.cuh); the CPU's bits.
#include "native/ops/nonlocal.h"

#include <cfloat>

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"
#include "cuda/ranks.cuh"
#include "native/ops/axpy.h"
#include "native/ops/median.h"

namespace sino::cuda {

namespace {

struct NonLocal {
  int64_t rows, columns;
  int search, patch;
  const float* weights;              // g
  const float *variances, *inverse;  // of slices
  float spread;
  const float* input;
  float* output;
  template <int N>
  __device__ void at(int64_t row, int64_t k, int64_t i) const {
    for (int n = 0; n < N; n++) output[i + n] = value(row, k + n);
  }
  __device__ float value(int64_t row, int64_t x) const {
    const int64_t slice = row / rows, y = row % rows;
    const float* image = input + slice * rows * columns;
    const auto pixel = [&](int64_t j, int64_t i) {
      return image[reflected(j, rows) * columns + reflected(i, columns)];
    };
    float top = 0, bottom = 0;
    for (int dy = -search; dy <= search; dy++)
      for (int dx = -search; dx <= search; dx++) {
        float distance = 0;
        for (int j = -patch; j <= patch; j++) {
          float line = 0;
          for (int i = -patch; i <= patch; i++) {
            const float d = pixel(y + j, x + i) - pixel(y + j + dy, x + i + dx);
            line += weights[i + patch] * (d * d);
          }
          distance += weights[j + patch] * line;
        }
        const float excess = distance - variances[slice];
        const float w = expf(-((excess < 0 ? 0 : excess) * inverse[slice]) - float(dy * dy + dx * dx) * spread);
        top += w * pixel(y + dy, x + dx);
        bottom += w;
      }
    return top / bottom;
  }
};

struct Median {
  MedianArgs args;
  template <int N>
  __device__ void at(int64_t row, int64_t k, int64_t i) const {
    for (int n = 0; n < N; n++) args.output[i + n] = value(row, k + n);
  }
  __device__ float value(int64_t row, int64_t x) const {
    const int64_t y = row % args.rows;
    const float* image = args.input + (row - y) * args.columns;
    const int side = 2 * args.radius + 1, count = side * side, middle = count / 2;
    const auto pixel = [&](int k) {
      const int64_t j = y + k / side - args.radius, i = x + k % side - args.radius;
      return image[reflected(j, args.rows) * args.columns + reflected(i, args.columns)];
    };
    for (int k = 0; k < count; k++) {
      const float v = pixel(k);
      int less = 0, equal = 0;
      for (int other = 0; other < count; other++) {
        const float w = pixel(other);
        less += w < v;
        equal += w == v;
      }
      if (less <= middle && less + equal > middle) return v;
    }
    return pixel(middle);  // NaN around
  }
};

constexpr int kLevelThreads = 512;

__global__ void __launch_bounds__(kLevelThreads, 1) find_noise_level(NoiseLevelArgs args) {
  SHARED(unsigned, histogram, [256]);
  SHARED(double, of_warp, [kLevelThreads / 32]);
  const int64_t across = args.columns - 2, inside = across > 0 && args.rows > 2 ? across * (args.rows - 2) : 0;
  for (int64_t slice = blockIdx.x; slice < args.slices; slice += gridDim.x) {
    const float* image = args.input + slice * args.rows * args.columns;
    const auto each = [&](int64_t i, const auto& take) {
      const double m = noise_mask(image + (i / across + 1) * args.columns + i % across + 1, args.columns);
      if (m > 0 && m <= DBL_MAX) take(float(m));
    };
    double number = 0;
    for (int64_t i = threadIdx.x; i < inside; i += kLevelThreads) each(i, [&](float) { number += 1; });
    number = block_fold(number, of_warp, Sum());
    const float median = value_of_rank<kLevelThreads>(inside, int64_t(number) / 2, histogram, each);
    if (threadIdx.x == 0) args.sigmas[slice] = number > 0 ? median / kNoiseMedian : NAN;
  }
}

}  // namespace

void nonlocal_means(Stream stream, const NonLocalArgs& args) {
  if (args.slices * args.rows * args.columns == 0) return;
  require(args.depth == 0, Code::unsupported,
          "There is no non-local means across slices for CUDA in this version. Use device \"cpu\" or \"auto\".");
  std::vector<float> tables = patch_weights(args.patch, args.patch_sigma);
  const int64_t taps = int64_t(tables.size());
  for (int64_t s = 0; s < args.slices; s++) {
    const double sigma = factor_of(args.sigmas, s);
    tables.push_back(float(2 * sigma * sigma));
  }
  for (int64_t s = 0; s < args.slices; s++) {
    const double h = factor_of(args.h, s);
    tables.push_back(float(1 / std::fmax(h * h, 1e-30)));
  }
  StreamMemory<float> uploaded(stream, tables.size());
  uploaded.upload(tables.data(), tables.size());
  const float* t = uploaded.data();
  const NonLocal operation = {args.rows,
                              args.columns,
                              args.search,
                              args.patch,
                              t,
                              t + taps,
                              t + taps + args.slices,
                              float(args.spread > 0 ? 1 / (2 * args.spread * args.spread) : 0),
                              args.input,
                              args.output};
  pointwise_by<1, 2>(stream, args.slices * args.rows, args.columns, operation, "nonlocal_means");
}

void median(Stream stream, const MedianArgs& args) {
  if (args.slices * args.rows * args.columns == 0) return;
  pointwise_by<1>(stream, args.slices * args.rows, args.columns, Median{args}, "median");
}

void noise_level(Stream stream, const NoiseLevelArgs& args) {
  if (args.slices == 0) return;
  LAUNCH(find_noise_level, unsigned(std::min<int64_t>(args.slices, 1 << 16)), kLevelThreads, 0, stream)(args);
  check_launch("noise_level");
}

}  // namespace sino::cuda
