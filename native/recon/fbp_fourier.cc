#include "native/recon/fbp_fourier.h"

#include <cmath>

namespace sino {

void fbp_fourier(const Context& context, const Backend& backend, const FbpPlan& plan, int64_t slices,
                 const float* sinograms, float* images) {
  const Geometry& g = plan.geometry;
  // the transpose integrates over pixels and bins; back-projection samples
  const double scale = std::fabs(g.pitch) / (g.grid.dx * g.grid.dy);
  const auto fourier =
      fourier_plan(g, {Apodisation::linear, scale, &plan.filter, plan.measured_bins, plan.empty_bins_in_front});
  backend.fourier_transpose(context, {*fourier, slices, sinograms, images});
}

}  // namespace sino
