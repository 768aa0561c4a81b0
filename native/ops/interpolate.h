// interpolate: the values of a sinogram inside the metal trace replaced by 1-D linear interpolation along the
// detector (LI).
//
// Quantity. With D = S − P (P a prior sinogram, or zero): for a gap of flagged bins a ≤ k < b between unflagged bins
//   a−1 and b, S'(k) = P(k) + D(a−1) + (D(b) − D(a−1)) · (k − a + 1) / (b − a + 1). The difference form does not
//   divide by P, so a small prior does no harm.
// Order. sinogram, prior, trace and output [slice, view, bin], contiguous. An iteration is one view: 4 to 8 bytes and
//   1 of trace read, 4 written per bin.
// Edges. A gap that touches an end of the detector takes D of its one neighbour. A view flagged in full takes D, bin
//   by bin, linear between the nearest views before and after it that are not (the nearer one's alone at the first
//   and last views; views are not taken to be periodic); where a slice has no such view, D = 0. Such views are
//   counted. Outside the trace the output is the input, bit for bit; what stands inside the trace is not read, so it
//   may be NaN.
// Precision. The line is evaluated in double from float32 ends and rounded once (a view flagged in full: once more,
//   its neighbours' results being float32). Twins agree to 1 ulp.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct InterpolateArgs {
  int64_t slices, views, bins;
  const float* sinograms;
  const uint8_t* trace;
  const float* prior;  // null: zero
  float* output;
  int64_t* full_views;  // one number
};

SINO_HD inline double line_between(double left, double right, double fraction) {
  return left + (right - left) * fraction;
}

}  // namespace sino
