// kspace: what goes wrong between an MR image and its measurement, slice by slice: what was not measured, motion, truncation.
//
// Quantity. K(v, u) = Σ image(y, x)·e^{−2πi(v·y/rows + u·x/columns)}, |v| ≤ rows/2; lines of K (v, the phase encoding) are made at their own
//   time. output = |IDFT(mask·K')|, K' = K but for
//     motion   line v is of the image turned by turn[v] (degrees, about the middle, counter-clockwise) and moved by (down[v], right[v]) pixels
//     mask     one factor per element of k-space, [rows, columns], centre in the middle as (rows/2, columns/2) rounded down has it
//   The image is turned as three shears, each a phase in Fourier space (M. Unser, P. Thévenaz, L. Yaroslavsky, IEEE TIP 4(10), 1995).
// Order. [slice, row, column] float32; line v of turn, down, right: v = −rows/2 … first.
// Precision. Double inside. There is no CUDA twin.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct KspaceArgs {
  int64_t slices, rows, columns;
  const float* mask;                  // null: 1
  const double *turn, *down, *right;  // [slice, rows]; null: no motion
  const float* input;
  float* output;
};

}  // namespace sino
