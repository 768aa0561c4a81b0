#include "native/recon/fbp_rebinned.h"

#include <algorithm>
#include <cmath>

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kUneven = 0.01;  // of a step: what a view may stand aside from its place

// Evenly spaced places on the circle, and which view stands at each.
struct EvenViews {
  std::vector<size_t> order;
  double first_rad, step_rad;
  bool closed;  // a full turn
};

EvenViews even_views(const Geometry& g) {
  require(g.beam != Beam::parallel, Code::unsupported,
          "Rebinning turns fans into parallel views, but the geometry is a parallel beam; use route \"direct\".");
  const Coverage coverage = scan_of(g).coverage;
  require(coverage == Coverage::full || coverage == Coverage::short_scan, Code::unsupported,
          "Rebinning needs a full turn, or a short scan of 180 degrees plus the fan; use route \"direct\".");
  const bool closed = coverage == Coverage::full;
  const SortedViews views = sorted_views(g, 2 * kPi);
  const int64_t n = g.views();
  const double step = closed ? 2 * kPi / n : (views.angle.back() - views.angle.front()) / (n - 1);
  double worst = 0;
  for (int64_t i = 0; i < n; i++) worst = std::max(worst, std::fabs(views.angle[i] - views.angle[0] - i * step) / step);
  if (worst > kUneven)
    throw Error(Code::unsupported,
                "Rebinning interpolates between evenly spaced views, but one of these stands " + std::to_string(worst) +
                    " of a step beside its place; use route \"direct\".",
                {{"steps", worst}});
  return {views.order, views.angle[0], step, closed};
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

// w of the first reading of every ray in a short scan: Parker's, and 0 where it was not measured.
std::vector<float> short_scan_shares(const Geometry& fan, const EvenViews& even, const ParallelScan& scan) {
  const Geometry& parallel = scan.geometry;
  const double last = (fan.views() - 1) * even.step_rad, delta = (last - kPi) / 2;
  std::vector<float> shares(parallel.rays());
  for (int64_t j = 0; j < parallel.bins; j++) {
    const double angle = rebin_angle(fan, (j - parallel.centre) * parallel.pitch);
    for (int64_t i = 0; i < parallel.views(); i++) {
      const double turn = scan.first_rad + i * even.step_rad + angle - even.first_rad;
      if (turn >= -even.step_rad && turn <= last + even.step_rad)
        shares[i * parallel.bins + j] = static_cast<float>(parker(std::clamp(turn, 0.0, last), angle, delta));
    }
  }
  return shares;
}

ParallelScan parallel_scan(const Geometry& fan, const EvenViews& even) {
  ParallelScan scan;
  Geometry& parallel = scan.geometry;
  parallel.grid = fan.grid;
  set_detector(fan, even.closed, parallel);
  // In a short scan every ray measured twice is then measured by a view φ in the first 180° and by φ + 180°.
  scan.first_rad = even.closed ? even.first_rad : even.first_rad - half_fan(fan);
  scan.step_rad = even.step_rad;
  const int64_t views =
      even.closed ? (fan.views() + 1) / 2 : static_cast<int64_t>(std::ceil(kPi / even.step_rad - 1e-6));
  for (int64_t i = 0; i < views; i++) {
    const double angle = scan.first_rad + i * scan.step_rad;
    parallel.poses.push_back({std::cos(angle), std::sin(angle)});
  }
  return scan;
}

}  // namespace

ParallelScan parallel_scan_of(const Geometry& fan) { return parallel_scan(fan, even_views(fan)); }

RebinPlan rebin_plan_of(const Geometry& fan) {
  const EvenViews even = even_views(fan);
  const ParallelScan scan = parallel_scan(fan, even);
  const Geometry& parallel = scan.geometry;
  std::vector<float> shares;
  if (!even.closed) shares = short_scan_shares(fan, even, scan);
  for (int64_t j = 0; j < parallel.bins && even.closed; j++)
    shares.push_back(full_turn_share(fan, (j - parallel.centre) * parallel.pitch));
  return rebin_plan(
      {fan, parallel, even.order, even.first_rad, even.step_rad, scan.first_rad, even.closed, std::move(shares)});
}

RebinnedPlan rebinned_plan(const Geometry& fan, const FbpOptions& options) {
  return {rebin_plan_of(fan), fbp_plan(parallel_scan_of(fan).geometry, options)};
}

Needs fbp_rebinned_needs() { return Needs(&Backend::rebin) + fbp_needs(); }

void fbp_rebinned(const Context& context, const Backend& backend, const RebinnedPlan& plan, int64_t slices,
                  const float* sinograms, float* images) {
  const Geometry& g = plan.fbp.geometry;
  const int64_t at_once = context.batch(slices);
  Scratch<float> parallel = context.scratch<float>(at_once * g.rays());
  for (int64_t s = 0; s < slices; s += at_once) {
    const int64_t count = std::min(at_once, slices - s);
    backend.rebin(context, {plan.rebin, count, sinograms + s * plan.rebin.views * plan.rebin.bins, parallel.data()});
    fbp(context, backend, plan.fbp, count, parallel.data(), images + s * g.grid.pixels());
  }
}

}  // namespace sino
