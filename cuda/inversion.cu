// linearize, inversion and mean_path on CUDA: a thread per ray. inversion: weights and ratios of an energy lie side by side in shared
// memory; a thread goes over the energies of every sub-ray for each Newton step, with the paths in registers. Rays that nobody asked for
// cost the reading of their flag: the trace is one piece per view, so whole warps leave. Bound by arithmetic, materials + 10
// instructions per step, sub-ray and energy. expf is good to 1 ulp; sums in float32 in the order of the energies, as on the CPU.
#include "native/ops/inversion.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 128, kBlocks = 4;  // resident; asked for more, as ptxas does by itself, registers spill

struct Linearize {
  LinearizeArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    args.output[i] = linearized(args, args.input[i]);
  }
};

struct MeanPath {
  MeanPathArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    float sum = 0;
    for (int k = 0; k < args.subrays; k++) sum += args.paths[i * args.subrays + k];
    args.mean[i] = sum / float(args.subrays);
    args.trace[i] = sum > 0;
  }
};

// kMaterials: how many there are, or kMaxMaterials for any number.
template <int kMaterials>
__global__ void __launch_bounds__(kThreads, kBlocks) invert(InversionArgs args) {
  DYN_SHARED(float, table);  // per energy: weight, ratios of all materials
  const int materials = kMaterials < kMaxMaterials ? kMaterials : args.materials, width = materials + 1;
  const int last = materials - 1;
  for (int i = int(threadIdx.x); i < args.energies * width; i += kThreads) {
    const int e = i / width, m = i % width;
    table[i] = m == 0 ? args.weights[e] : args.ratios[(m - 1) * args.energies + e];
  }
  __syncthreads();
  for (int64_t ray = int64_t(blockIdx.x) * kThreads + threadIdx.x; ray < args.rays;
       ray += int64_t(gridDim.x) * kThreads) {
    if (args.where && !args.where[ray]) continue;
    const float* subrays = args.paths[last] + ray * args.subrays;
    const float measured = args.measured[ray];
    float path[kMaterials], found = args.unknown == last ? subrays[0] : args.paths[args.unknown][ray], slope = 0;
#pragma unroll
    for (int m = 0; m < kMaterials; m++) path[m] = m < last ? args.paths[m][ray] : 0.f;
    for (int step = 0; step < args.steps; step++) {
      // paths of sub-ray k, and the bound of their exponents
      const auto place = [&](int k) {
        float shift = 0;
#pragma unroll
        for (int m = 0; m < kMaterials; m++) {
          if (m == last) path[m] = subrays[k];
          if (m == args.unknown) path[m] = found;
          if (m < materials) shift += exponent_bound(args.least_most + 2 * m, path[m]);
        }
        return shift;
      };
      float least = place(0);
      for (int k = 1; k < args.subrays; k++) least = Smaller()(least, place(k));
      float sum = 0, slope_sum = 0;
      for (int k = 0; k < args.subrays; k++) {
        const float shift = place(k), share = expf(least - shift) / float(args.subrays);
        float of_ray = 0, slope_of_ray = 0;
        for (int e = 0; e < args.energies; e++) {
          const float* row = table + e * width;
          float exponent = shift;
#pragma unroll
          for (int m = 0; m < kMaterials; m++) exponent -= path[m] * (m < materials ? row[1 + m] : 0.f);
          const float part = row[0] * expf(exponent);
          of_ray += part, slope_of_ray += part * row[1 + args.unknown];
        }
        sum += share * of_ray, slope_sum += share * slope_of_ray;
      }
      slope = slope_sum / sum;
      found = newton_step(args, found, polychromatic_integral(sum, args.total, least), slope, measured);
    }
    args.path[ray] = found;
    if (args.slope) args.slope[ray] = slope;
  }
}

}  // namespace

void linearize(Stream stream, const LinearizeArgs& args) {
  pointwise_by<1>(stream, 1, args.count, Linearize{args}, "linearize");
}

void mean_path(Stream stream, const MeanPathArgs& args) {
  pointwise_by<1>(stream, 1, args.rays, MeanPath{args}, "mean_path");
}

void inversion(Stream stream, const InversionArgs& args) {
  if (args.rays == 0) return;
  const size_t energies = size_t(args.energies), materials = size_t(args.materials);
  StreamMemory<float> weights(stream, energies), ratios(stream, energies * materials), bounds(stream, 2 * materials);
  weights.upload(args.weights, energies);
  ratios.upload(args.ratios, energies * materials);
  bounds.upload(args.least_most, 2 * materials);
  InversionArgs own = args;
  own.weights = weights.data(), own.ratios = ratios.data(), own.least_most = bounds.data();
  const unsigned grid = unsigned(std::min<int64_t>((args.rays + kThreads - 1) / kThreads, 1 << 20));
  const size_t bytes = energies * (materials + 1) * sizeof(float);  // at most 36 KB
  switch (args.materials) {
    case 2:
      LAUNCH(invert<2>, grid, kThreads, bytes, stream)(own);
      break;
    case 3:
      LAUNCH(invert<3>, grid, kThreads, bytes, stream)(own);
      break;
    default:
      LAUNCH(invert<kMaxMaterials>, grid, kThreads, bytes, stream)(own);
  }
  check_launch("inversion");
}

}  // namespace sino::cuda
