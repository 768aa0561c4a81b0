// noise: what counting photons does to line integrals, and plain normal noise.
//
// Quantity. photon_noise: λ = round(I0·e^{−p}) + scatter, N ~ Poisson(λ), q = −ln(max(N, 1)/I0); scatter is counted and, as
//   in the field's pairs, not subtracted. normal_noise: z_i ~ N(0, 1). random_bits: the words themselves, for tests and for
//   whoever needs other distributions.
// Order. Element i of the call is element first + i of the random stream, so a batch in pieces equals the batch at once, for
//   any number of threads. Philox (core/philox.h) gives 4 words per element and draw; normal noise and bits take 4
//   neighbouring elements from one draw. One iteration is one element: reads 4 bytes, writes 4.
// Poisson. λ < 10: inversion by sequential search. Otherwise PTRS, the transformed rejection of W. Hörmann, "The transformed
//   rejection method for generating Poisson random variables", Insurance: Mathematics and Economics 12, 1993: exact up to
//   rounding, 1.1 draws on average at any λ.
// Edges. A count of zero becomes one. p so negative that λ exceeds 2^53 is clamped there; NaN stays NaN.
// Precision. All in double. Twins may differ by one count where log or exp differ in the last bit exactly at a decision
//   (about one element in 1e9).
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"
#include "native/core/philox.h"

namespace sino {

struct PhotonNoiseArgs {
  RandomSource source;
  int64_t first, count;
  double photons, scatter;      // per ray: I0 and the scattered ones
  const float* line_integrals;  // may be the output itself
  float* noisy;
};

struct RandomArgs {
  RandomSource source;
  int64_t first, count;  // first is a multiple of 4
  void* output;          // float for normal_noise, uint32_t for random_bits
};

// ln(k!) for whole k ≥ 0: Stirling's series with three terms, good to 1e-12 from 10 upwards.
SINO_HD inline double log_factorial(double k) {
  if (k < 10) {
    double product = 1;
    for (int i = 2; i <= k; i++) product *= i;
    return log(product);
  }
  const double n = k + 1, inverse = 1 / n, square = inverse * inverse;
  return (n - 0.5) * log(n) - n + 0.91893853320467274178 +
         inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square * (1.0 / 1680))));
}

SINO_HD inline double poisson_by_search(double mean, const RandomSource& source, uint64_t index) {
  const PhiloxWords w = source.draw(index, 0);
  double u = unit_interval(w.word[0]) + (w.word[1] - 2147483648.0) * (1.0 / 18446744073709551616.0);
  double probability = exp(-mean);
  int k = 0;
  for (; u > probability && k < 200; k++) {
    u -= probability;
    probability *= mean / (k + 1);
  }
  return k;
}

SINO_HD inline double poisson_by_rejection(double mean, const RandomSource& source, uint64_t index) {
  const double root = sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double squeeze = 0.9277 - 3.6224 / (b - 2), log_mean = log(mean);
  for (uint32_t draw = 0; draw < 1000; draw++) {
    const PhiloxWords w = source.draw(index, draw);
    for (int half = 0; half < 4; half += 2) {
      const double u = unit_interval(w.word[half]) - 0.5, v = unit_interval(w.word[half + 1]);
      const double us = 0.5 - fabs(u), k = floor((2 * a / us + b) * u + mean + 0.43);
      if (us >= 0.07 && v <= squeeze) return k;
      if (k < 0 || (us < 0.013 && v > us)) continue;
      const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
      if (log(v * inverse_alpha / (a / (us * us) + b)) <= k * log_mean - mean - log_factorial(k)) return k;
    }
  }
  return floor(mean);  // out of reach: probability below 1e-900
}

SINO_HD inline double poisson(double mean, const RandomSource& source, uint64_t index) {
  return mean < 10 ? poisson_by_search(mean, source, index) : poisson_by_rejection(mean, source, index);
}

SINO_HD inline float noisy_line_integral(float p, double photons, double scatter, const RandomSource& source,
                                         uint64_t index) {
  const double mean = floor(photons * exp(-double(p)) + 0.5) + scatter;
  if (!(mean >= 0)) return p;  // NaN
  const double counted = poisson(fmin(mean, 9007199254740992.0), source, index);
  return float(-log(fmax(counted, 1.0) / photons));
}

// Four normal numbers from one draw: G. E. P. Box, M. E. Muller, 1958.
SINO_HD inline void normal_quad(const PhiloxWords& w, float* z) {
  for (int half = 0; half < 4; half += 2) {
    const double radius = sqrt(-2 * log(unit_interval(w.word[half])));
    const double angle = 6.283185307179586 * unit_interval(w.word[half + 1]);
    z[half] = float(radius * cos(angle));
    z[half + 1] = float(radius * sin(angle));
  }
}

}  // namespace sino
