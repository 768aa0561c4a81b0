// A step of metal artefact reduction by diffusion, all of it but the network, one slice, written once for any backend: on a device the
// images and sinograms of a step go there once, and the image that the network sees next comes back.
//
//   x̂0 = clamp(p·x + q·m, low, high)        the clean image that the sample x and what the network said, m, amount to
//   P  = projection of x̂0 in 1/mm
//   where a known image is given:  s = clamp((0.06 − rms(T − P beside the trace))/0.04, 0, 1);
//   x̂0 ← s·x̂0 + (1 − s)·known, P ← s·P + (1 − s)·known's projection: as far as it explains the rays beside the metal
//   S' = P + LI(T − P) in the trace, or P itself;  S' ← trust·T + (1 − trust)·S' where trust is given
//   X_s = anchor + FBP(S' − T), then so many times X_s ← max(0, X_s + FBP(S' − projection of X_s))
//   y  = dual_domain_step of x̂0, X_s, measured and base (native/ops/sampling_step.h)
#pragma once

#include <cstdint>

#include "native/backend/needs.h"
#include "native/recon/plan.h"

namespace sino {

struct DiffusionStepArgs {
  Plan& plan;
  bool fourier_projection = false;
  enum class Fbp { direct, fourier, rebinned } fbp = Fbp::direct;
  double from_sample = 0, from_output = 1;  // p, q
  double scale = 1, shift = 0;              // x = scale·µ + shift
  bool replaces = false;                    // S' = P in the trace
  int refinements = 0;
  DualDomainStepArgs fusion{};  // its numbers and its noise; arrays are these:
  const float *sample = nullptr, *said = nullptr;
  const float *target = nullptr, *anchor = nullptr;  // T [view, bin] and the image that belongs to it, 1/mm
  const uint8_t* trace = nullptr;
  const float* trust = nullptr;                         // [view, bin] or null
  const float *known = nullptr, *known_rays = nullptr;  // image as x, and its projection, or null
  const uint8_t* beside = nullptr;                      // [view, bin] where the known image is given
  const float *measured = nullptr, *base = nullptr;     // of the fusion
  float* output = nullptr;                              // y; may be the sample
  // Of the host: how many values of x̂0 as the network has it, and of y, are not finite.
  int64_t *clean_bad = nullptr, *bad = nullptr;
};
inline void arrays(Cut& cut, DiffusionStepArgs& a) {
  const int64_t rays = a.plan.geometry.rays(), pixels = a.plan.geometry.grid.pixels();
  cut.at_once();
  for (const float** image : {&a.sample, &a.said, &a.anchor, &a.known, &a.measured, &a.base}) cut.in(*image, pixels);
  for (const float** sinogram : {&a.target, &a.trust, &a.known_rays}) cut.in(*sinogram, rays);
  cut.in(a.trace, rays);
  cut.in(a.beside, rays);
  cut.out(a.output, pixels);
  cut.working((4 * rays + 4 * pixels) * 4);
}
void diffusion_step(const Context& context, const Backend& backend, const DiffusionStepArgs& args);
Needs diffusion_step_needs(const DiffusionStepArgs& args);

}  // namespace sino
