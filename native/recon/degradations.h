// What makes a measured MR image worse than a clean one, beside its k-space (native/ops/kspace.h): the noise of magnitudes, and a coil's
// uneven brightness. On the processor: one pass over memory each, made once for a training pair.
//
//   rician_noise  |input + σ·(z₁ + i·z₂)|, z normal, element i of the call is element first + i of the random stream
//   brightness    input·exp(Σ c_ijk·P_i(z)·P_j(y)·P_k(x)), i + j + k ≤ order, P Legendre polynomials, z, y, x from −1 to 1 over the volume
#pragma once

#include <cstdint>
#include <vector>

#include "native/core/philox.h"
#include "native/runtime/context.h"

namespace sino {

struct RicianNoiseArgs {
  RandomSource source;
  int64_t first, count;
  double sigma;
  const float* input;
  float* output;
};
void rician_noise(const Context& context, const RicianNoiseArgs& args);

struct BrightnessArgs {
  int64_t slices, rows, columns;
  int order;
  std::vector<double> coefficients;  // i slowest, then j, then k
  const float* input;
  float* output;
};
// How many coefficients there are for an order.
int64_t brightness_terms(int order);
void brightness(const Context& context, const BrightnessArgs& args);

}  // namespace sino
