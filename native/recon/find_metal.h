// Where the metal is in measured sinograms, when nobody says it.
//
// Threshold. Metal is what reaches max(3000 HU, 0.4 of the 95th percentile of what exceeds 3000 HU) in the uncorrected image, per connected
//   part where that is metal by itself (metal_mask of native/ops/robust.h).
// Hull. Amalgam and gold absorb nearly all of the beam; their streaks are metal by any threshold, and beside them parts of the metal itself
//   are not. Their trace is plain, though: NMAR over a generous trace says what the rays would be without metal, and what a ray has beyond
//   that is metal if it is at least 1, however wrong its value. A pixel is metal where all rays through it but a few see metal, which no
//   streak achieves: the visual hull (A. Laurentini, IEEE TPAMI 16, 1994), the largest metal with that trace. Rays next to such rays count,
//   too, for a bin is as wide as a pixel. NMAR over that hull says better what rays would be, so that 0.05 beyond it is metal and no
//   neighbour counts: what is carved once more has 1.05 times the rays of the metal at most, where before gaps between parts closed.
//   What such metal had drowned, a weak metal beside it, is found by threshold in the image of NMAR over the hull, where its rays that miss
//   the hull see metal, too: there are streaks even there.
//   Only for metal that starves half of its rays, to e^-5.5; or that the uncorrected image shows with 40000 HU and that takes e^2.5 of one
//   ray in ten. Of copper the threshold is exact as it is, and its thin parts do not reach 1.
#pragma once

#include <cstdint>

#include "native/recon/mar.h"

namespace sino {

struct FindMetalArgs {
  const Geometry& geometry;
  const FbpPlan& plan;
  double mu_water;
  int64_t slices;
  const float* sinograms;
  uint8_t* masks;
};
inline void arrays(Cut& cut, FindMetalArgs& a) {
  const int64_t rays = a.geometry.rays(), pixels = a.geometry.grid.pixels();
  cut.along(a.slices);
  cut.finite(a.sinograms, rays, "sinograms");
  cut.out(a.masks, pixels);
  cut.working((5 * rays + 7 * pixels + a.plan.geometry.rays()) * 4);
}
void find_metal(const Context& context, const Backend& backend, const FindMetalArgs& args);
Needs find_metal_needs();

// The metal of one slice. Returns the threshold in the uncorrected image, HU.
double find_metal_of_slice(const Context& context, const Backend& backend, const FindMetalArgs& args,
                           const float* sinogram, uint8_t* mask);

}  // namespace sino
