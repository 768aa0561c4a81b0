// trust on CUDA: one pass over memory each, a thread per ray (pointwise.cuh).
#include "native/ops/trust.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

struct Variance {
  RayVarianceArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t k, int64_t i) const {
    if (!args.where[i]) {
      args.variance[i] = 0;
      return;
    }
    const auto beside = [&](int64_t j) { return i - k + min(max(k + j, int64_t(0)), args.bins - 1); };
    const float p[3] = {args.measured[beside(-1)], args.measured[i], args.measured[beside(1)]};
    float metal[5];
    for (int j = 0; j < 5; j++) metal[j] = args.metal[beside(j - 2)];
    args.variance[i] = ray_variance_at(args.model, p, args.slope[i], metal);
  }
};

struct Calibrate {
  RayCalibrateArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    const float correction = args.where[i] ? ray_calibration(args, args.metal[i]) : 0;
    args.correction[i] = correction;
    args.found[i] -= correction;
  }
};

struct Evidence {
  RayEvidenceArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    ray_evidence_at(args, i);
  }
};

struct Spread {
  RaySpreadArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    args.smooth[i] += args.evidence[i] / (args.weight[i] + args.prior);
  }
};

struct Blend {
  RayBlendArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    args.output[i] = ray_blend_at(args, i);
  }
};

}  // namespace

void ray_variance(Stream stream, const RayVarianceArgs& args) {
  pointwise_by<1>(stream, args.views, args.bins, Variance{args}, "ray_variance");
}
void ray_calibrate(Stream stream, const RayCalibrateArgs& args) {
  pointwise_by<1>(stream, 1, args.rays, Calibrate{args}, "ray_calibrate");
}
void ray_evidence(Stream stream, const RayEvidenceArgs& args) {
  pointwise_by<1>(stream, 1, args.rays, Evidence{args}, "ray_evidence");
}
void ray_spread(Stream stream, const RaySpreadArgs& args) {
  pointwise_by<1>(stream, 1, args.rays, Spread{args}, "ray_spread");
}
void ray_blend(Stream stream, const RayBlendArgs& args) {
  pointwise_by<1>(stream, 1, args.rays, Blend{args}, "ray_blend");
}

}  // namespace sino::cuda
