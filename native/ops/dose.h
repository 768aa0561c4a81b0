// dose: photon counting with a real detector's noise, and less dose for scans that have noise already.
//
// Quantity. detected_photons: I0_k = I0·e^{−air_k} photons reach bin k without an object (air: what a bow-tie takes away);
//   N ~ Poisson(I0_k·e^{−p} + scatter) + σ·z, z normal; q = −ln(max(N, 1)/I0_k). lower_dose: a scan p at full dose becomes one at
//   the fraction a of it by the noise that is missing, the increment form of L. Yu et al., "Development and validation of a
//   practical lower-dose-simulation tool for optimizing computed tomography scan protocols", J. Comput. Assist. Tomogr. 36 (2012):
//   q = p + z·√( (1 − a)/a · e^p/I0_k · (1 + (1 + a)/a · σ²·e^p/I0_k) ): the variance of counting plus that of the electronics at
//   dose a, less what both had at full dose.
// Order. [lines, bins]; element i of the call is element first + i of the random stream, as in noise.h. Poisson takes draws from 0
//   upwards, z the draw kNormalDraw. One iteration is one element: reads and writes 4 bytes.
// Edges. N below one becomes one. The increment is for many photons: where fewer than one is left (e^p ≥ a·I0) the logarithm is no
//   longer linear, and p is taken as ln(a·I0_k) for the noise's size. NaN stays NaN.
// Precision. All in double, as noise.h.
#pragma once

#include "native/ops/noise.h"

namespace sino {

constexpr uint32_t kNormalDraw = 0x40000000;

struct DoseArgs {
  RandomSource source;
  int64_t first, count, bins;
  double photons, scatter, electronic;  // I0, scattered photons, σ in photons
  double fraction;                      // of the dose, for lower_dose
  const float* air;                     // [bins], or null
  const float* line_integrals;          // may be the output itself
  float* output;
};

SINO_HD inline double normal_of(const RandomSource& source, uint64_t index) {
  const PhiloxWords w = source.draw(index, kNormalDraw);
  return sqrt(-2 * log(unit_interval(w.word[0]))) * cos(6.283185307179586 * unit_interval(w.word[1]));
}

SINO_HD inline double photons_without_object(const DoseArgs& args, int64_t i) {
  return args.air ? args.photons * exp(-double(args.air[i % args.bins])) : args.photons;
}

SINO_HD inline float detected(const DoseArgs& args, int64_t i) {
  const double p = args.line_integrals[i], open = photons_without_object(args, i), mean = open * exp(-p) + args.scatter;
  if (!(mean >= 0)) return args.line_integrals[i];  // NaN
  const uint64_t index = static_cast<uint64_t>(args.first + i);
  double n = poisson(fmin(mean, 9007199254740992.0), args.source, index);
  if (args.electronic > 0) n += args.electronic * normal_of(args.source, index);
  return float(-log(fmax(n, 1.0) / open));
}

SINO_HD inline float with_less_dose(const DoseArgs& args, int64_t i) {
  const double p = args.line_integrals[i], open = photons_without_object(args, i), a = args.fraction;
  const double noise = fmin(exp(p), a * open) / open, electronic = args.electronic * args.electronic;
  const double variance = (1 - a) / a * noise * (1 + (1 + a) / a * electronic * noise);
  return float(p + sqrt(variance) * normal_of(args.source, static_cast<uint64_t>(args.first + i)));
}

}  // namespace sino
