// Patch2Self: every volume of a diffusion scan as the linear regression of all others predicts it. Noise that is independent from
// volume to volume cannot be predicted and goes; what they share stays. S. Fadnavis, J. Batson, E. Garyfallidis, "Patch2Self: Denoising
// diffusion MRI with self-supervised learning", NeurIPS 2020.
//
// The n regressions, each leaving out one volume, come from one matrix: with C the covariance of the volumes and Θ = C⁻¹, the residual of
// volume j is Σ_i Θ_ji·(x_i − mean_i)/Θ_jj. So: one covariance, one inverse, one product, where the usual way solves n least-squares
// problems.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "native/backend/needs.h"

namespace sino {

struct Patch2SelfArgs {
  int64_t volumes, voxels;
  const float* input;    // [volumes, voxels]
  const uint8_t* where;  // voxels that the regression learns from; null: all
  // Volumes that predict each other, by number: at least two a group; volumes in none are copied.
  std::vector<std::vector<int64_t>> groups;
  float* output;  // not the input
};

// A device gets it at once: every volume is predicted from all others.
inline void arrays(Cut& cut, Patch2SelfArgs& a) {
  size_t largest = 0;
  for (const std::vector<int64_t>& group : a.groups) largest = std::max(largest, group.size());
  cut.at_once();
  cut.finite(a.input, a.volumes * a.voxels, "dwi");
  cut.in(a.where, a.voxels);
  cut.out(a.output, a.volumes * a.voxels);
  cut.working(2 * int64_t(largest) * a.voxels * int64_t(sizeof(float)));
}

void patch2self(const Context& context, const Backend& backend, const Patch2SelfArgs& args);
Needs patch2self_needs();

}  // namespace sino
