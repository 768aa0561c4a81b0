// polychromatic on CUDA: a thread takes kRays neighbouring rays, so that weight and ratios of an energy, which a block keeps in
// shared memory side by side, are read once for all of them. Bound by arithmetic: materials + 9 instructions per ray and energy.
// expf is good to 1 ulp; sums in float32 in the order of the energies, as on the CPU. water_correction: one pass over memory.
#include "native/ops/polychromatic.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 128, kRays = 4;

// kMaterials: how many there are, or kMaxMaterials for any number.
template <int kMaterials>
__global__ void __launch_bounds__(kThreads) attenuate(PolychromaticArgs args) {
  DYN_SHARED(float, table);  // per energy: weight, ratios of all materials
  const int materials = kMaterials < kMaxMaterials ? kMaterials : args.materials, width = materials + 1;
  for (int i = threadIdx.x; i < args.energies * width; i += kThreads) {
    const int e = i / width, m = i % width;
    table[i] = m == 0 ? args.weights[e] : args.ratios[(m - 1) * args.energies + e];
  }
  __syncthreads();
  for (int64_t first = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * kRays; first < args.rays;
       first += int64_t(gridDim.x) * kThreads * kRays) {
    float path[kRays][kMaterials], shift[kRays] = {}, sum[kRays] = {};
#pragma unroll
    for (int m = 0; m < kMaterials; m++)
      for (int r = 0; r < kRays; r++) {
        path[r][m] = m < materials && first + r < args.rays ? args.paths[m][first + r] : 0;
        if (m < materials) shift[r] += exponent_bound(args.least_most + 2 * m, path[r][m]);
      }
    for (int e = 0; e < args.energies; e++) {
      const float* row = table + e * width;
      float exponent[kRays];
      for (int r = 0; r < kRays; r++) exponent[r] = shift[r];
#pragma unroll
      for (int m = 0; m < kMaterials; m++) {
        const float ratio = m < materials ? row[1 + m] : 0;
        for (int r = 0; r < kRays; r++) exponent[r] -= path[r][m] * ratio;
      }
      for (int r = 0; r < kRays; r++) sum[r] += row[0] * expf(exponent[r]);
    }
    for (int r = 0; r < kRays; r++)
      if (first + r < args.rays) args.output[first + r] = polychromatic_integral(sum[r], args.total, shift[r]);
  }
}

struct WaterCorrection {
  WaterCorrectionArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    const Pack<float, N> p = load<N>(args.input, i);
    Pack<float, N> q;
    for (int n = 0; n < N; n++) q.value[n] = water_corrected(args, p.value[n]);
    store(args.output, i, q);
  }
};

}  // namespace

void polychromatic(Stream stream, const PolychromaticArgs& args) {
  if (args.rays == 0) return;
  const int64_t of_block = kThreads * kRays;
  const unsigned grid = unsigned(std::min<int64_t>((args.rays + of_block - 1) / of_block, 1 << 20));
  const size_t bytes = size_t(args.energies) * (args.materials + 1) * sizeof(float);  // at most 36 KB
  switch (args.materials) {
    case 1:
      LAUNCH(attenuate<1>, grid, kThreads, bytes, stream)(args);
      break;
    case 2:
      LAUNCH(attenuate<2>, grid, kThreads, bytes, stream)(args);
      break;
    case 3:
      LAUNCH(attenuate<3>, grid, kThreads, bytes, stream)(args);
      break;
    default:
      LAUNCH(attenuate<kMaxMaterials>, grid, kThreads, bytes, stream)(args);
  }
  check_launch("polychromatic");
}

void water_correction(Stream stream, const WaterCorrectionArgs& args) {
  const bool packs = moves_packs(1, args.count, args.input, args.output);
  pointwise(stream, 1, args.count, packs, WaterCorrection{args}, "water_correction");
}

}  // namespace sino::cuda
