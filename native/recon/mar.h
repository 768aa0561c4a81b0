// Metal artefact reduction by replacing what was measured behind metal, written once for any backend.
//
// LI. Inside the metal trace every view is interpolated linearly along the detector (W. Kalender, R. Hebel, J.
//   Ebersberger, Radiology 164, 1987). NMAR, in the difference form. From an image with fewer artefacts a prior is
//   made: air, water, and bone as it is (native/ops/tissue.h); its projection P follows the anatomy through the
//   trace, so only the small difference S − P has to be interpolated: S' = P + LI(S − P). The published quotient form
//   P · LI(S/P) blows up where P is small (E. Meyer et al., "Normalized metal artifact reduction (NMAR) in computed
//   tomography", Med. Phys. 37, 2010). The first prior comes from the LI image, each further pass takes it from the
//   pass before.
// Image-only input. There is no measured sinogram, so the clinical image is projected through a virtual scan and only the
//   change is applied: image' = image + FBP(S' − S). What the method leaves alone keeps its sharpness and its values. The
//   metal is replaced by water before the projection: its own contribution to the image is known there, unlike in a measured
//   sinogram, so only the artefacts are left to interpolate. With the metal still in S, the interpolation would take it out of
//   the image together with whatever is dense beside it: black rims around fillings and clips, and holes in a port.
//
// Outside the trace sinograms stay bit for bit what they were. Metal is not put back into images made from sinograms; the
// image-only form puts it back.
#pragma once

#include <cstdint>

#include "native/recon/fbp.h"

namespace sino {

enum class MarMethod { li, nmar };

struct MarOptions {
  MarMethod method = MarMethod::nmar;
  int passes = 1;            // of NMAR
  double mu_water = 0.0192;  // 1/mm
};

// trace [slices, views, bins] = 1 where a ray meets the mask [slices, rows, columns].
void metal_trace(const Context& context, const Backend& backend, const Geometry& geometry, int64_t slices,
                 const uint8_t* masks, uint8_t* trace);
Needs metal_trace_needs();

struct MarSinogramArgs {
  const Geometry& geometry;
  const FbpPlan& plan;
  MarOptions options;
  int64_t slices;
  const float* sinograms;  // measured
  const uint8_t* trace;
  const uint8_t* masks;  // metal in the image; null where only the trace is known
  float* corrected;      // [slices, views, bins]
  float* images;         // 1/mm
  int64_t* full_views;   // views that lay in the trace altogether
};
void reduce_metal_in_sinograms(const Context& context, const Backend& backend, const MarSinogramArgs& args);
Needs metal_in_sinograms_needs();

// NMAR of one slice over the trace of a mask. False where every view lies in that trace: nothing is left to interpolate from.
struct MaskedNmarArgs {
  const Geometry& geometry;
  const FbpPlan& plan;
  double mu_water;
  const float* sinogram;
  const uint8_t* mask;
  uint8_t* trace;
  float *corrected, *image;
};
bool nmar_of_mask(const Context& context, const Backend& backend, const MaskedNmarArgs& args);

struct MarImageArgs {
  const Geometry& geometry;  // of the virtual scan
  const FbpPlan& plan;
  MarOptions options;
  int64_t slices;
  const float* images;     // HU
  const uint8_t* support;  // over-segmented metal: makes the trace
  const uint8_t* metal;    // put back
  float* corrected;        // HU
};
void reduce_metal_in_images(const Context& context, const Backend& backend, const MarImageArgs& args);
Needs metal_in_images_needs();

// The same as calls on arrays of the caller, which a device gets in slabs (native/runtime/slabs.h).
struct MetalTraceArrays {
  const Geometry& geometry;
  int64_t slices;
  const uint8_t* masks;
  uint8_t* trace;
};
inline void arrays(Cut& cut, MetalTraceArrays& a) {
  cut.along(a.slices);
  cut.in(a.masks, a.geometry.grid.pixels());
  cut.out(a.trace, a.geometry.rays());
  cut.working((a.geometry.rays() + a.geometry.grid.pixels()) * 4);
}
inline void arrays(Cut& cut, MarSinogramArgs& a) {
  const int64_t rays = a.geometry.rays(), pixels = a.geometry.grid.pixels();
  cut.along(a.slices);
  cut.finite(a.sinograms, rays, "sinograms");
  cut.in(a.trace, rays);
  cut.in(a.masks, pixels);
  cut.out(a.corrected, rays);
  cut.out(a.images, pixels);
  cut.sum(a.full_views);
  cut.working((rays + 2 * pixels + a.plan.geometry.rays()) * 4);
}
inline void arrays(Cut& cut, MarImageArgs& a) {
  const int64_t rays = a.geometry.rays(), pixels = a.geometry.grid.pixels();
  cut.along(a.slices);
  cut.finite(a.images, pixels, "images");
  cut.in(a.support, pixels);
  cut.in(a.metal, pixels);
  cut.out(a.corrected, pixels);
  cut.working((4 * rays + 4 * pixels + a.plan.geometry.rays()) * 4 + rays);
}

// Work of the two calls in units of one view of one slice, for progress.
int64_t mar_sinogram_work(const MarOptions& options, int64_t slices, int64_t views);
int64_t mar_image_work(const MarOptions& options, int64_t slices, int64_t views);

}  // namespace sino
