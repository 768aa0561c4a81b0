// What the angles of a geometry amount to, read off the angles themselves, in any order.
//
// Each view gets the share of the circle that it stands for (half the gap to either neighbour), so uneven lists
// reconstruct quantitatively. Rays measured more than once are shared:
//   parallel          angles count modulo 180°, so the two halves of a full turn share by themselves
//   fan, full turn    every ray twice: weight ½
//   fan, short scan   at least 180° + fan angle: Parker's weights, stretched over the overscan (Parker 1982,
//   Silver 2000) less than that    limited: every ray counts fully, and the caller is told full turn with a
//   detector pushed far sideways: smooth weights over the part seen twice (G. Wang, Med. Phys. 29, 2002)
#pragma once

#include <cstdint>
#include <vector>

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

struct SortedViews {
  std::vector<size_t> order;  // views along the circle, beginning after the widest gap
  std::vector<double> angle;  // unwrapped, increasing, in that order
  double usual_gap, widest_gap;
};
SortedViews sorted_views(const Geometry& geometry, double period);

// The widest angle of a ray to the central one, and that of a bin's ray, radians; fans only.
double half_fan(const Geometry& geometry);
double fan_angle(const Geometry& geometry, double bin);

// Weight of a ray at turn `beta` after the first view of a scan over π + 2·delta. Its conjugate lies at beta
// − 2γ + π.
double parker(double beta, double gamma, double delta);

// A full turn with a detector pushed sideways: 1 for rays seen once, falling smoothly through ½ on the axis.
bool pushed_sideways(const Geometry& geometry);
double offset_weight(const Geometry& geometry, double bin);

}  // namespace sino
