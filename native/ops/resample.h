// resample: images on another grid over the same extent, per slice.
//
// Quantity. out(r, c) = Σ_j Σ_i w_row(r, j) · w_column(c, i) · image(j, i). Pixel centres lie at (k + ½)/n of the extent, so output k of n
//   stands at input position s = (k + ½)·m/n − ½ of m. Weights by method:
//     nearest  the pixel that ⌊(k + ½)·m/n⌋ names
//     linear   the two pixels around s
//     cubic    the four around s, R. Keys' kernel with a = −½ (Catmull-Rom), "Cubic convolution interpolation", 1981
//     area     every input pixel by the part of the output pixel that it covers: the one to use for reducing; the sum of the image
//              times the pixel area is kept
//     lanczos  sinc(d)·sinc(d/3), |d| < 3, d the distance to s in pixels of the coarser grid, weights of a pixel scaled to sum 1: sharp
//              when enlarging, free of aliasing when reducing. C. E. Duchon, J. Appl. Meteorol. 18, 1979
// Order. images [slice, row, column] float32. An iteration is one output row: rows are combined into a line that stays in cache, then
//   the line is resampled.
// Edges. The border pixel is repeated outside. Pixels of weight zero are not read: on the same grid every method copies, NaN included.
// Precision. Weights in double, stored in float32; sums in float32: 1e-6 of the largest value involved.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "native/core/hd.h"

namespace sino {

enum class Resampling { nearest, linear, cubic, area, lanczos };

struct ResampleArgs {
  int64_t slices, rows, columns, out_rows, out_columns;
  Resampling method;
  const float* input;
  float* output;
};

// The taps of one axis: output k takes taps [start[k], start[k + 1]).
struct ResampleTaps {
  std::vector<int64_t> start;
  std::vector<int32_t> index;
  std::vector<float> weight;
};

inline double keys_cubic(double x) {
  const double d = std::fabs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  if (d < 2) return ((-0.5 * d + 2.5) * d - 4) * d + 2;
  return 0;
}

inline double lanczos(double x) {
  constexpr double kPi = 3.14159265358979323846;
  if (x == std::floor(x) || std::fabs(x) >= 3) return x == 0 ? 1 : 0;
  return 3 * std::sin(kPi * x) * std::sin(kPi * x / 3) / (kPi * kPi * x * x);
}

ResampleTaps resample_taps(int64_t from, int64_t to, Resampling method);

}  // namespace sino
