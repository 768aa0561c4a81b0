// Between the public layout, one slice after the other, and the kernels' layout, the slices of a batch as
// lanes of a vector.
#pragma once

#include <cstdint>

#include "native/runtime/context.h"

namespace sino::cpu {

// The next slices of a batch, 16 at most, and the width they go through: one register or several, for which the place of a ray
// or pixel is found once. A remainder is rounded up to the next width; even half idle that is faster than slice by slice.
struct Lanes {
  int used, width;
};
Lanes next_lanes(int64_t slices_left);

// lines[line][1 + position][lane] = slices[lane][...]; zeros in front (one) and behind (two); idle lanes repeat the last slice.
// `along_rows` takes image rows as lines, otherwise columns. line_stride() floats from one line to the next.
struct LineLayout {
  int64_t lines, positions;
  Lanes lanes;
  int64_t line_stride() const { return (positions + 3) * lanes.width; }
  int64_t size() const { return lines * line_stride(); }
};
void interleave_lines(const Context& context, const float* slices, int64_t slice_stride, int64_t rows, int64_t columns,
                      bool along_rows, const LineLayout& layout, float* lines);
// The way back: slices = or += lines (padding dropped).
void deinterleave_lines(const Context& context, const float* lines, const LineLayout& layout, int64_t rows,
                        int64_t columns, bool along_rows, bool add, float* slices, int64_t slice_stride);

}  // namespace sino::cpu
