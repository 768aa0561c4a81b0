// Filtered back-projection, written once for any backend: weights and filter (ramp) and weighted
// back-projection.
//
// The scan is read off the angles themselves, in any order. Each view gets the share of the circle that it
// stands for (half the gap to either neighbour), so uneven lists reconstruct quantitatively. Rays measured
// more than once are shared:
//   parallel          angles count modulo 180°, so the two halves of a full turn share by themselves
//   fan, full turn    every ray twice: weight ½
//   fan, short scan   at least 180° + fan angle: Parker's weights, stretched over the overscan (Parker 1982,
//   Silver 2000) less than that    limited: every ray counts fully, and the caller is told full turn with a
//   detector pushed far sideways: smooth weights over the part seen twice (G. Wang, Med. Phys. 29, 2002)
#pragma once

#include <cstdint>

#include "native/backend/backend.h"
#include "native/geometry/geometry.h"

namespace sino {

enum class Coverage { full, half, short_scan, limited };

struct Scan {
  Coverage coverage;
  double covered_rad;               // of the circle, inner gaps included
  double inner_gap_rad;             // the widest hole between neighbouring views inside that; 0 where there is none
  std::vector<double> view_shares;  // radians that each view stands for
};
Scan scan_of(const Geometry& geometry);

struct FbpOptions {
  Window window = Window::ram_lak;
  double cutoff = 1;
};

// Tables for many slices. A sideways detector is widened with empty bins until it is symmetric: its filtered
// views reach beyond the measured bins, and the opposite views need what lies there.
struct FbpPlan {
  Geometry geometry;  // widened where the detector is pushed sideways
  FilterPlan filter;
  int64_t measured_bins, empty_bins_in_front;
};
FbpPlan fbp_plan(const Geometry& geometry, const FbpOptions& options);

// images [slices, rows, columns] = FBP of sinograms [slices, views, bins]. Progress: 2 units per view and
// slice.
void fbp(const Context& context, const Backend& backend, const FbpPlan& plan, int64_t slices, const float* sinograms,
         float* images);

}  // namespace sino
