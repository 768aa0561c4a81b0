// kspace: what goes wrong between an MR image and its measurement, slice by slice: what was not measured, motion, truncation.
//
// Quantity. K(v, u) = Σ image(y, x)·e^{−2πi(v·y/rows + u·x/columns)}, |v| ≤ rows/2; lines of K (v, the phase encoding) are made at their own
//   time. output = |IDFT(mask·K')|, K' = K but for
//     motion   line v is of the image turned by turn[v] (degrees, about the middle, counter-clockwise) and moved by (down[v], right[v]) pixels
//     mask     one factor per element of k-space, [rows, columns], centre in the middle as (rows/2, columns/2) rounded down has it
//   The image is turned as three shears, each a phase in Fourier space (M. Unser, P. Thévenaz, L. Yaroslavsky, IEEE TIP 4(10), 1995).
// Order. [slice, row, column] float32; line v of turn, down, right: v = −rows/2 … first.
// Precision. Double inside, from the same roots of unity: twins agree to 1e-6 of the largest value.
#pragma once

#include <cmath>
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

// e^{−2πi·f·shift/n}, f the frequency of element k of n: 0 … n/2, then negative; of the one without a partner, the real part.
struct KspacePhase {
  double real, imaginary;
};
SINO_HD inline KspacePhase kspace_phase(int64_t k, int64_t n, double shift) {
  const double angle = -2 * 3.14159265358979323846 * double(2 * k < n ? k : k - n) * shift / double(n);
  return {cos(angle), 2 * k == n ? 0 : sin(angle)};
}
// Where the mask has element (y, x) of the transform.
SINO_HD inline int64_t kspace_mask_place(const KspaceArgs& a, int64_t y, int64_t x) {
  return (y + a.rows / 2) % a.rows * a.columns + (x + a.columns / 2) % a.columns;
}
// The three shears of a turn: by `rows` along rows, by `columns` along columns, by `rows` again; pixels per pixel from the middle.
struct KspaceShears {
  double rows, columns;
};
inline KspaceShears kspace_shears(double degrees) {
  const double angle = degrees * 3.14159265358979323846 / 180;
  return {std::tan(angle / 2), -std::sin(angle)};
}

}  // namespace sino
