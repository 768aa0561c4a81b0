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
// Precision. Double; sums per slice, slices in order. Twins agree to 1e-9 of the largest value; counts are the same.
#pragma once

#include <cmath>
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

// A trend's terms at a pixel of a region: monomials of x and y, which run from −1 to 1.
constexpr int kTrendTerms = 6;
SINO_HD inline void trend_terms(int64_t size, int64_t row, int64_t column, double (&m)[kTrendTerms]) {
  const double half = size > 3 ? double(size - 1) / 2 : 1, y = row / half - 1, x = column / half - 1;
  m[0] = 1, m[1] = x, m[2] = y, m[3] = x * x, m[4] = x * y, m[5] = y * y;
}
// Least squares of the first `count` of them: coefficients = inverse·Σ terms·value.
struct Trend {
  int count;
  double inverse[kTrendTerms][kTrendTerms];
};
Trend trend_of(int64_t size, int order);

struct EdgeLineArgs {
  int64_t slices, rows, columns;
  double reach;  // pixels
  const float* input;
  double* lines;  // [slice]: row, column, and cosine and sine of the normal, which points to higher columns (or rows)
};

// The image by lines across which it changes: rows, or columns.
struct EdgeAxes {
  bool by_rows;
  int64_t lines, line_step, n, step;  // n pixels of a line
};
SINO_HD inline EdgeAxes edge_axes(const EdgeLineArgs& a, bool by_rows) {
  return by_rows ? EdgeAxes{true, a.rows, a.columns, a.columns, 1} : EdgeAxes{false, a.columns, 1, a.rows, a.columns};
}
// A line through the places of an edge, place = at + slope·line, and what it is fitted with.
struct EdgePath {
  double at, slope;
};
constexpr int kEdgeRounds = 4;  // the first one without a line to look near to
struct EdgeSums {
  double m[3] = {}, b[2] = {};
  SINO_HD void add(double weight, double place, double line) {
    m[0] += weight, m[1] += weight * line, m[2] += weight * line * line;
    b[0] += weight * place, b[1] += weight * line * place;
  }
  SINO_HD EdgePath path(int64_t n) const {
    const double determinant = m[0] * m[2] - m[1] * m[1];
    if (!(determinant > 1e-12 * m[0] * m[2])) return {m[0] > 0 ? b[0] / m[0] : n / 2.0, 0};
    return {(b[0] * m[2] - b[1] * m[1]) / determinant, (b[1] * m[0] - b[0] * m[1]) / determinant};
  }
};
SINO_HD inline void edge_line_of(const EdgeAxes& axes, const EdgePath& path, double* line) {
  const double middle = (axes.lines - 1) / 2.0, place = path.at + path.slope * middle;
  const double size = sqrt(1 + path.slope * path.slope), along = 1 / size, beside = -path.slope / size;
  line[0] = axes.by_rows ? middle : place, line[1] = axes.by_rows ? place : middle;
  line[2] = axes.by_rows ? along : beside, line[3] = axes.by_rows ? beside : along;
}

// Distance of (row, column): along the normal (radius 0), or to the circle.
struct EdgeSpreadArgs {
  int64_t slices, rows, columns, bins;
  double width, reach;  // pixels; bin = (distance + reach)/width
  const double* edges;  // [slice]: row, column, cosine (of columns), sine (of rows), radius
  const float* input;
  double *sums, *counts;  // [slice, bin]
};
// The bin of a pixel, as a number that need not be one of the bins.
SINO_HD inline double edge_bin(const EdgeSpreadArgs& a, const double* edge, int64_t row, int64_t column) {
  const double dy = row - edge[0], dx = column - edge[1];
  const double distance = edge[4] > 0 ? hypot(dx, dy) - edge[4] : dx * edge[2] + dy * edge[3];
  return floor((distance + a.reach) / a.width);
}

constexpr int kMostChannels = 32;
struct ChannelArgs {
  int64_t slices, rows, columns;
  int channels;
  double row, column, width;  // centre and a, pixels
  const float* input;
  double* responses;  // [slice, channel]
};
// u_j at a pixel, channel by channel.
struct Channels {
  double t, scale, before = 0, laguerre = 1;
  int j = 0;
  SINO_HD Channels(const ChannelArgs& a, int64_t pixel) {
    const double dy = pixel / a.columns - a.row, dx = pixel % a.columns - a.column;
    t = 2 * 3.14159265358979323846 * (dx * dx + dy * dy) / (a.width * a.width);
    scale = sqrt(2.0) / a.width * exp(-t / 2);
  }
  SINO_HD double next() {
    const double value = scale * laguerre, after = ((2 * j + 1 - t) * laguerre - j * before) / (j + 1);
    before = laguerre, laguerre = after, j++;
    return value;
  }
};

}  // namespace sino
