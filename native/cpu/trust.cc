// trust on the CPU: plain loops along views.
#include "native/ops/trust.h"

#include <algorithm>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {
constexpr int64_t kGrain = 1 << 15;
}

void ray_variance(const Context& context, const RayVarianceArgs& args) {
  const int64_t bins = args.bins;
  const auto at = [bins](int64_t k) { return std::clamp<int64_t>(k, 0, bins - 1); };
  context.parallel_for(args.views, std::max<int64_t>(1, kGrain / bins), [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; v++) {
      const float *measured = args.measured + v * bins, *metal = args.metal + v * bins;
      for (int64_t k = 0; k < bins; k++) {
        float* variance = args.variance + v * bins + k;
        *variance = 0;
        if (!args.where[v * bins + k]) continue;
        const float p[3] = {measured[at(k - 1)], measured[k], measured[at(k + 1)]};
        float m[5];
        for (int64_t j = 0; j < 5; j++) m[j] = metal[at(k + j - 2)];
        *variance = ray_variance_at(args.model, p, args.slope[v * bins + k], m);
      }
    }
  });
}

void ray_calibrate(const Context& context, const RayCalibrateArgs& args) {
  context.parallel_for(args.rays, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      args.correction[i] = args.where[i] ? ray_calibration(args, args.metal[i]) : 0;
      args.found[i] -= args.correction[i];
    }
  });
}

void ray_evidence(const Context& context, const RayEvidenceArgs& args) {
  context.parallel_for(args.rays, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) ray_evidence_at(args, i);
  });
}

void ray_spread(const Context& context, const RaySpreadArgs& args) {
  context.parallel_for(args.rays, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) args.smooth[i] += args.evidence[i] / (args.weight[i] + args.prior);
  });
}

void ray_blend(const Context& context, const RayBlendArgs& args) {
  context.parallel_for(args.rays, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) args.output[i] = ray_blend_at(args, i);
  });
}

}  // namespace sino::cpu
