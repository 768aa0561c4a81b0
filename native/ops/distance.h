// distance: the exact Euclidean distance of every pixel to the nearest zero of a mask, and where that zero
// is.
//
// Quantity. d(p) = min over pixels q with mask(q) = 0 of √Σ_axis (spacing_axis · (p − q)_axis)². scipy's
//   distance_transform_edt. Separable: counts along columns first (how many rows to the nearest zero of the same
//   column), then per row the lower envelope of one parabola per column, f_q + (spacing · (x − q))²; a third
//   dimension is one more pass of envelopes. A. Meijster, J. Roerdink, W. Hesselink, "A general algorithm for
//   computing distance transforms in linear time", 2000; P. Felzenszwalb, D. Huttenlocher, "Distance transforms of
//   sampled functions", 2012.
// Order. mask [slice, row, column] uint8, distances float32 of the same shape, indices int32 [axis, slice, row,
//   column] with the axes of one transform (row, column; or slice, row, column). An iteration is one line; a plane
//   reads 1 byte and writes 4 per pixel, and 12 more with indices. Sparse zeros (a few metal parts in a large image):
//   only columns that have a zero anywhere bear a parabola. Dense zeros: whoever looks outward from every pixel meets
//   one soon; and a zero ends every envelope, for nothing beyond it can be nearer.
// Edges. Without any zero in the plane (2-D) or volume (3-D) every distance is infinite and every index −1.
// Precision. With equal spacings and an extent whose squared diagonal is below 2²⁴ all squares are integers, exact in
//   float32; the root is correctly rounded. Otherwise squares are double and the result is rounded once. Of several
//   zeros equally near any one may be named. Twins: distances equal to 1 ulp, indices to an equally near zero.
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct DistanceArgs {
  int64_t slices, rows, columns;
  bool volume;        // false: each slice by itself
  double spacing[3];  // slice (ignored in 2-D), row, column; positive
  const uint8_t* mask;
  float* distances;
  int32_t* indices;  // null: not wanted
};

inline bool squares_are_exact(const DistanceArgs& a) {
  const double s = a.volume ? double(a.slices - 1) : 0, r = double(a.rows - 1), c = double(a.columns - 1);
  return a.spacing[1] == a.spacing[2] && (!a.volume || a.spacing[0] == a.spacing[1]) &&
         s * s + r * r + c * c < 16777216.0;
}

// Where the parabola with its vertex at q overtakes the one at p < q, in pixels; heights are f + (spacing ·
// vertex)².
template <typename T>
SINO_HD inline T overtaking(T height_p, T p, T height_q, T q, T twice_spacing_squared) {
  return (height_q - height_p) / (twice_spacing_squared * (q - p));
}

}  // namespace sino
