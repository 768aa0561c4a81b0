// robust: medians, fits and slopes that a few wrong rays cannot move; small results about large arrays.
//
// Quantity.
//   quantiles       of the values (or their magnitudes) of the elements that `where` sets, by rank ⌊q·(n − 1)⌋; NaN where there are none; and
//                   how many there were, and their root mean square
//   fit_powers      y ≈ Σ_k c_k·x^k, k = 1…order (1 or 2), weighted least squares, repeated with the weights divided by
//                   1 + (residual/(2·scale))², scale = 1.4826·median |residual|; gives c and the scale
//   mean_gradient   mean of |∇x|, central differences, over the pixels that `where` sets
//   bounds          first and last row and column that hold a set pixel; first > last where there is none
//   metal_mask      1 where a value is at least the threshold of its group of pixels: groups are the connected parts (labels) of what
//                   exceeds `least`; threshold = max(least, share·p95) over all that exceeds it, and for a group that stands on its
//                   own (its own p95 ≥ alone) over that group only: a weak metal beside a strong one survives, the halo of either not
// Order. Flat arrays, one slice. Elements that are not finite are left out.
// Precision. Values in float32, sums in double in fixed chunks: the same for any number of threads. Twins agree to 1e-12.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

constexpr int kMaxQuantiles = 4;

struct QuantilesArgs {
  int64_t count;
  const float* input;
  const uint8_t* where;  // null: all
  bool magnitudes;
  int quantiles;
  double ranks[kMaxQuantiles];  // 0 to 1
  double* result;               // [quantiles], count, root mean square
};

struct FitPowersArgs {
  int64_t count;
  const float *x, *y;
  const float* weights;  // null: 1
  const uint8_t* where;
  int order, rounds;
  double* result;  // [order] coefficients, scale, how many elements
};

struct MeanGradientArgs {
  int64_t rows, columns;
  const float* input;
  const uint8_t* where;
  double* result;  // mean, how many
};

struct BoundsArgs {
  int64_t rows, columns;
  const uint8_t* mask;
  int64_t* result;  // first row, last row, first column, last column, set pixels
};

struct MetalMaskArgs {
  int64_t count;
  const float* input;
  const int32_t* labels;  // of input ≥ least, 1, 2, …
  int64_t groups;
  float least, share, alone;
  uint8_t* mask;
  double* threshold;  // one number: that of everything
};

// Coefficients of a weighted least squares fit from its sums: m[k] = Σ w·x^(2+k), b[k] = Σ w·x^(1+k)·y.
SINO_HD inline void solve_powers(const double m[3], const double b[2], int order, double c[2]) {
  c[0] = m[0] > 0 ? b[0] / m[0] : 0;
  c[1] = 0;
  if (order == 1) return;
  const double determinant = m[0] * m[2] - m[1] * m[1];
  if (!(determinant > 1e-9 * m[0] * m[2])) return;
  c[0] = (b[0] * m[2] - b[1] * m[1]) / determinant;
  c[1] = (b[1] * m[0] - b[0] * m[1]) / determinant;
}

SINO_HD inline float metal_threshold(const MetalMaskArgs& args, double p95) {
  const float threshold = static_cast<float>(args.share * p95);
  return threshold > args.least ? threshold : args.least;
}

}  // namespace sino
