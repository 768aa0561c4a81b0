// median: the middle value of a square of pixels, slice by slice: removes what stands alone, keeps edges.
//
// Quantity. out(x) = the middle one of the (2·radius + 1)² values around x.
// Order. [slice, row, column] float32. An iteration is a vector of pixels: of n values n/2 + 2 are taken in, the least and the largest of
//   them leave, another one comes, until one is left: what leaves on both sides cannot be the middle. About 3/8·n² exchanges.
// Edges. Mirrored about the border pixel, which is not repeated. With NaN in the square the result is any of its values.
// Precision. Exact. NaN apart, twins agree.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

constexpr int kMostMedianRadius = 7;

struct MedianArgs {
  int64_t slices, rows, columns;
  int radius;
  const float* input;
  float* output;  // not the input
};

}  // namespace sino
