// total_variation: the image nearest to another one for what it varies, slice by slice (Rudin, Osher, Fatemi).
//
// Quantity. out = argmin_x ½ Σ_j (x_j − z_j)²/c_j + λ·TV(x), low ≤ x ≤ high; TV(x) = Σ_j √((x_right − x_j)² + (x_below − x_j)²), differences
//   across the border 0; c_j = 1 or a table for all slices (0: the pixel stays). The dual problem is solved: x = z − λ·c·∇ᵀp, clipped,
//   |p_j| ≤ 1, by projected gradients with Nesterov's momentum (A. Beck, M. Teboulle, IEEE TIP 18(11), 2009; A. Chambolle, J. Math.
//   Imaging 20, 2004), the step of a pixel 1/(4·λ·(c_j + max(c_right, c_below))), which is 1/(8·λ) where c = 1.
//   volume: all slices as one image of three dimensions, TV(x) = Σ_j √(… + (ratio·(x_next slice − x_j))²), ratio a pixel's size over the
//   distance of slices; c_j = 1, the step 1/(4·λ·(2 + ratio²)).
// Order. [slice, row, column] float32; the dual [slice, 2, row, column], along columns first. An iteration reads z, c, q and p and writes
//   p and q once: 40 bytes per pixel, from a cache as large as ten images of a slice.
// Edges. λ = 0 only clips. NaN spreads.
// Precision. float32; after n iterations the energy is within 2·‖p‖²/(n+1)² of its minimum. Twins agree to 1e-5 of the span.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "native/core/hd.h"

namespace sino {

struct TotalVariationArgs {
  int64_t slices, rows, columns;
  std::vector<double> weights;  // λ, one or one per slice
  const float* curvature;       // c, [rows, columns], or null
  float low, high;
  int iterations;
  const float* input;
  float* output;          // may be the input
  float* dual = nullptr;  // where to start and where it ends, or null: from zero
  bool reports = false;   // progress: a unit per row and iteration
  bool volume = false;    // one weight, no curvature, no dual of the caller; on the CPU alone
  double ratio = 1;
};

// Momentum of step k = 0, 1, …: (t_k − 1)/t_{k+1}, t_0 = 1, t_{k+1} = (1 + √(1 + 4·t_k²))/2.
struct NesterovMomentum {
  double t = 1;
  double next() {
    const double before = t;
    t = (1 + std::sqrt(1 + 4 * t * t)) / 2;
    return (before - 1) / t;
  }
};

// What a volume adds to a row: the next slice's row of x (null for the last slice), and the dual across slices, in place.
struct VariationDepth {
  const float* behind = nullptr;
  float ratio = 0;
  float *pz = nullptr, *qz = nullptr;
};

// A row of the iteration, for all devices: pointers to the row of each array; the row above and below by `stride`.
struct TotalVariationRow {
  int64_t columns;
  bool first, last;  // of the rows
  float weight, low, high;
  const float *z, *c;    // c null: 1
  const float *qx, *qy;  // of the row; the row above is at −columns
};

}  // namespace sino
