// The innermost loops of projection, back-projection and filtering, once per instruction set. kernels.inl has
// the code; it is compiled for x86-64-v2 (or plain vector code elsewhere), AVX2 and AVX-512, each in its own
// namespace, and the widest one that this processor runs is chosen once, at the first call.
// SINOGRAM_SIMD=baseline|avx2|avx512 overrides.
//
// Layout. Slices of a batch are interleaved: element (line, position, lane) of `width` slices is width
// neighbouring floats, so that index and weight of a ray are worked out once and serve every slice, and all
// memory traffic is whole vectors.
#pragma once

#include <cstdint>
#include <utility>

#include "native/cpu/windows.h"
#include "native/ops/backproject.h"
#include "native/ops/inversion.h"
#include "native/ops/joseph.h"
#include "native/ops/median.h"
#include "native/ops/nonlocal.h"
#include "native/ops/polychromatic.h"
#include "native/ops/rebin.h"
#include "native/ops/regression.h"
#include "native/ops/sampling_step.h"
#include "native/ops/total_variation.h"

namespace sino {

// Tables of filter_rows: n = length = 2·R·4^a·b, R = 3 where 3 divides n, else 4; b = 1 or 2; n ≥ 24. All angles are pairs
// (cos, sin).
struct RowFilter {
  int64_t bins, length;  // n ≥ 2·bins
  const float* turns;    // [n/2R][m < R]: 2π·(k + m·n/2R)/n
  const float* roots;    // spans s = n/2 (radix r = R), then s/r with r = 4 while s > 8: [k < s/r][0 < m < r]: 2π·k·m/s
  const float* response;  // in the order in which the steps leave the frequencies, natural order / n
};

// The 2·width rows that go through one call, null where there is none. Rows r and r + width share a lane.
struct RowBatch {
  const float* const* source;
  const float* const* ray_weights;  // of every row, or null
  const float* view_weights;        // one number per row
  float* const* target;             // may be the sources
};

// Everything a tile needs of a chunk of views.
struct TileTask {
  Beam beam;
  float inverse_pitch;         // arc: 1/pitch
  float sod_squared;           // fan: distance weight
  int64_t bins, views;         // views of this chunk
  const TileView* tile_views;  // [views]
  const float* filtered;       // bin 0 of the first view, lane 0; at least one zero before the bins and two behind
  int64_t view_stride;         // floats
  int rows, columns;           // of this tile, ≤ kTile
  float* image;                // first pixel, lane 0; pixel stride = width
  int64_t image_row_stride;    // floats
  bool first;                  // overwrite instead of add
};

constexpr int64_t kDistanceReach = 254;  // even
constexpr int64_t kDistanceMargin = 16;  // the widest vector

// One banded sum of native/ops/rebin.h, in plain pointers.
struct RebinSums {
  const RebinStrip* strips;
  int64_t count;
  const float* weights;
  bool mirrored;
};

struct SimdKernels {
  const char* name;
  const WindowKernels* windows;  // null where registers are too narrow
  int width;                     // lanes of one register

  // acc[lane] += Σ over lines [first, last) of the interpolated line values (without the ray's weight)
  void (*joseph_gather)(const float* lines, int64_t line_stride, int width, const JosephRay& ray, int first, int last,
                        float* acc);
  // adds value[lane] (already weighted) to the two pixels of every line
  void (*joseph_scatter)(float* lines, int64_t line_stride, int width, const JosephRay& ray, int first, int last,
                         const float* value);
  void (*backproject_tile)(const TileTask& task, int width);
  // Convolves rows with the filter; `work` holds 2·length·width floats.
  void (*filter_rows)(const RowFilter& filter, const RowBatch& batch, float* work);
  // `views` rows of g from the rows of the sinogram, the first output's place 0 first; and parallel views from the g of both
  // readings, with kRebinMargin zeros on either side of a row; shares null where they are part of the weights.
  void (*rebin_views)(const float* const* rows, const RebinSums& sums, int64_t bins, int64_t views, float* g,
                      int64_t g_stride);
  void (*rebin_bins)(const RebinSums* halves, const float* const* g, int64_t g_stride, const float* shares,
                     int64_t bins, int64_t views, float* parallel);
  // For `rays` (a multiple of 2·width) rays: shift = lower bound of the exponents, sum = Σ weight·exp(shift −
  // exponent).
  void (*attenuate)(const PolychromaticArgs& args, const float* const* paths, int64_t rays, float* sums, float* shifts);
  // The same of what inversion solves for, with slope = Σ weight·ratio of the unknown·exp(shift − exponent).
  void (*attenuate_with_slope)(const InversionArgs& args, const float* const* paths, int64_t rays, float* sums,
                               float* slopes, float* shifts);
  // counts = rows to the nearest feature of the same column, infinite where there is none; features are the
  // pixels that are zero, or with `flip` those that are not. `stride` elements from one row to the next.
  void (*distance_counts)(const uint8_t* mask, bool flip, int64_t rows, int64_t stride, int64_t columns, float* counts);
  // squares[0, length) = offset + (x − vertex)² of the parabola that is lowest at x, from from[k] on the k-th; room for
  // kDistanceMargin floats behind. `count` is at least 1.
  void (*distance_fill)(const float* from, const int32_t* vertices, const float* offsets, int64_t count, int64_t length,
                        float* squares);
  // nearest[i] = min over d of squares[i + d·stride] + d², for i in [0, length). False, with `nearest` half written,
  // where that takes more than `patience` steps of a vector or reaches further than kDistanceReach. Before and behind
  // `squares` lie kDistanceReach·stride + kDistanceMargin infinite floats; behind `nearest`, room for kDistanceMargin.
  bool (*distance_near)(const float* squares, int64_t length, int64_t stride, int64_t patience, float* nearest);
  // distances = √squares
  void (*distance_roots)(const float* squares, int64_t count, float* distances);
  // Elements [begin, end), begin a multiple of 4·width; false where a result is not finite.
  bool (*sampling_step)(const SamplingStepArgs& args, int64_t begin, int64_t end);
  bool (*dual_domain_step)(const DualDomainStepArgs& args, int64_t begin, int64_t end);
  void (*covariance_tile)(const CovarianceTile& tile);
  void (*mix_tile)(const MixTile& tile);
  void (*variation_primal)(const TotalVariationRow& row, float* x);
  void (*variation_dual)(const TotalVariationRow& row, const float* x, const float* below, float momentum, float* px,
                         float* py, float* next_x, float* next_y, const VariationDepth& depth);
  void (*variation_dual_volume)(const TotalVariationRow& row, const float* x, const float* below, float momentum,
                                float* px, float* py, float* next_x, float* next_y, const VariationDepth& depth);
  void (*nonlocal_band)(const NonLocalBand& band);
  // A square of width × width floats: to[c·to_stride + r] = from[r·from_stride + c], or added to it.
  void (*transpose_square)(const float* from, int64_t from_stride, float* to, int64_t to_stride, bool add);
  void (*median_row)(const float* centre, int64_t stride, int radius, int64_t columns, float* output);
};

const SimdKernels& simd_kernels();
const SimdKernels* simd_kernels_named(const char* name);  // null where not compiled in or not supported here

}  // namespace sino
