// Kernels for one slice at a time where registers are wide enough to hold a whole window (AVX-512).
//
// The idea. Sixteen neighbouring pixels, and all 256 pixels of a 16 × 16 tile, see at most 32 neighbouring bins of a view: those
//   lie in two registers, and a two-register permute is the gather. The line from bin k to the next is kept as E[k] + t·D[k],
//   E[k] = v[k] − k·D[k], so that no fraction is ever taken and k is just the lowest bits of t + 2²³ rounded down.
// Roofline. Per 16 updates: position (1 fused multiply-add), rounding (1), two permutes, one fused multiply-add, one addition: six
//   instructions and no memory at all, against two loads and three instructions per slice of the interleaved kernels and
//   sixteen scalar loads of a plain gather. Fans add two instructions for the second affine form, three for its reciprocal
//   with one Newton step, and two for the weight.
// Limits. A view whose bins under the tile do not fit 31, or an arc so coarse that the tile spans more than 0.1 rad, makes the
//   whole chunk go through the general kernel (kernels.inl).
#pragma once

#include <cstdint>

#include "native/geometry/geometry.h"

namespace sino {

constexpr int kTile = 16;               // pixels per side of a back-projection tile
constexpr int64_t kViewsPerChunk = 96;  // their bins stay in L2 while a row of tiles passes; a multiple of 8
constexpr int64_t kMargin = 34;         // zeros on either side of a row: a window may lie wholly beside it

// The views of a scan as tables in double; arrays are padded to a multiple of 8.
struct ViewTable {
  Beam beam;
  Grid grid;
  int64_t bins;
  double centre, pitch, sod;
  const double *ux, *uy;
  const double *cosines, *sines;  // arc: of the fan angle of bin k, at [k + kMargin]
};

// A chunk of views as one tile sees it. With (r, c) counted from the tile's first pixel,
//   a = a0 + r·ar + c·ac, b = b0 + r·br + c·bc, and t − base = a (parallel), a/b (flat), atan(a/b)/pitch (arc).
struct ChunkView {
  float a0[kViewsPerChunk], ar[kViewsPerChunk], ac[kViewsPerChunk];
  float b0[kViewsPerChunk], br[kViewsPerChunk], bc[kViewsPerChunk];
  int32_t base[kViewsPerChunk];
};

struct WindowTile {
  Beam beam;
  float inverse_pitch;  // arc
  int64_t views;        // of this chunk
  const ChunkView* look;
  const float* filtered;  // bin 0 of the chunk's first view; kMargin zeros before and after each view's bins
  int64_t view_stride;    // floats
  int rows, columns;      // of this tile, ≤ kTile
  float* image;           // first pixel
  int64_t image_stride;   // floats from one row to the next
  bool first;             // overwrite instead of add
};

// The rays of one view: position start + m·slope on line m, as JosephRay has it, and path length per line.
struct ViewRays {
  double *start, *slope;
  float* weight;
  int32_t* along_rows;
};

constexpr int kMostViews = 8;  // that share a window

// Sixteen neighbouring rays of a few neighbouring views, all along rows or all along columns.
struct WindowRays {
  int views;
  bool fan;            // slopes differ between the rays of a view
  const float* lines;  // position 0 of line 0; kMargin zeros before and after each line's positions
  int64_t line_stride;
  int64_t positions;
  int first, last;                                                           // lines
  double start[kMostViews], slope[kMostViews];                               // of each view's first ray
  alignas(64) float start_step[kMostViews][16], slope_step[kMostViews][16];  // what the other rays add
  alignas(64) float weight[kMostViews][16];
  float* output[kMostViews];
  int count;  // rays to write, ≤ 16
};

constexpr int64_t kTransposeViews = 32;  // that a tile takes together

// A tile of the transpose: up to 16 × 16 pixels as lines and positions on them, as rays along rows (or columns) count them.
struct TransposeLines {
  bool by_rows;
  int64_t first_view, views;  // views ≤ kTransposeViews
  int64_t first_line, first_position;
  int lines, positions;
};

// A chunk of views as a tile sees it. With (l, p) counted from its first pixel, a = a0 + l·al + p·ap and b likewise,
//   the pixel lies at bin base + t with t = a (parallel), a/b (flat), atan(pitch·a/b)/pitch (arc).
struct TransposeLook {
  float a0[kTransposeViews], al[kTransposeViews], ap[kTransposeViews];
  float b0[kTransposeViews], bl[kTransposeViews], bp[kTransposeViews];
  float nearest[kTransposeViews];  // least depth of a pixel, in units of sod
  int32_t base[kTransposeViews];
};

// A ray k passes a pixel, along its line, at a distance of |a − b·T[k − base]|·spacing[k]·C[k − base] pixels.
struct TransposeTile {
  Beam beam;
  int sides;        // rays on either side of a pixel that may touch it: 1 or 2
  int count;        // of views
  const int* list;  // which views of the chunk
  const TransposeLook* look;
  const float* values;  // weighted; bin 0 of the chunk's first view and first plane, margins of kMargin zeros
  int64_t view_stride, plane_stride;
  const float* spacing;  // bin 0 of the chunk's first view, margins as well
  int64_t spacing_stride;
  const float *tangents, *cosines;  // T[−1…32], C[−1…32]; unused for parallel beams
  float pitch_squared;              // arc
  int planes, lines, positions;
  float* image;  // first pixel of the first plane
  int64_t image_stride, image_plane_stride;
};

struct WindowKernels {
  void (*rays_of_view)(const ViewTable& table, int64_t view, const ViewRays& rays);
  void (*joseph_project)(const WindowRays& rays);
  // False where a window does not fit.
  bool (*transpose_look)(const ViewTable& table, const TransposeLines& tile, TransposeLook& look);
  void (*transpose_tile)(const TransposeTile& tile);

  // Fills `look` for views [first, first + count) and the tile of rows × columns pixels whose first has its centre at (x, y)
  // mm. False where a window does not fit.
  bool (*look_from_tile)(const ViewTable& table, int64_t first, int64_t count, double x, double y, int rows,
                         int columns, ChunkView& look);
  void (*backproject_tile)(const WindowTile& tile);
};

}  // namespace sino
