// trust on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

struct Rays {
  int64_t views, bins;
  std::vector<float> measured, slope, metal, variance, found, smooth, weight, evidence;
  std::vector<uint8_t> where;
  OnDevice<float> measured_d, slope_d, metal_d, variance_d, found_d, smooth_d, weight_d, evidence_d, out_d;
  OnDevice<uint8_t> where_d;

  static std::vector<float> values(int64_t count, uint32_t seed, float low, float high) {
    std::vector<float> v = Numbers(seed).floats(size_t(count));
    for (float& x : v) x = low + (high - low) * (x + 1) / 2;
    return v;
  }
  static std::vector<float> some_nan(std::vector<float> v) {
    if (v.size() > 20) v[20] = NAN;
    return v;
  }
  static std::vector<uint8_t> some(int64_t count) {
    std::vector<uint8_t> v;
    for (int64_t i = 0; i < count; i++) v.push_back(i % 7 < 4);
    return v;
  }
  Rays(int64_t views, int64_t bins)
      : views(views),
        bins(bins),
        measured(values(views * bins, 1, 0, 9)),
        slope(values(views * bins, 2, 0.5, 1)),
        metal(values(views * bins, 3, -0.4f, 1)),
        variance(values(views * bins, 4, 1e-4f, 0.1f)),
        found(some_nan(values(views * bins, 5, -1, 1))),
        smooth(values(views * bins, 6, -0.1f, 0.1f)),
        weight(values(views * bins, 7, 0, 100)),
        evidence(values(views * bins, 8, -10, 10)),
        where(some(views * bins)),
        measured_d(measured),
        slope_d(slope),
        metal_d(metal),
        variance_d(variance),
        found_d(found),
        smooth_d(smooth),
        weight_d(weight),
        evidence_d(evidence),
        out_d(measured.size()),
        where_d(where) {}
  int64_t count() const { return views * bins; }
};

// 1e-5 of each value: exponentials of two libraries
bool near_each(const std::vector<float>& found, const std::vector<float>& expected) {
  bool ok = found.size() == expected.size();
  for (size_t i = 0; ok && i < found.size(); i++)
    ok = (std::isnan(found[i]) && std::isnan(expected[i])) ||
         std::fabs(found[i] - expected[i]) <= 1e-5f * std::fabs(expected[i]) + 1e-30f;
  return ok;
}

}  // namespace

TEST(ray_variance_agrees) {
  for (const auto& [views, bins] : {std::pair<int64_t, int64_t>{1, 1}, {3, 2}, {5, 37}, {0, 4}}) {
    Rays r(views, bins);
    std::vector<float> expected(size_t(r.count()));
    for (const TrustModel& model :
         {TrustModel{2e7f, 20, 1e-4f, 0.03f, 0.02f, 0.25f, 0.06f}, TrustModel{1e5f, 0, 0, 0, 0.002f, 0, 0.001f}}) {
      cpu::ray_variance(on_cpu(), {views, bins, model, r.where.data(), r.measured.data(), r.slope.data(),
                                   r.metal.data(), expected.data()});
      cuda::ray_variance(nullptr, {views, bins, model, r.where_d.data(), r.measured_d.data(), r.slope_d.data(),
                                   r.metal_d.data(), r.out_d.data()});
      CHECK(near_each(r.out_d.download(), expected));
    }
  }
}

TEST(rays_are_calibrated_weighed_spread_and_blended_alike) {
  for (const int64_t bins : {1, 300}) {
    Rays r(3, bins);
    const int64_t n = r.count();
    std::vector<float> expected(static_cast<size_t>(n));
    cpu::ray_calibrate(on_cpu(), {n, r.where.data(), 0.3f, -0.2f, r.metal.data(), expected.data(), r.found.data()});
    cuda::ray_calibrate(nullptr,
                        {n, r.where_d.data(), 0.3f, -0.2f, r.metal_d.data(), r.out_d.data(), r.found_d.data()});
    CHECK(close(r.out_d.download(), expected, 1e-7));
    CHECK(close(r.found_d.download(), r.found, 2e-7));
    cpu::ray_evidence(on_cpu(), {n, r.where.data(), 0.01f, r.variance.data(), r.found.data(), r.smooth.data(),
                                 r.weight.data(), r.evidence.data()});
    cuda::ray_evidence(nullptr, {n, r.where_d.data(), 0.01f, r.variance_d.data(), r.found_d.data(), r.smooth_d.data(),
                                 r.weight_d.data(), r.evidence_d.data()});
    CHECK(near_each(r.weight_d.download(), r.weight));
    CHECK(close(r.evidence_d.download(), r.evidence, 0.01));  // of 5000: D has two roundings
    OnDevice<float> evidence(r.evidence);
    cpu::ray_spread(on_cpu(), {n, 25, r.weight.data(), r.evidence.data(), r.smooth.data()});
    cuda::ray_spread(nullptr, {n, 25, r.weight_d.data(), evidence.data(), r.smooth_d.data()});
    CHECK(close(r.smooth_d.download(), r.smooth, 1e-6));
    cpu::ray_blend(on_cpu(), {n, r.where.data(), 0.015f, r.measured.data(), r.smooth.data(), r.found.data(),
                              r.variance.data(), expected.data()});
    cuda::ray_blend(nullptr, {n, r.where_d.data(), 0.015f, r.measured_d.data(), r.smooth_d.data(), r.found_d.data(),
                              r.variance_d.data(), r.out_d.data()});
    CHECK(close(r.out_d.download(), expected, 2e-6));
  }
}

}  // namespace sino::test
