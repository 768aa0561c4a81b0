// polychromatic: what a photon-counting detector without energy bins measures behind several materials.
//
// Quantity. p = −ln( Σ_E s(E)·exp(−Σ_m P_m·r_m(E)) / Σ_E s(E) ), with P_m the line integral of material m at the reference
//   energy and r_m(E) = (µ/ρ)_m(E)/(µ/ρ)_m(E0) its attenuation relative to that energy. The exponents are shifted by a lower
//   bound of Σ_m P_m·r_m(E) (smallest r for P ≥ 0, largest for P < 0), so that metal that lets nothing through gives a large
//   p, not infinity. water_correction: q = Σ_k c_k·p^k, k = 1…n, the polynomial that makes water linear.
// Order. Rays in any order, one array per material. One iteration is one ray: reads 4 bytes per material, writes 4; 101
//   energies cost 101 exponentials.
// Edges. P_m slightly below zero is allowed. No path at all gives exactly 0. NaN stays NaN.
// Precision. Exponents and sums in float32, the final logarithm in double: |error of p| ≤ 1e-6 + 3e-7·p against a double
//   oracle (a sum of 101 positive terms, exp good to 2e-7), a hundredth of the quietest photon noise. Twins differ by the same.
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"

namespace sino {

constexpr int kMaxMaterials = 8;
constexpr int kMaxEnergies = 1024;
constexpr int kMaxCorrectionOrder = 8;

struct PolychromaticArgs {
  int64_t rays;
  int materials, energies;
  const float* paths[kMaxMaterials];
  const float* weights;     // [energies]
  float total;              // their sum, added up in float in their order, so that no path gives exactly 0
  const float* ratios;      // [materials, energies]
  const float* least_most;  // [materials, 2]: smallest and largest ratio
  float* output;
};

struct WaterCorrectionArgs {
  int64_t count;
  int order;
  double coefficients[kMaxCorrectionOrder];  // of p, p², …
  const float* input;                        // may be the output itself
  float* output;
};

SINO_HD inline float exponent_bound(const float* least_most, float path) {
  return path * least_most[path >= 0 ? 0 : 1];
}

// From the sum of shifted exponentials to the line integral.
SINO_HD inline float polychromatic_integral(float sum, float total, float shift) {
  return float(shift - log(double(sum) / total));
}

SINO_HD inline float water_corrected(const WaterCorrectionArgs& args, float p) {
  double value = 0;
  for (int k = args.order; k-- > 0;) value = (value + args.coefficients[k]) * p;
  return float(value);
}

}  // namespace sino
