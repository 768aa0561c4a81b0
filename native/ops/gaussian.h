// gaussian: smoothing with a separable Gaussian, per slice.
//
// Quantity. out(r, c) = Σ_j Σ_i w_row(j) · w_column(i) · image(r + j, c + i), |j| ≤ radius_row, |i| ≤ radius_column,
//   w(k) ∝ exp(−k²/2σ²) with sum 1: radius 2 and σ = 1 in both axes is the 5×5 kernel of NMAR. σ = 0 leaves an axis as it is.
// Order. images [slice, row, column] float32. An iteration is one row: columns first into a line that stays in cache, then along it;
//   4 bytes read and written per pixel, 2·(2·radius + 1) multiply-adds.
// Edges. The border pixel is repeated outside. NaN spreads over the kernel's extent. An image without pixels stays one.
// Precision. Weights are computed in double and stored in float32; sums in float32: 1e-6 of the largest value within the kernel.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "native/core/hd.h"

namespace sino {

struct GaussianArgs {
  int64_t slices, rows, columns;
  double sigma_row, sigma_column;  // pixels
  int64_t radius_row, radius_column;
  const float* input;
  float* output;
};

// w(0 … radius); the other side is the mirror image.
inline std::vector<float> gaussian_weights(double sigma, int64_t radius) {
  std::vector<double> w(radius + 1);
  double sum = 0;
  for (int64_t k = 0; k <= radius; k++) {
    w[k] = k == 0 ? 1 : sigma > 0 ? std::exp(-0.5 * (k / sigma) * (k / sigma)) : 0;
    sum += k == 0 ? w[k] : 2 * w[k];
  }
  std::vector<float> weights(radius + 1);
  for (int64_t k = 0; k <= radius; k++) weights[k] = static_cast<float>(w[k] / sum);
  return weights;
}

}  // namespace sino
