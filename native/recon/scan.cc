#include "native/recon/scan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kOpenGap = 3;       // a gap this many times the usual one is where the scan begins and ends
constexpr double kLeastHole = 0.05;  // radians: holes below it are an uneven list of angles
constexpr double kFarOffset = 0.05;  // of the detector's width: beyond it the detector counts as pushed sideways

double wrapped(double angle, double period) {
  const double a = std::fmod(angle, period);
  return a < 0 ? a + period : a;
}

bool covers_full_turn(const Geometry& g) {
  const SortedViews turn = sorted_views(g, 2 * kPi);
  return g.views() > 2 && turn.widest_gap <= kOpenGap * turn.usual_gap;
}

}  // namespace

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

double fan_angle(const Geometry& g, double bin) {
  const double u = (bin - g.centre) * g.pitch;
  return g.beam == Beam::arc ? u : std::atan(u / g.sod);
}

double parker(double beta, double gamma, double delta) {
  const double up = delta + gamma, down = delta - gamma;  // half-widths of the two ramps for this ray
  double s = 1;
  if (beta < 2 * up && up > 0)
    s = std::sin(kPi / 4 * beta / up);
  else if (beta > kPi + 2 * gamma && down > 0)
    s = std::sin(kPi / 4 * (kPi + 2 * delta - beta) / down);
  return s * s;
}

double offset_weight(const Geometry& g, double bin) {
  const double reach = std::min(g.centre, g.bins - 1 - g.centre);  // bins seen on both sides of the axis
  const double t = (bin - g.centre) * (g.centre < (g.bins - 1) / 2.0 ? 1 : -1);
  if (t >= reach) return 1;
  if (t <= -reach) return 0;
  return 0.5 + 0.5 * std::sin(kPi / 2 * t / reach);
}

bool pushed_sideways(const Geometry& g) {
  return std::fabs(g.centre - (g.bins - 1) / 2.0) > kFarOffset * g.bins && g.centre > 0 && g.centre < g.bins - 1;
}

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

}  // namespace sino
