#include "native/recon/fbp_fourier.h"

#include <algorithm>
#include <cmath>

namespace sino {

namespace {
constexpr int64_t kSlicesAtOnce = 16;  // bounds the working copy of the filtered views
}

void fbp_fourier(const Context& context, const Backend& backend, const FbpPlan& plan, int64_t slices,
                 const float* sinograms, float* images) {
  const Geometry& g = plan.geometry;
  // the transpose integrates over pixels and bins; back-projection samples
  const double scale = std::fabs(g.pitch) / (g.grid.dx * g.grid.dy);
  const auto fourier = fourier_plan(g, {Apodisation::linear, scale});
  const int64_t measured_rays = g.views() * plan.measured_bins;
  Scratch<float> filtered = context.scratch<float>(std::min(slices, kSlicesAtOnce) * g.rays());
  for (int64_t s = 0; s < slices; s += kSlicesAtOnce) {
    const int64_t count = std::min(kSlicesAtOnce, slices - s);
    const float* source = sinograms + s * measured_rays;
    if (plan.measured_bins != g.bins) {
      std::fill_n(filtered.data(), count * g.rays(), 0.0f);
      for (int64_t row = 0; row < count * g.views(); row++)
        std::copy_n(source + row * plan.measured_bins, plan.measured_bins,
                    filtered.data() + row * g.bins + plan.empty_bins_in_front);
      source = filtered.data();
    }
    backend.ramp_filter(context, {plan.filter, count, source, filtered.data()});
    backend.fourier_transpose(context, {*fourier, count, filtered.data(), images + s * g.grid.pixels()});
  }
}

}  // namespace sino
