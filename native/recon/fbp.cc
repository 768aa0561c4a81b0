#include "native/recon/fbp.h"

#include <algorithm>
#include <cmath>

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr int64_t kFloat = sizeof(float);

}  // namespace

FbpPlan fbp_plan(const Geometry& measured, const FbpOptions& options) {
  const Scan scan = scan_of(measured);
  const bool sideways = scan.coverage == Coverage::full && pushed_sideways(measured);
  FbpPlan plan;
  plan.geometry = measured;
  plan.measured_bins = measured.bins;
  plan.empty_bins_in_front = 0;
  if (sideways) {
    const int64_t missing = std::llround(std::ceil(std::fabs(measured.bins - 1 - 2 * measured.centre)));
    if (measured.centre < (measured.bins - 1) / 2.0) plan.empty_bins_in_front = missing;
    plan.geometry.bins += missing;
    plan.geometry.centre += plan.empty_bins_in_front;
  }
  const Geometry& g = plan.geometry;
  FilterPlan& filter = plan.filter;
  filter.bins = g.bins;
  filter.views = g.views();
  filter.response = ramp_response(g.bins, options.window, options.cutoff, g.beam == Beam::arc ? std::fabs(g.pitch) : 0);
  filter.length = static_cast<int64_t>(filter.response.size());
  const double unit = std::fabs(g.pitch) * (g.beam == Beam::arc ? g.sod : 1);
  const double twice = g.beam != Beam::parallel && scan.coverage == Coverage::full ? 0.5 : 1;
  filter.view_weights.resize(g.views());
  for (int64_t v = 0; v < g.views(); v++)
    filter.view_weights[v] = static_cast<float>(scan.view_shares[v] * twice / unit);

  if (g.beam != Beam::parallel || sideways) {
    filter.ray_weights.resize(g.bins, 1.0f);
    for (int64_t k = 0; k < g.bins; k++) {
      const double cosine = g.beam == Beam::parallel ? 1 : std::cos(fan_angle(g, k));
      const double share = sideways ? 2 * offset_weight(measured, k - plan.empty_bins_in_front) : 1;
      filter.ray_weights[k] = static_cast<float>(cosine * share);
    }
  }
  if (scan.coverage == Coverage::short_scan) {
    const SortedViews views = sorted_views(g, 2 * kPi);
    const double delta = (views.angle.back() - views.angle.front() - kPi) / 2;
    std::vector<float> weights(g.rays());
    for (size_t i = 0; i < views.order.size(); i++)
      for (int64_t k = 0; k < g.bins; k++)
        weights[views.order[i] * g.bins + k] = static_cast<float>(
            filter.ray_weights[k] * parker(views.angle[i] - views.angle.front(), fan_angle(g, k), delta));
    filter.ray_weights = std::move(weights);
    filter.weights_per_view = true;
  }
  return plan;
}

Needs fbp_needs() { return Needs(&Backend::ramp_filter, &Backend::backproject); }

void fbp(const Context& context, const Backend& backend, const FbpPlan& plan, int64_t slices, const float* sinograms,
         float* images) {
  const Geometry& g = plan.geometry;
  const int64_t measured_rays = g.views() * plan.measured_bins, at_once = context.batch(slices);
  Scratch<float> filtered = context.scratch<float>(at_once * g.rays());
  for (int64_t s = 0; s < slices; s += at_once) {
    const int64_t count = std::min(at_once, slices - s);
    const float* source = sinograms + s * measured_rays;
    if (plan.measured_bins != g.bins) {
      context.fill_zero(filtered.data(), count * g.rays() * kFloat);
      context.copy_rows(filtered.data() + plan.empty_bins_in_front, g.bins * kFloat, source,
                        plan.measured_bins * kFloat, plan.measured_bins * kFloat, count * g.views());
      source = filtered.data();
    }
    backend.ramp_filter(context, {plan.filter, count, source, filtered.data(), plan.prepared.get()});
    backend.backproject(context, {g, count, filtered.data(), images + s * g.grid.pixels(), plan.prepared.get()});
  }
}

}  // namespace sino
