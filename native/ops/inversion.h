// inversion: from what was measured behind several materials back to the path through one of them, ray by ray.
//
// Quantity.
//   linearize  undoes what was done to counts: p' with Σ_k c_k·p'^k = S (the water correction of native/ops/polychromatic.h), then
//              p = −ln(max(e^−p' − scatter, least)), scatter and least as shares of the photons without an object.
//   inversion  the path P_u of material u for which the polychromatic integral of all materials equals the measured p:
//              −ln( 1/K · Σ_k Σ_E s(E)·exp(−Σ_m P_m,k·r_m(E)) ) = p. The last material may come as K sub-rays of the ray, whose
//              intensities the detector averages; of the others there is one path per ray. Paths, spectrum s and ratios r are those
//              of native/ops/polychromatic.h. The left side grows with P_u and is concave, so Newton's steps from below never
//              overshoot; its slope dp/dP_u, which turns the noise of p into that of P_u, is given too.
//   mean_path  the mean of the sub-rays' paths of a ray, and whether any of them met the material
// Order. Rays in any order, one array per material, of the sub-rays [ray, K]. One iteration is one ray: `steps` times
//   energies · K exponentials. Rays that `where` leaves out are neither read nor written.
// Edges. P_u stays within [least, most]. NaN stays NaN.
// Precision. Exponents and sums in float32, the logarithm in double: P_u is good to 1e-5 + 1e-6·p after 6 steps from a start within 1.
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"
#include "native/ops/polychromatic.h"

namespace sino {

constexpr int kMaxSubrays = 5;

struct LinearizeArgs {
  int64_t count;
  int order;
  double coefficients[kMaxCorrectionOrder];
  double scatter, least;  // shares of the photons without an object
  const float* input;
  float* output;  // may be the input
};

struct InversionArgs {
  int64_t rays;
  int materials, energies, subrays, unknown, steps;
  const float* paths[kMaxMaterials];  // [ray]; of the last material [ray, subrays]; of the unknown: where to start
  const float* weights;               // as in PolychromaticArgs
  float total;
  const float* ratios;
  const float* least_most;
  const float* measured;
  const uint8_t* where;  // null: every ray
  float least, most;
  float* path;
  float* slope;  // null: not wanted
};

struct MeanPathArgs {
  int64_t rays;
  int subrays;
  const float* paths;  // [ray, subrays]
  float* mean;
  uint8_t* trace;
};

// The root of Σ c_k·p^k = value near p = value / c_1, by Newton's steps in double.
SINO_HD inline double uncorrected(const LinearizeArgs& args, double value) {
  double p = value / args.coefficients[0];
  for (int step = 0; step < 8; step++) {
    double f = 0, slope = 0;
    for (int k = args.order; k-- > 0;) {
      slope = slope * p + (k + 1) * args.coefficients[k];
      f = (f + args.coefficients[k]) * p;
    }
    if (!(slope > 0.05)) break;
    p -= (f - value) / slope;
  }
  return p;
}

SINO_HD inline float linearized(const LinearizeArgs& args, float value) {
  const double p = uncorrected(args, value);
  if (args.scatter == 0 && args.least == 0) return float(p);
  const double counts = exp(-p) - args.scatter;
  return float(-log(counts < args.least ? args.least : counts));
}

SINO_HD inline float newton_step(const InversionArgs& args, float path, double model, float slope, float measured) {
  const float next = path + float((measured - model) / slope);
  return next < args.least ? args.least : next > args.most ? args.most : next;
}

}  // namespace sino
