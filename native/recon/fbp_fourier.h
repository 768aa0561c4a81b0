// FBP of parallel beams by the Fourier route: views weighted and filtered as fbp.h has it (within the transpose, where their
// transforms are at hand), then spread through Fourier space with the response of linear interpolation, sinc², so that images
// agree with fbp's but for what lies beyond the image's own resolution.
#pragma once

#include <memory>

#include "native/ops/fourier.h"
#include "native/recon/fbp.h"

namespace sino {

// images [slices, rows, columns] from sinograms [slices, views, bins]. Throws unsupported as fourier_plan does. Progress: one
// unit per view and slice.
void fbp_fourier(const Context& context, const Backend& backend, const FbpPlan& plan, int64_t slices,
                 const float* sinograms, float* images);

}  // namespace sino
