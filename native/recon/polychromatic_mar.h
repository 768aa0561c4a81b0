// Metal artefact reduction that uses what was measured behind metal: the physics of the measurement inverted ray by ray, for the
// metal first and then for the tissue. Written once for any backend.
//
// 1. NMAR (native/recon/mar.h) on the trace of a mask, given or found by threshold; its sinogram is a first idea of the tissue: Q, the
//    tissue's path per ray, and its image one of bone, B.
// 2. Metal from tissue. With Q known every ray of the trace is solved for the metal's path (native/ops/inversion.h), and the metal's
//    image is reconstructed from those: FBP inside a box around it, refined twice, zero outside the support. Its level says the
//    density, its half level the outline, finer than a pixel. Of several materials the one that explains the rays best is taken,
//    with densities far from the nominal one counting against it. That image is too thin where rays lie partly in metal, for they
//    see the mean of intensities; so outline and level are mended: what the tissue's rays then lack (step 3, D), reconstructed as
//    metal, is added to the image, for as long as that leaves less of the rays unexplained.
// 3. Tissue from metal. With the metal's path known the same rays are solved for the tissue. What comes out is calibrated (a
//    polynomial of the metal's path takes up what spectrum, alloy and scatter do alike to all rays), weighed by how much it can be
//    trusted (native/ops/trust.h), and spread from trusted rays to the others by a cascade of Gaussians over views and bins.
//    All rays, also beside the metal, become monochromatic with the bone path: no beam hardening is left.
// 4. Again, with Q and B projected from the new image. Then FBP refinements x ← max(x + FBP(P − A·x), 0), which give back the
//    sharpness that interpolation in FBP costs, as many as the noise allows.
// 5. Guard. Signals that need no truth say how much of the result is taken; the rest is NMAR of the same mask, and where nothing is
//    taken it is NMAR alone.
//
// Subray only: leaks of the detector (native/ops/leak.h) are found from the trace and taken back while metal and tissue are solved,
// and the two pixels beside the metal are NMAR's, which such leaks do not brighten.
//
// Edge models. div4: the field's simulated pairs, where rays that graze a pixel mask have a quarter of their path. subray: a physical
// one, several rays per bin through an outline finer than the pixels, intensities averaged. automatic: both, and the one that
// leaves the smaller residual in the trace (on data made with one of them the other leaves five times as much); div4 only if its
// image is the calmer one, too.
// Each has a beam of its own: the field counts photons, detectors of scanners weigh them by their energy, which is a harder spectrum.
#pragma once

#include <cstdint>
#include <vector>

#include "native/recon/mar.h"

namespace sino {

enum class EdgeRays { automatic, div4, subray };
enum class Verdict { none, nmar, blend, full };

struct MetalCandidate {
  std::vector<float> ratios;  // per energy
  double attenuation;         // nominal, 1/mm at the reference energy
  double tolerance;           // of the density: 0 = known, else clipped to nominal·(1 ± tolerance)
};

// Spectrum, sum 1, and the polynomial of p that made the sinogram linear in water.
struct Spectrum {
  std::vector<float> weights;
  std::vector<double> water_correction;
};

struct PolychromaticMarOptions {
  EdgeRays edge = EdgeRays::automatic;
  bool guarded = true;
  int iterations = 0, refinements = -1;                   // 0: three; −1: by photons
  double photons = 2e7, scatter = 20;                     // per ray without an object; counted by every ray
  double mu_water = 0.0192, low = 0.02112, high = 0.048;  // 1/mm; tissue is water below low, bone above high
  Spectrum beam, scanner;                                 // scanner: subray's where edge is automatic
  std::vector<float> water, bone;                         // attenuation ratios, per energy of the beams
  std::vector<MetalCandidate> candidates;
};

// What is said of a slice; as doubles in this order where verdicts are handed out.
struct SliceVerdict {
  double verdict, edge, material;  // of Verdict and EdgeRays; index of the candidate
  double density;                  // over the nominal one, as the rays say
  double residual, calibration, roughness;
  double metal_pixels, threshold_hu;
  double share;  // of the inversion; the rest is NMAR
};
constexpr int kVerdictNumbers = sizeof(SliceVerdict) / sizeof(double);

struct PolychromaticMarArgs {
  const Geometry& geometry;
  const FbpPlan& plan;
  const PolychromaticMarOptions& options;
  int64_t slices;
  const float* sinograms;
  const uint8_t* masks;    // null: found
  float* images;           // 1/mm
  uint8_t* metal;          // where metal was taken to be in the end
  SliceVerdict* verdicts;  // of all slices of the call, the host's
  int64_t first = 0;       // of these slices among them
};
void polychromatic_mar(const Context& context, const Backend& backend, const PolychromaticMarArgs& args);
Needs polychromatic_mar_needs();

// A device gets the slices in slabs (native/runtime/slabs.h). Slices are worked on one after the other: one needs some
// 26 arrays of rays and 12 of images beside those of the call.
inline void arrays(Cut& cut, PolychromaticMarArgs& a) {
  const int64_t rays = a.geometry.rays(), pixels = a.geometry.grid.pixels();
  cut.along(a.slices);
  cut.position(a.first);
  cut.finite(a.sinograms, rays, "sinograms");
  cut.in(a.masks, pixels);
  cut.out(a.images, pixels);
  cut.out(a.metal, pixels);
  cut.working((26 * rays + 12 * pixels) * 4);
}

// Units of progress: one per slice.

}  // namespace sino
