// image_quality: what physicists measure in images of phantoms: noise power, edges, and what an observer would see.
//
// Quantity.
//   noise_power       W(u, v) = (1/n²)·⟨|Σ_{y,x} (image − trend)·e^{−2πi(u·y + v·x)/n}|²⟩ over square regions of n × n pixels and all slices: per
//                     pixel area. The trend of a region is its mean, plane or quadric (order 0, 1, 2), by least squares. ICRU Report 87.
//   edge_line         where a nearly straight edge lies: row by row (or column by column, across which the image changes more) the
//                     centroid of squared differences, then within `reach` of the line through them, and a line through these:
//                     a point of it and the direction of its normal. ISO 12233.
//   edge_spread       sums and counts of pixels by their distance to a line, or to a circle: bins of width 1/oversample from −reach to reach.
//   channel_response  Σ image·u_j, u_j(r) = (√2/a)·e^{−πr²/a²}·L_j(2πr²/a²), j = 0, 1, …: Laguerre-Gauss channels of a Hotelling observer.
//                     B. D. Gallas, H. H. Barrett, J. Opt. Soc. Am. A 20, 2003.
// Order. [slice, row, column] float32; results double. Frequencies 0 … n − 1 as an FFT has them.
// Edges. Regions lie within the image. NaN spreads.
// Precision. Double; sums per slice, slices in order. There is no CUDA twin.
#pragma once

#include <cstdint>
#include <vector>

#include "native/core/hd.h"

namespace sino {

struct NoisePowerArgs {
  int64_t slices, rows, columns, size;
  int order;
  std::vector<int64_t> places;  // row, column of every region's first pixel
  const float* input;
  double* power;  // [size, size]
};

struct EdgeLineArgs {
  int64_t slices, rows, columns;
  double reach;  // pixels
  const float* input;
  double* lines;  // [slice]: row, column, and cosine and sine of the normal, which points to higher columns (or rows)
};

// Distance of (row, column): along the normal (radius 0), or to the circle.
struct EdgeSpreadArgs {
  int64_t slices, rows, columns, bins;
  double width, reach;  // pixels; bin = (distance + reach)/width
  const double* edges;  // [slice]: row, column, cosine (of columns), sine (of rows), radius
  const float* input;
  double *sums, *counts;  // [slice, bin]
};

constexpr int kMostChannels = 32;
struct ChannelArgs {
  int64_t slices, rows, columns;
  int channels;
  double row, column, width;  // centre and a, pixels
  const float* input;
  double* responses;  // [slice, channel]
};

}  // namespace sino
