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

#include "native/core/hd.h"

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

}  // namespace sino
