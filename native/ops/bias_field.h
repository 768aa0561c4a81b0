// bias_field: the slow change of brightness over an MR volume, and the volume without it: N4.
//
// Quantity. v = ln(image) within the mask; the field f, smooth, is sought for which v − f has a sharper histogram. A step: the histogram of
//   v − f (bins of equal width, each value shared between two) is deconvolved by a Gaussian of width `fwhm` (Wiener, noise 0.01); e = the mean of
//   the sharpened values that a value may come from; v − f − e, fitted by cubic B-splines, is added to f. On each level until f changes by
//   less than `tolerance` (the spread of exp of its change over its mean) or the iterations end; then the mesh is halved, `levels` times.
//   output = image/exp(f), f of mean 0 over the mask; field = exp(f). N. J. Tustison et al., "N4ITK", IEEE TMI 29(6), 2010; B-splines by
//   weighted control points: S. Lee, G. Wolberg, S. Y. Shin, IEEE TVCG 3(3), 1997.
// Order. [slice, row, column] float32, the whole volume at once; the fit uses every shrink-th voxel of each axis.
// Edges. Voxels that are not positive are not used, and are divided like the others. One slice is a plane: no change along slices.
// Precision. Sums in double in chunks of rows, added in order. There is no CUDA twin.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct BiasFieldArgs {
  int64_t slices, rows, columns;
  int64_t shrink[3];  // of slices, rows, columns
  int64_t mesh[3];    // cells of the first level
  int levels, iterations, bins;
  double fwhm, tolerance;
  const float* input;
  const uint8_t* mask;  // null: where positive
  float* field;
  float* output;
};

}  // namespace sino
