// leak: what a bin of the detector has counted that belongs elsewhere, found in the trace of the metal and taken back.
//
// Quantity. T = e^−p, p measured. Light that neighbours share (crosstalk, focal spot) and scatter that is the same everywhere make
//   T = T' + share/2·(T'_left − 2·T' + T'_right) + floor. Behind metal T' spans decades within a few bins, so that leaks show, where
//   a model of the ray is at hand: T' = T·e^(g·D), g = dp/dP, D the path that inversion found beyond the expected one.
//   find_leak    share and floor, with a1 and a2, by weighted least squares over the rays of `trace`:
//                  T/T' − 1 ≈ share·(T'_left − 2·T' + T'_right)/(2·T') + floor/T' + a1·(g·M) + a2·(g·M)²
//                M is the metal's path: the last two terms take up what a wrong alloy or spectrum does. Weights 1/(g²·σ² + 10⁻⁴), σ² of
//                native/ops/trust.h without its terms for leaks, in `rounds` rounds divided by 1 + (residual/(2·scale))², scale =
//                1.4826·median |residual|. Rays with |g·D| ≥ 2 or a first clue beyond ±100 are left out.
//   remove_leak  p' of T', the tridiagonal system solved along the detector (Thomas), on the rays of `where`; p on others
// Order. [view, bin]; remove_leak: one iteration is one view.
// Edges. Beyond the detector the last bin is repeated. T' is at least `least`. No usable ray: no leak.
// Precision. Clues in float, sums and the system in double: diagonally dominant for share < 1/2. Twins agree to 1e-6.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "native/core/hd.h"
#include "native/ops/trust.h"

namespace sino {

struct FindLeakArgs {
  int64_t views, bins;
  int rounds;
  const uint8_t *where, *trace;
  const float *measured, *found, *slope, *metal, *variance;
  double* result;  // share, floor, a1, a2
};

struct RemoveLeakArgs {
  int64_t views, bins;
  double share, floor, least;
  const uint8_t* where;
  const float* measured;
  float* output;  // not the input
};

constexpr int kLeakTerms = 4;
constexpr float kMostClue = 100, kMostExponent = 2, kLeakVariance = 1e-4f;

struct LeakClue {
  float terms[kLeakTerms], excess, weight;
};

SINO_HD inline float leak_exponent(const FindLeakArgs& a, int64_t i) {
  return a.where[i] ? a.slope[i] * a.found[i] : 0;
}

// T' of a ray as inversion has it.
SINO_HD inline float leak_expected(const FindLeakArgs& a, int64_t i) {
  const float e = leak_exponent(a, i);
  return transmission(a.measured[i] - (fabsf(e) < kMostExponent ? e : 0));
}

// The clue of ray i, bin k of its view; false where it has none.
SINO_HD inline bool leak_clue(const FindLeakArgs& a, int64_t i, int64_t k, LeakClue& clue) {
  if (!a.trace[i] || !a.where[i]) return false;
  const float e = leak_exponent(a, i);
  if (!(fabsf(e) < kMostExponent)) return false;
  const float t = leak_expected(a, i), left = leak_expected(a, k > 0 ? i - 1 : i),
              right = leak_expected(a, k + 1 < a.bins ? i + 1 : i);
  const float neighbours = (left - 2 * t + right) / (2 * t), alloy = a.slope[i] * a.metal[i];
  if (!(fabsf(neighbours) < kMostClue)) return false;
  clue = {{neighbours, 1 / t, alloy, alloy * alloy},
          expf(-e) - 1,
          1 / (a.slope[i] * a.slope[i] * a.variance[i] + kLeakVariance)};
  return true;
}

SINO_HD inline double leak_residual(const LeakClue& clue, const double* c) {
  double rest = clue.excess;
  for (int k = 0; k < kLeakTerms; k++) rest -= c[k] * clue.terms[k];
  return rest;
}

// Least squares by Gauss-Jordan with the largest pivot left; a term that says nothing beyond the others gets 0.
SINO_HD inline void solve_leak(double (*m)[kLeakTerms + 1], double* c) {
  double size[kLeakTerms];
  bool used[kLeakTerms] = {};
  for (int k = 0; k < kLeakTerms; k++) size[k] = m[k][k], c[k] = 0;
  for (int step = 0; step < kLeakTerms; step++) {
    int best = -1;
    for (int k = 0; k < kLeakTerms; k++)
      if (!used[k] && m[k][k] > 1e-9 * size[k] && (best < 0 || m[k][k] * size[best] > m[best][best] * size[k]))
        best = k;
    if (best < 0) break;
    used[best] = true;
    for (int r = 0; r < kLeakTerms; r++) {
      const double share = r == best ? 0 : m[r][best] / m[best][best];
      for (int k = 0; k <= kLeakTerms; k++) m[r][k] -= share * m[best][k];
    }
  }
  for (int k = 0; k < kLeakTerms; k++)
    if (used[k]) c[k] = m[k][kLeakTerms] / m[k][k];
}

// Thomas' elimination of the system, which is every view's: what is left of the diagonal, and of the side above it.
struct LeakSystem {
  std::vector<double> pivot, upper;
  explicit LeakSystem(const RemoveLeakArgs& args) {
    const double side = args.share / 2;
    for (int64_t k = 0; k < args.bins; k++) {
      const double repeated = (k == 0 ? side : 0) + (k + 1 == args.bins ? side : 0);
      pivot.push_back(1 - args.share + repeated - (k > 0 ? side * upper.back() : 0));
      upper.push_back(side / pivot.back());
    }
  }
};

}  // namespace sino
