#include "native/recon/fbp_fourier.h"

#include <cmath>

namespace sino {

std::shared_ptr<const FourierPlan> fbp_fourier_plan(const FbpPlan& plan) {
  const Geometry& g = plan.geometry;
  // the transpose integrates over pixels and bins; back-projection samples
  const double scale = std::fabs(g.pitch) / (g.grid.dx * g.grid.dy);
  return fourier_plan(g, {Apodisation::linear, scale, &plan.filter, plan.measured_bins, plan.empty_bins_in_front});
}

}  // namespace sino
