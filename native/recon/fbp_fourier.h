// FBP of parallel beams by the Fourier route: views weighted and filtered as fbp.h has it (within the transpose, where their
// transforms are at hand), then spread through Fourier space with the response of linear interpolation, sinc², so that images
// agree with fbp's but for what lies beyond the image's own resolution.
#pragma once

#include <memory>

#include "native/ops/fourier.h"
#include "native/recon/fbp.h"

namespace sino {

// What fourier_transpose reconstructs with: images [slices, rows, columns] from sinograms [slices, views, bins] as measured.
// Throws unsupported as fourier_plan does.
std::shared_ptr<const FourierPlan> fbp_fourier_plan(const FbpPlan& plan);

}  // namespace sino
