// sampling_step and dual_domain_step on CUDA against the CPU: 4 roundings of terms up to 4, and those of the normal numbers.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

constexpr double kTolerance = 4e-6;
constexpr RandomSource kSource = {0x123456789abcdefull, 3};

bool steps(int64_t count, size_t skipped, int rows, int terms, bool noisy, bool with_variance, bool with_clean) {
  const size_t n = size_t(count) + skipped;
  Numbers numbers(7);
  std::vector<float> x = numbers.floats(n), m = numbers.floats(n), v = numbers.floats(n);
  std::vector<std::vector<float>> earlier(kStepTerms);
  if (count > 6) x[6] = NAN, m[3] = INFINITY;
  SamplingStepArgs host = {}, device = {};
  OnDevice<float> xd(x), md(m), vd(v), clean_d(n);
  std::vector<std::unique_ptr<OnDevice<float>>> on_device;
  host.count = count, host.sample = x.data() + skipped, host.output = m.data() + skipped;
  host.from_sample = 1.3f, host.from_output = -0.6f, host.low = -1, host.high = 0.8f;
  host.term_count = terms, host.row_count = rows, host.noisy = noisy, host.source = kSource, host.first = 40;
  host.variance = with_variance ? v.data() + skipped : nullptr, host.log_scale = -1.5f, host.log_slope = 0.7f;
  device = host;
  device.sample = xd.data() + skipped, device.output = md.data() + skipped;
  device.variance = with_variance ? vd.data() + skipped : nullptr;
  for (int t = 0; t < terms; t++) {
    earlier[size_t(t)] = numbers.floats(n);
    on_device.push_back(std::make_unique<OnDevice<float>>(earlier[size_t(t)]));
    host.terms[t] = earlier[size_t(t)].data(), device.terms[t] = on_device.back()->data();
  }
  std::vector<std::vector<float>> targets{size_t(rows), std::vector<float>(n)};
  std::vector<float> clean(n);
  for (int r = 0; r < rows; r++) {
    host.rows[r] = {0.9f, -0.2f, 0.3f * float(r), noisy ? 0.5f : 0, {0.1f, -0.2f, 0.3f, 0.4f}, nullptr};
    device.rows[r] = host.rows[r];
    host.rows[r].target = r == 0 ? x.data() + skipped : targets[size_t(r)].data();  // the first in place
    if (r > 0) on_device.push_back(std::make_unique<OnDevice<float>>(n));
    device.rows[r].target = r == 0 ? xd.data() + skipped : on_device.back()->data();
  }
  host.clean = with_clean ? clean.data() : nullptr, device.clean = with_clean ? clean_d.data() : nullptr;
  int64_t expected = -1, found = -2;
  host.non_finite = &expected, device.non_finite = &found;
  cpu::sampling_step(on_cpu(), host);
  cuda::sampling_step(nullptr, device);
  bool ok = close(xd.download(), x, kTolerance) && found == expected;
  for (int r = 1; r < rows; r++) {
    const size_t at = size_t(terms + r - 1);
    ok = close(on_device[at]->download(size_t(count)),
               std::vector<float>(targets[size_t(r)].begin(), targets[size_t(r)].begin() + count), kTolerance) &&
         ok;
  }
  clean.resize(size_t(count));
  return (!with_clean || close(clean_d.download(size_t(count)), clean, kTolerance)) && ok;
}

bool blends(int64_t count, size_t skipped, float noise) {
  const size_t n = size_t(count) + skipped;
  Numbers numbers(8);
  std::vector<float> images[4], expected(n);
  for (auto& image : images) image = numbers.floats(n);
  if (count > 5) images[1][5] = NAN;
  OnDevice<float> a(images[0]), b(images[1]), c(images[2]), d(images[3]);
  DualDomainStepArgs args = {count,
                             images[0].data() + skipped,
                             images[1].data(),
                             images[2].data(),
                             images[3].data(),
                             -0.9f,
                             0.9f,
                             2.0f,
                             -0.1f,
                             1.5f,
                             0.8f,
                             0.7f,
                             0.95f,
                             noise,
                             kSource,
                             8,
                             images[2].data(),
                             nullptr};
  int64_t bad = -1, bad_found = -2;
  args.non_finite = &bad;
  cpu::dual_domain_step(on_cpu(), args);
  args.clean = a.data() + skipped, args.consistent = b.data(), args.measured = c.data(), args.base = d.data();
  args.output = c.data(), args.non_finite = &bad_found;
  cuda::dual_domain_step(nullptr, args);
  return close(c.download(), images[2], kTolerance) && bad == bad_found;
}

}  // namespace

TEST(sampling_step_agrees) {
  for (const int64_t count : {0, 1, 4, 1030})
    for (const size_t skipped : {0, 1}) {
      CHECK(steps(count, skipped, 1, 0, false, false, false) && steps(count, skipped, 1, 0, true, false, false));
      CHECK(steps(count, skipped, 1, 0, true, true, false) && steps(count, skipped, 1, 2, false, false, true));
      CHECK(steps(count, skipped, 3, 4, true, false, true) && steps(count, skipped, 2, 1, true, true, false));
    }
}

TEST(dual_domain_step_agrees) {
  for (const int64_t count : {0, 1, 4, 1030})
    for (const size_t skipped : {0, 1}) CHECK(blends(count, skipped, 0) && blends(count, skipped, 0.3f));
}

}  // namespace sino::test
