// inversion on the CPU: the rays asked for are collected into blocks; every Newton step sends a block through the vector kernel
// once per sub-ray, and adds up the sub-rays' intensities.
#include "native/ops/inversion.h"

#include <algorithm>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"

namespace sino::cpu {

namespace {

constexpr int64_t kBlock = 512;  // rays; a multiple of twice every vector width

struct Block {
  const InversionArgs& args;
  Scratch<float> work;
  std::vector<int64_t> rays;
  float *fixed[kMaxMaterials], *sub[kMaxSubrays], *sums[kMaxSubrays], *slopes[kMaxSubrays], *shifts[kMaxSubrays];

  Block(const Context& context, const InversionArgs& args)
      : args(args), work(context.scratch<float>((args.materials + 4 * args.subrays) * kBlock)) {
    float* next = work.data();
    const auto take = [&] { return (next += kBlock) - kBlock; };
    for (int m = 0; m < args.materials; m++) fixed[m] = take();
    for (int k = 0; k < args.subrays; k++) sub[k] = take(), sums[k] = take(), slopes[k] = take(), shifts[k] = take();
    rays.reserve(kBlock);
  }

  bool wants(int64_t ray) const { return !args.where || args.where[ray]; }

  void gather() {
    const int last = args.materials - 1, K = args.subrays;
    for (int m = 0; m < args.materials; m++) std::fill_n(fixed[m], kBlock, 0.0f);
    for (int k = 0; k < K; k++) std::fill_n(sub[k], kBlock, 0.0f);
    for (size_t i = 0; i < rays.size(); i++) {
      for (int m = 0; m < last; m++) fixed[m][i] = args.paths[m][rays[i]];
      for (int k = 0; k < K; k++) sub[k][i] = args.paths[last][rays[i] * K + k];
    }
  }

  // −ln of the mean intensity of the sub-rays, and its slope.
  double model(size_t i, float* slope) const {
    const int K = args.subrays;
    if (K == 1) {
      *slope = slopes[0][i] / sums[0][i];
      return polychromatic_integral(sums[0][i], args.total, shifts[0][i]);
    }
    float shift = shifts[0][i];
    for (int k = 1; k < K; k++) shift = std::min(shift, shifts[k][i]);
    float sum = 0, slope_sum = 0;
    for (int k = 0; k < K; k++) {
      const float share = std::exp(shift - shifts[k][i]) / K;
      sum += share * sums[k][i];
      slope_sum += share * slopes[k][i];
    }
    *slope = slope_sum / sum;
    return polychromatic_integral(sum, args.total, shift);
  }

  void solve() {
    const SimdKernels& simd = simd_kernels();
    const int last = args.materials - 1;
    gather();
    // A lone ray of the last material may itself be the unknown.
    float* unknown = args.unknown == last ? sub[0] : fixed[args.unknown];
    for (int step = 0; step < args.steps; step++) {
      for (int k = 0; k < args.subrays; k++) {
        const float* paths[kMaxMaterials];
        for (int m = 0; m < last; m++) paths[m] = fixed[m];
        paths[last] = sub[k];
        simd.attenuate_with_slope(args, paths, kBlock, sums[k], slopes[k], shifts[k]);
      }
      for (size_t i = 0; i < rays.size(); i++) {
        float slope;
        const double p = model(i, &slope);
        unknown[i] = newton_step(args, unknown[i], p, slope, args.measured[rays[i]]);
        slopes[0][i] = step + 1 == args.steps ? slope : slopes[0][i];
      }
    }
    for (size_t i = 0; i < rays.size(); i++) {
      args.path[rays[i]] = unknown[i];
      if (args.slope) args.slope[rays[i]] = slopes[0][i];
    }
    rays.clear();
  }
};

}  // namespace

void linearize(const Context& context, const LinearizeArgs& args) {
  context.parallel_for(args.count, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) args.output[i] = linearized(args, args.input[i]);
  });
}

void mean_path(const Context& context, const MeanPathArgs& args) {
  context.parallel_for(args.rays, 1 << 15, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      float sum = 0;
      for (int k = 0; k < args.subrays; k++) sum += args.paths[i * args.subrays + k];
      args.mean[i] = sum / args.subrays;
      args.trace[i] = sum > 0;
    }
  });
}

void inversion(const Context& context, const InversionArgs& args) {
  context.parallel_for((args.rays + kBlock - 1) / kBlock, 16, [&](int64_t begin, int64_t end) {
    Block block(context, args);
    for (int64_t ray = begin * kBlock; ray < std::min(end * kBlock, args.rays); ray++) {
      if (!block.wants(ray)) continue;
      block.rays.push_back(ray);
      if (static_cast<int64_t>(block.rays.size()) == kBlock) block.solve();
    }
    if (!block.rays.empty()) block.solve();
  });
}

}  // namespace sino::cpu
