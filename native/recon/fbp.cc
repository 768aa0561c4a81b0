#include "native/recon/fbp.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr int64_t kSlicesAtOnce = 16;  // bounds the working copy of the filtered views
constexpr double kOpenGap = 3;         // a gap this many times the usual one is where the scan begins and ends
constexpr double kLeastHole = 0.05;    // radians: holes below it are an uneven list of angles
constexpr double kFarOffset = 0.05;    // of the detector's width: beyond it the detector counts as pushed sideways

double wrapped(double angle, double period) {
  const double a = std::fmod(angle, period);
  return a < 0 ? a + period : a;
}

struct SortedViews {
  std::vector<size_t> order;  // views along the circle, beginning after the widest gap
  std::vector<double> angle;  // unwrapped, increasing, in that order
  double usual_gap, widest_gap;
};

SortedViews sorted_views(const Geometry& g, double period) {
  const size_t n = g.poses.size();
  std::vector<double> angle(n);
  // a hair is added so that 180° − 1e-16 and 0 count as neighbours, not as opposite ends
  for (size_t v = 0; v < n; v++) angle[v] = wrapped(std::atan2(g.poses[v].uy, g.poses[v].ux) + 1e-9, period);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return angle[a] < angle[b]; });
  std::vector<double> gaps(n);
  for (size_t i = 0; i < n; i++)
    gaps[i] = i + 1 < n ? angle[order[i + 1]] - angle[order[i]] : angle[order[0]] + period - angle[order[n - 1]];
  const size_t widest = std::max_element(gaps.begin(), gaps.end()) - gaps.begin();
  std::vector<double> real_gaps;
  for (double gap : gaps)
    if (gap > 1e-7) real_gaps.push_back(gap);
  std::nth_element(real_gaps.begin(), real_gaps.begin() + real_gaps.size() / 2, real_gaps.end());
  SortedViews sorted;
  sorted.usual_gap = real_gaps[real_gaps.size() / 2];
  sorted.widest_gap = gaps[widest];
  for (size_t i = 0; i < n; i++) {
    const size_t at = widest + 1 + i;
    sorted.order.push_back(order[at % n]);
    sorted.angle.push_back(angle[order[at % n]] + (at >= n ? period : 0));
  }
  return sorted;
}

double half_fan(const Geometry& g) {
  const double u = std::max(g.centre, g.bins - 1 - g.centre) * std::fabs(g.pitch);
  return g.beam == Beam::arc ? u : std::atan(u / g.sod);
}

double fan_angle(const Geometry& g, int64_t bin) {
  const double u = (bin - g.centre) * g.pitch;
  return g.beam == Beam::arc ? u : std::atan(u / g.sod);
}

// Weight of a ray at turn `beta` after the first view of a scan over π + 2·delta. Its conjugate lies at beta
// − 2γ + π.
double parker(double beta, double gamma, double delta) {
  const double up = delta + gamma, down = delta - gamma;  // half-widths of the two ramps for this ray
  double s = 1;
  if (beta < 2 * up && up > 0)
    s = std::sin(kPi / 4 * beta / up);
  else if (beta > kPi + 2 * gamma && down > 0)
    s = std::sin(kPi / 4 * (kPi + 2 * delta - beta) / down);
  return s * s;
}

// For a full turn with a sideways detector: 1 for rays seen once, falling smoothly through ½ on the axis.
double offset_weight(const Geometry& g, int64_t bin) {
  const double reach = std::min(g.centre, g.bins - 1 - g.centre);  // bins seen on both sides of the axis
  const double t = (bin - g.centre) * (g.centre < (g.bins - 1) / 2.0 ? 1 : -1);
  if (t >= reach) return 1;
  if (t <= -reach) return 0;
  return 0.5 + 0.5 * std::sin(kPi / 2 * t / reach);
}

bool pushed_sideways(const Geometry& g) {
  return std::fabs(g.centre - (g.bins - 1) / 2.0) > kFarOffset * g.bins && g.centre > 0 && g.centre < g.bins - 1;
}

bool covers_full_turn(const Geometry& g) {
  const SortedViews turn = sorted_views(g, 2 * kPi);
  return g.views() > 2 && turn.widest_gap <= kOpenGap * turn.usual_gap;
}

}  // namespace

Scan scan_of(const Geometry& g) {
  const size_t n = g.poses.size();
  const double period = g.beam == Beam::parallel ? kPi : 2 * kPi;
  Scan scan;
  scan.view_shares.resize(n);
  if (n == 1) {
    scan.coverage = Coverage::limited;
    scan.covered_rad = scan.inner_gap_rad = 0;
    scan.view_shares[0] = period;
    return scan;
  }
  const SortedViews views = sorted_views(g, period);
  const bool closed = views.widest_gap <= kOpenGap * views.usual_gap;
  const double end_gap = closed ? views.widest_gap : views.usual_gap;
  scan.inner_gap_rad = 0;
  for (size_t i = 1; i < n; i++) {
    const double gap = views.angle[i] - views.angle[i - 1];
    if (gap > std::max(kOpenGap * views.usual_gap, kLeastHole)) scan.inner_gap_rad = std::max(scan.inner_gap_rad, gap);
  }
  for (size_t i = 0; i < n; i++) {
    const double before = i == 0 ? end_gap : views.angle[i] - views.angle[i - 1];
    const double after = i + 1 == n ? end_gap : views.angle[i + 1] - views.angle[i];
    scan.view_shares[views.order[i]] = (before + after) / 2;
  }
  scan.covered_rad = std::min(period, std::accumulate(scan.view_shares.begin(), scan.view_shares.end(), 0.0));
  if (g.beam == Beam::parallel)
    scan.coverage = !closed ? Coverage::limited : covers_full_turn(g) ? Coverage::full : Coverage::half;
  else if (closed)
    scan.coverage = Coverage::full;
  else  // one view may be missing at the end of a list made for π + fan angle
    scan.coverage =
        scan.covered_rad + views.usual_gap >= kPi + 2 * half_fan(g) ? Coverage::short_scan : Coverage::limited;
  return scan;
}

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

void fbp(const Context& context, const Backend& backend, const FbpPlan& plan, int64_t slices, const float* sinograms,
         float* images) {
  const Geometry& g = plan.geometry;
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
    backend.backproject(context, {g, count, filtered.data(), images + s * g.grid.pixels()});
  }
}

}  // namespace sino
