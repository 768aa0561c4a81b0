#include "native/recon/fbp_rebinned.h"

#include <algorithm>
#include <cmath>

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kUneven = 0.01;       // of a step: what a view may stand aside from its place
constexpr int64_t kSlicesAtOnce = 16;  // bounds the copy of the parallel views

// Evenly spaced places on the circle, and which view stands at each.
struct EvenViews {
  std::vector<size_t> order;
  double first_rad, step_rad;
};

EvenViews even_views(const Geometry& g, bool closed) {
  const SortedViews views = sorted_views(g, 2 * kPi);
  const int64_t n = g.views();
  const double step = closed ? 2 * kPi / n : (views.angle.back() - views.angle.front()) / (n - 1);
  double worst = 0;
  for (int64_t i = 0; i < n; i++) worst = std::max(worst, std::fabs(views.angle[i] - views.angle[0] - i * step) / step);
  if (worst > kUneven)
    throw Error(Code::unsupported,
                "Route \"rebinned\" interpolates between evenly spaced views, but one of these stands " +
                    std::to_string(worst) + " of a step beside its place; use route \"direct\".",
                {{"steps", worst}});
  return {views.order, views.angle[0], step};
}

// The parallel detector: the fan's pitch, and a bin wherever the fan has one near the axis, as far as rays reach.
void set_detector(const Geometry& fan, bool closed, Geometry& parallel) {
  const double ends[2] = {fan.sod * std::sin(fan_angle(fan, -0.5)), fan.sod * std::sin(fan_angle(fan, fan.bins - 0.5))};
  double low = std::min(ends[0], ends[1]), high = std::max(ends[0], ends[1]);
  if (closed) high = std::max(high, -low), low = -high;  // the opposite view sees what one does not
  parallel.pitch = std::fabs(fan.pitch) * (fan.beam == Beam::arc ? fan.sod : 1);
  const double aligned = fan.pitch > 0 ? fan.centre : fan.bins - 1 - fan.centre;
  const double fraction = aligned - std::floor(aligned);
  const double front = std::floor(-low / parallel.pitch - fraction + 1e-9);  // whole bins before the one at −fraction
  parallel.centre = front + fraction;
  parallel.bins =
      std::max<int64_t>(1, static_cast<int64_t>(std::floor(high / parallel.pitch + parallel.centre + 1e-9)) + 1);
}

bool measured(const Geometry& fan, double place) { return place >= -0.5 - 1e-6 && place <= fan.bins - 0.5 + 1e-6; }

// What the first reading of the rays at t counts in a full turn.
float full_turn_share(const Geometry& fan, double t) {
  const double place = rebin_place(fan, rebin_angle(fan, t)), other = rebin_place(fan, rebin_angle(fan, -t));
  if (!measured(fan, other)) return 1;
  if (!measured(fan, place)) return 0;
  return pushed_sideways(fan) ? static_cast<float>(offset_weight(fan, place)) : 0.5f;
}

}  // namespace

Rebinning rebinning_of(const Geometry& fan) {
  require(
      fan.beam != Beam::parallel, Code::unsupported,
      "Route \"rebinned\" turns fans into parallel views, but the geometry is a parallel beam; use route \"direct\".");
  const Scan scan = scan_of(fan);
  const bool closed = scan.coverage == Coverage::full;
  require(closed || scan.coverage == Coverage::short_scan, Code::unsupported,
          "Route \"rebinned\" needs a full turn or a short scan of 180 degrees plus the fan; use route \"direct\".");
  const EvenViews even = even_views(fan, closed);

  Rebinning result;
  Geometry& parallel = result.parallel;
  parallel.grid = fan.grid;
  set_detector(fan, closed, parallel);
  // In a short scan every ray measured twice is then measured by a view φ in the first 180° and by φ + 180°.
  const double first = closed ? even.first_rad : even.first_rad - half_fan(fan);
  const int64_t views = closed ? (fan.views() + 1) / 2 : static_cast<int64_t>(std::ceil(kPi / even.step_rad - 1e-6));
  for (int64_t i = 0; i < views; i++)
    parallel.poses.push_back({std::cos(first + i * even.step_rad), std::sin(first + i * even.step_rad)});

  std::vector<float> shares(closed ? parallel.bins : parallel.rays());
  const double last = (fan.views() - 1) * even.step_rad, delta = (last - kPi) / 2;
  for (int64_t j = 0; j < parallel.bins; j++) {
    const double t = (j - parallel.centre) * parallel.pitch, angle = rebin_angle(fan, t);
    if (closed) shares[j] = full_turn_share(fan, t);
    for (int64_t i = 0; i < views && !closed; i++) {
      const double turn = first + i * even.step_rad + angle - even.first_rad;
      const bool seen = turn >= -even.step_rad && turn <= last + even.step_rad;
      shares[i * parallel.bins + j] =
          seen ? static_cast<float>(parker(std::clamp(turn, 0.0, last), angle, delta)) : 0.0f;
    }
  }
  result.plan =
      rebin_plan({fan, parallel, even.order, even.first_rad, even.step_rad, first, closed, std::move(shares)});
  return result;
}

RebinnedPlan rebinned_plan(const Geometry& fan, const FbpOptions& options) {
  Rebinning rebinning = rebinning_of(fan);
  return {std::move(rebinning.plan), fbp_plan(rebinning.parallel, options)};
}

void fbp_rebinned(const Context& context, const Backend& backend, const RebinnedPlan& plan, int64_t slices,
                  const float* sinograms, float* images) {
  const Geometry& g = plan.fbp.geometry;
  Scratch<float> parallel = context.scratch<float>(std::min(slices, kSlicesAtOnce) * g.rays());
  for (int64_t s = 0; s < slices; s += kSlicesAtOnce) {
    const int64_t count = std::min(kSlicesAtOnce, slices - s);
    backend.rebin(context, {plan.rebin, count, sinograms + s * plan.rebin.views * plan.rebin.bins, parallel.data()});
    fbp(context, backend, plan.fbp, count, parallel.data(), images + s * g.grid.pixels());
  }
}

}  // namespace sino
