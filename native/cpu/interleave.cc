#include "native/cpu/interleave.h"

#include <algorithm>
#include <cstring>

#include "native/cpu/kernels.h"
#include "native/cpu/transposed.h"

namespace sino::cpu {

namespace {

// `body` gets constants for the common widths, so that its inner loop over lanes unrolls.
template <typename Body>
void with_width(int width, const Body& body) {
  switch (width) {
    case 16:
      return body(std::integral_constant<int, 16>());
    case 8:
      return body(std::integral_constant<int, 8>());
    case 4:
      return body(std::integral_constant<int, 4>());
    default:
      return body(std::integral_constant<int, 1>());
  }
}

constexpr int kMostLanes = 16;
constexpr int64_t kLinesPerChunk = 16;  // also the side of the blocks that keep transposed reads in cache

}  // namespace

Lanes next_lanes(int64_t slices_left) {
  const int used = static_cast<int>(std::min<int64_t>(kMostLanes, slices_left));
  int width = 1;
  while (width < used) width = width == 1 ? 4 : 2 * width;
  return {used, width};
}

void interleave_lines(const Context& context, const float* slices, int64_t slice_stride, int64_t rows, int64_t columns,
                      bool along_rows, const LineLayout& layout, float* lines) {
  const int64_t line_step = along_rows ? columns : 1, position_step = along_rows ? 1 : columns;
  context.parallel_for(layout.lines, kLinesPerChunk, [&](int64_t begin, int64_t end) {
    with_width(layout.lanes.width, [&](auto width) {
      constexpr int W = decltype(width)::value;
      int64_t offsets[W];
      for (int lane = 0; lane < W; lane++) offsets[lane] = std::min(lane, layout.lanes.used - 1) * slice_stride;
      for (int64_t m = begin; m < end; m++) {
        float* line = lines + m * layout.line_stride();
        std::memset(line, 0, sizeof(float) * W);
        std::memset(line + (layout.positions + 1) * W, 0, sizeof(float) * 2 * W);
      }
      if (W == 1 && !along_rows)
        return transpose_part(slices + begin, columns, rows, end - begin, lines + begin * layout.line_stride() + 1,
                              layout.line_stride());
      for (int64_t block = 0; block < layout.positions; block += kLinesPerChunk) {
        const int64_t stop = std::min(layout.positions, block + kLinesPerChunk);
        for (int64_t m = begin; m < end; m++) {
          float* line = lines + m * layout.line_stride() + W;
          const float* source = slices + m * line_step;
          for (int64_t i = block; i < stop; i++)
            for (int lane = 0; lane < W; lane++) line[i * W + lane] = source[offsets[lane] + i * position_step];
        }
      }
    });
  });
}

void deinterleave_lines(const Context& context, const float* lines, const LineLayout& layout, int64_t rows,
                        int64_t columns, bool along_rows, bool add, float* slices, int64_t slice_stride) {
  // chunked over image rows, the order in which slices are written
  const int64_t row_step = along_rows ? layout.line_stride() : layout.lanes.width;
  const int64_t column_step = along_rows ? layout.lanes.width : layout.line_stride();
  context.parallel_for(rows, kLinesPerChunk, [&](int64_t begin, int64_t end) {
    with_width(layout.lanes.width, [&](auto width) {
      constexpr int W = decltype(width)::value;
      if (W == 1 && !along_rows)
        return transpose_part(lines + 1 + begin, column_step, columns, end - begin, slices + begin * columns, columns,
                              add);
      for (int64_t block = 0; block < columns; block += kLinesPerChunk) {
        const int64_t stop = std::min(columns, block + kLinesPerChunk);
        for (int64_t r = begin; r < end; r++)
          for (int lane = 0; lane < layout.lanes.used; lane++) {
            float* target = slices + lane * slice_stride + r * columns;
            const float* source = lines + W + r * row_step + lane;
            if (add)
              for (int64_t c = block; c < stop; c++) target[c] += source[c * column_step];
            else
              for (int64_t c = block; c < stop; c++) target[c] = source[c * column_step];
          }
      }
    });
  });
}

}  // namespace sino::cpu
