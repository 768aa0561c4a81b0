// Kernels for one slice at a time where registers are wide enough to hold a whole window (AVX-512).
//
// The idea. Sixteen neighbouring pixels, and all 256 pixels of a 16 × 16 tile, see at most 32 neighbouring bins of a view: those
//   lie in two registers, and a two-register permute is the gather. The line from bin k to the next is kept as E[k] + t·D[k],
//   E[k] = v[k] − k·D[k], so that no fraction is ever taken and k is just the lowest bits of t + 2²³ rounded down.
// Roofline. Per 16 updates: position (1 fused multiply-add), rounding (1), two permutes, one fused multiply-add, one addition: six
//   instructions and no memory at all, against two loads and three instructions per slice of the interleaved kernels and
//   sixteen scalar loads of a plain gather. Positions and weights of a fan are ten more; they are kept for eight views at a time
//   (16 kB, in L1) and serve all slices of a batch and all views that see the turned image alike (geometry/symmetry.h), which then
//   take two loads, two permutes and two fused multiply-adds. Mirrored pairs of a parallel beam share positions in registers: five.
// Limits. A tile whose bins do not fit 31, or that spans more than 0.1 rad of an arc, is cut in halves until its pieces fit.
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

// A piece of a tile, in mm: where its first pixel has its centre, and the steps to the next column and the next row, which
// need not run along the image's own.
struct Patch {
  double x, y;
  double column_x, column_y, row_x, row_y;
  int rows, columns;
};

constexpr int64_t kViewsAtOnce = 32;  // that one patch looks at
constexpr int64_t kPlacedAtOnce = 8;  // whose places stay in L1

// A few views as one patch sees them. With (r, c) counted from the patch's first pixel,
//   a = a0 + r·ar + c·ac, b = b0 + r·br + c·bc, and t − base = a (parallel), a/b (flat), atan(a/b)/pitch (arc).
struct ChunkView {
  float a0[kViewsAtOnce], ar[kViewsAtOnce], ac[kViewsAtOnce];
  float b0[kViewsAtOnce], br[kViewsAtOnce], bc[kViewsAtOnce];
  int32_t base[kViewsAtOnce];
};

// Where the pixels of a patch meet its views of a fan. key: the weight, its lowest five bits replaced by the bin, counted from the
// base (which changes it by at most 2e-6 of it); t: the place times that weight.
struct PatchPlaces {
  alignas(64) float t[kPlacedAtOnce][kTile][kTile], key[kPlacedAtOnce][kTile][kTile];
};

// What a patch gets from its views.
struct PatchSums {
  int64_t views;
  const int32_t* base;
  const float* filtered;  // bin 0 of the first view; kMargin zeros before and after each view's bins
  int64_t view_stride;    // floats
  int rows, columns;
  float* sums;        // first pixel; kTile floats from one row to the next
  const float* next;  // add_places: `filtered` of the patch that comes next with the same base
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
  int first, last;                                      // lines
  const double *start[kMostViews], *slope[kMostViews];  // of each view's rays, as in ViewRays
  const float* weight[kMostViews];
  float* output[kMostViews];
  int count;  // rays, ≤ 16
};

constexpr int64_t kTransposeViews = 32;  // that a tile takes together
constexpr float kSlackOfPlace = 0.004f;  // bins by which it may misplace a pixel of a fan when it picks its rays

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

// A ray k passes a pixel, along its line, at a distance of |a − b·T[k − base]|·spacing[k]·C[k − base] pixels, which grows by one
// from each position to the next.
struct TransposeTile {
  Beam beam;
  int touching;     // rays at most that touch a pixel: 2, 3 or 4
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

  // Fills `look` for views [first, first + count) of the table. False where a window does not hold the patch.
  bool (*look_from_patch)(const ViewTable& table, int64_t first, int64_t count, const Patch& patch, ChunkView& look);
  // Adds views of a parallel beam to a patch.
  void (*add_parallel)(const ChunkView& look, const PatchSums& patch);
  // The same for two patches that meet different views at the same places.
  void (*add_pair)(const ChunkView& look, const PatchSums& one, const PatchSums& other);
  // Adds views of a fan in two steps, the first of which serves many views and slices.
  void (*place_pixels)(const ViewTable& table, const ChunkView& look, int64_t count, int rows, PatchPlaces& places);
  void (*add_places)(const PatchPlaces& places, const PatchSums& patch);
};

}  // namespace sino
