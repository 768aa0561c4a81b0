// FBP of fans by way of parallel views (native/ops/rebin.h): half as many views, and the parallel beam's faster kernels, for
// a second interpolation, which costs a smooth phantom 0.3 to 2 dB of more than 100 (bench/ops/accuracy.bench.ts).
//
//   full turn    half as many parallel views, both readings of each ray averaged
//   short scan   as many as the fan's step fits into 180°, readings weighted by Parker
//   less, or unevenly spaced views: unsupported
// The parallel detector has the fan's pitch on the axis and its rays meet the fan's in the middle.
#pragma once

#include "native/ops/rebin.h"
#include "native/recon/fbp.h"

namespace sino {

// The parallel scan that a fan is rebinned to: views at first_rad + i·step_rad.
struct ParallelScan {
  Geometry geometry;
  double first_rad, step_rad;
};
// Throws unsupported for parallel beams, incomplete scans and unevenly spaced views.
ParallelScan parallel_scan_of(const Geometry& fan);
RebinPlan rebin_plan_of(const Geometry& fan);

struct RebinnedPlan {
  RebinPlan rebin;
  FbpPlan fbp;  // of the parallel views
};
RebinnedPlan rebinned_plan(const Geometry& fan, const FbpOptions& options);

// images [slices, rows, columns] from sinograms [slices, views, bins]. Progress: 3 units per parallel view and slice.
void fbp_rebinned(const Context& context, const Backend& backend, const RebinnedPlan& plan, int64_t slices,
                  const float* sinograms, float* images);
Needs fbp_rebinned_needs();

}  // namespace sino
