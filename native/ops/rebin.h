// rebin: the rays of a fan-beam scan, read off as parallel views.
//
// Quantity. The ray at fan angle γ of the view at β is the ray at t = sod·sin γ of the parallel view φ = β − γ, and the
//   one at −t of φ + 180°. Parallel view φ takes both readings of every ray,
//     p(φ, t) = w·f(φ + γ, γ) + (1 − w)·f(φ + 180° − γ, −γ),   γ = asin(t/sod),
//   w = ½ in a full turn; 1 or 0 where only one of them was measured; Parker's weight in a short scan. Between views and
//   between bins f is interpolated with four points (`cubic`, Lagrange). Views are evenly spaced, φ by the same step, so
//   both interpolations are banded sums with weights that are the same for every view:
//     g(φ_i, k) = Σ_a weight(k, a)·f(view i + n_k + a, k),    p(φ_i, j) = Σ_a weight(j, a)·g(φ_i, k_j + a)
//   G. Besson, Med. Phys. 26(3), 1999; A. C. Kak, M. Slaney §3.4.3.
// Order. sinograms [slice, view, bin], float32, contiguous, finite. n_k and k_j − j change slowly, so a strip of 16 bins
//   is summed over a few more taps than four, with zeros between: whole vectors, no gathers.
// Edges. Beyond the detector's ends and, in a short scan, beyond the first and the last view, the outermost value is
//   repeated; rays further out than half a bin are not read at all.
// Precision. Places and weights in double, weights stored in float32; sums in float32: 1e-6 of the largest value involved.
// Bytes. Every view is read twice (once for either reading) from L2; between the two sums 32 views stay in L2.
#pragma once

#include <cstdint>
#include <vector>

#include "native/geometry/geometry.h"

namespace sino {

constexpr int kRebinStrip = 16;
constexpr int64_t kRebinMargin =
    16;  // zeros on either side of a row of g: a strip may begin before it and end behind it

// Outputs [first, first + 16): output first + lane is Σ_tap weight[tap][lane] · input, which is bin first + lane of view
// i + base + tap in the sum over views, and bin base + tap + lane of g in the sum over bins (mirrored: the lanes run down).
struct RebinStrip {
  int64_t first, base, taps;
  int64_t weights;  // the strip's first weight in RebinHalf::weights
};

// One of the two readings of all rays.
struct RebinHalf {
  std::vector<RebinStrip> views, bins;
  std::vector<float> weights;
  bool mirrored = false;  // bins run against the parallel ones
};

struct RebinPlan {
  int64_t views = 0, bins = 0;                    // of the fan
  int64_t parallel_views = 0, parallel_bins = 0;  // of the result
  RebinHalf halves[2];
  std::vector<int32_t> row_of;  // [place + first_place]: which view of the sinogram stands there
  int64_t first_place = 0;
  std::vector<float> shares;  // w [parallel view, parallel bin] in a short scan; else empty, and part of the weights
  int64_t work = 0;           // multiply-adds for one parallel view
};

struct RebinArgs {
  const RebinPlan& plan;
  int64_t slices;
  const float* sinograms;
  float* parallel;  // overwritten
};

// What the tables are made from: even steps along the circle, and where on it the parallel views stand.
struct RebinDescription {
  const Geometry& fan;
  const Geometry& parallel;
  std::vector<size_t> order;  // the fan's views by angle
  double first_rad, step_rad;
  double parallel_first_rad;  // parallel views have the same step
  bool closed;                // a full turn: after the last view comes the first
  std::vector<float> shares;  // w, [parallel bin] or [parallel view, parallel bin]
};
RebinPlan rebin_plan(const RebinDescription& description);

// Fan angle of a place on the parallel detector, mm, and the bin that lies there.
double rebin_angle(const Geometry& fan, double t_mm);
double rebin_place(const Geometry& fan, double angle_rad);

}  // namespace sino
