#include "native/ops/rebin.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;

// Lagrange's four points: cubic polynomials are exact, so the error falls with the fourth power of the step.
void cubic(double f, double weights[4]) {
  weights[0] = -f * (f - 1) * (f - 2) / 6;
  weights[1] = (f + 1) * (f - 1) * (f - 2) / 2;
  weights[2] = -(f + 1) * f * (f - 2) / 2;
  weights[3] = (f + 1) * f * (f - 1) / 6;
}

// One output as a sum over inputs below .. below + 3, kept within [low, high].
struct Taps {
  int64_t index[4];
  double weight[4];
};

Taps taps_at(double place, int64_t low, int64_t high, double scale) {
  // a hair, so that a place on a sample reads that sample alone
  const double below = std::floor(place + 1e-9), fraction = std::max(0.0, place - below);
  Taps taps;
  cubic(fraction, taps.weight);
  for (int a = 0; a < 4; a++) {
    taps.index[a] = std::clamp<int64_t>(static_cast<int64_t>(below) - 1 + a, low, high);
    taps.weight[a] *= scale;
  }
  return taps;
}

// Lays `outputs` taps out in strips. With `sliding`, lane l of a strip reads input base + tap + l; else base + tap.
void add_strips(const std::vector<Taps>& outputs, bool sliding, bool mirrored, std::vector<RebinStrip>& strips,
                std::vector<float>& weights) {
  const int64_t count = static_cast<int64_t>(outputs.size());
  for (int64_t begin = 0; begin < count; begin += kRebinStrip) {
    RebinStrip strip;
    strip.first = std::max<int64_t>(0, std::min(begin, count - kRebinStrip));  // the last strip overlaps the one before
    const int64_t lanes = std::min<int64_t>(kRebinStrip, count);
    const auto lane_of = [&](int64_t i) { return mirrored ? kRebinStrip - 1 - i : i; };
    int64_t low = std::numeric_limits<int64_t>::max(), high = std::numeric_limits<int64_t>::min();
    for (int64_t i = 0; i < lanes; i++)
      for (int a = 0; a < 4; a++) {
        if (outputs[strip.first + i].weight[a] == 0) continue;
        const int64_t tap = outputs[strip.first + i].index[a] - (sliding ? lane_of(i) : 0);
        low = std::min(low, tap), high = std::max(high, tap);
      }
    strip.base = low <= high ? low : 0;
    strip.taps = low <= high ? high - low + 1 : 0;
    strip.weights = static_cast<int64_t>(weights.size());
    weights.resize(weights.size() + strip.taps * kRebinStrip, 0.0f);
    for (int64_t i = 0; i < lanes; i++)
      for (int a = 0; a < 4; a++) {
        const Taps& taps = outputs[strip.first + i];
        if (taps.weight[a] == 0) continue;
        const int64_t tap = taps.index[a] - (sliding ? lane_of(i) : 0) - strip.base;
        weights[strip.weights + tap * kRebinStrip + lane_of(i)] += static_cast<float>(taps.weight[a]);
      }
    strips.push_back(strip);
  }
}

}  // namespace

double rebin_angle(const Geometry& fan, double t_mm) { return std::asin(t_mm / fan.sod); }

double rebin_place(const Geometry& fan, double angle_rad) {
  const double u = fan.beam == Beam::arc ? angle_rad : fan.sod * std::tan(angle_rad);
  return u / fan.pitch + fan.centre;
}

RebinPlan rebin_plan(const RebinDescription& d) {
  const Geometry &fan = d.fan, &parallel = d.parallel;
  RebinPlan plan;
  plan.views = fan.views(), plan.bins = fan.bins;
  plan.parallel_views = parallel.views(), plan.parallel_bins = parallel.bins;
  const bool whole = static_cast<int64_t>(d.shares.size()) == parallel.bins;
  if (!whole) plan.shares = d.shares;
  int64_t first_place = 0, last_place = 0;
  constexpr int64_t kAnywhere = int64_t(1) << 40;
  for (int h : {0, 1}) {
    RebinHalf& half = plan.halves[h];
    half.mirrored = (fan.pitch > 0) != (h == 0);
    std::vector<Taps> views(fan.bins), bins(parallel.bins);
    for (int64_t k = 0; k < fan.bins; k++) {
      const double u = (k - fan.centre) * fan.pitch, angle = fan.beam == Beam::arc ? u : std::atan(u / fan.sod);
      views[k] = taps_at((d.parallel_first_rad + h * kPi + angle - d.first_rad) / d.step_rad, -kAnywhere, kAnywhere, 1);
      first_place = std::min(first_place, views[k].index[0]);
      last_place = std::max(last_place, views[k].index[3] + parallel.views() - 1);
    }
    for (int64_t j = 0; j < parallel.bins; j++) {
      const double t = (j - parallel.centre) * parallel.pitch;
      const double share = !whole ? 1 : h == 0 ? d.shares[j] : 1 - d.shares[j];
      bins[j] = taps_at(rebin_place(fan, rebin_angle(fan, h == 0 ? t : -t)), 0, fan.bins - 1, share);
    }
    add_strips(views, false, false, half.views, half.weights);
    add_strips(bins, true, half.mirrored, half.bins, half.weights);
    for (const auto* strips : {&half.views, &half.bins})
      for (const RebinStrip& strip : *strips) plan.work += strip.taps * kRebinStrip;
  }
  plan.first_place = -first_place;
  for (int64_t place = first_place; place <= last_place; place++) {
    const int64_t n = fan.views(), at = d.closed ? (place % n + n) % n : std::clamp<int64_t>(place, 0, n - 1);
    plan.row_of.push_back(static_cast<int32_t>(d.order[at]));
  }
  return plan;
}

}  // namespace sino
