// morphology: dilation and erosion of masks, per slice.
//
// Quantity. Dilation sets every pixel that has a set pixel within reach: at Euclidean distance ≤ radius (disk), or
//   within `reach` steps to the four neighbours (cross: |Δrow| + |Δcolumn| ≤ reach) or to the eight (box: max(|Δrow|,
//   |Δcolumn|) ≤ reach). Erosion is the dilation of the unset pixels. Through distances, so that the cost does not
//   grow with the reach (distance.h).
// Order. masks [slice, row, column] uint8, any non-zero value is set; the result is 0 or 1. An iteration is one row.
// Edges. Nothing lies outside the image: dilation takes nothing in from there, and erosion removes nothing along the border.
// Precision. Integers: twins agree exactly. radius² is compared in double with an exact integer.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

enum class Reach { disk, cross, box };

struct MorphologyArgs {
  int64_t slices, rows, columns;
  const uint8_t* mask;
  bool erode;
  Reach shape;
  double reach;  // radius of the disk, or whole steps
  uint8_t* result;
};

}  // namespace sino
