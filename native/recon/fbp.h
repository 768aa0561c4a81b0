// Filtered back-projection, written once for any backend: weights and filter (ramp) and weighted
// back-projection. What the scan is, and what each ray counts, is read off the angles (scan.h).
#pragma once

#include <cstdint>
#include <memory>

#include "native/backend/needs.h"
#include "native/geometry/geometry.h"
#include "native/recon/scan.h"
#include "native/runtime/prepared.h"

namespace sino {

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
  std::shared_ptr<Prepared> prepared = std::make_shared<Prepared>();  // the devices' own tables
};
FbpPlan fbp_plan(const Geometry& geometry, const FbpOptions& options);

// images [slices, rows, columns] = FBP of sinograms [slices, views, bins]. Progress: 2 units per view and
// slice.
void fbp(const Context& context, const Backend& backend, const FbpPlan& plan, int64_t slices, const float* sinograms,
         float* images);
Needs fbp_needs();

}  // namespace sino
