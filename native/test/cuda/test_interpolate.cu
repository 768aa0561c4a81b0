// interpolate on CUDA against the CPU: 1 ulp.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

// `full`: views flagged from end to end, modulo 5; `share` of the other bins are flagged, in runs.
bool agrees(int64_t slices, int64_t views, int64_t bins, const std::vector<int64_t>& full, float share,
            bool with_prior) {
  const size_t count = size_t(slices * views * bins);
  Numbers numbers{uint32_t(bins)};
  std::vector<float> sinograms = numbers.floats(count), prior = numbers.floats(count), expected(count);
  std::vector<uint8_t> trace(count);
  bool flagged = false;
  for (size_t i = 0; i < count; i++) {
    if (numbers.bits() % 8 == 0) flagged = numbers.next() < 2 * share - 1;
    bool is_full = false;
    for (const int64_t v : full) is_full = is_full || int64_t(i) / bins % 5 == v;
    trace[i] = is_full || flagged ? 3 : 0;
    if (trace[i] && i % 3 == 0) sinograms[i] = NAN;  // is not read
  }
  OnDevice<float> in(sinograms), prior_d(prior), out(count);
  OnDevice<uint8_t> trace_d(trace);
  int64_t views_expected = -1, views_found = -2;
  cpu::interpolate(on_cpu(), {slices, views, bins, sinograms.data(), trace.data(), with_prior ? prior.data() : nullptr,
                              expected.data(), &views_expected});
  cuda::interpolate(nullptr, {slices, views, bins, in.data(), trace_d.data(), with_prior ? prior_d.data() : nullptr,
                              out.data(), &views_found});
  return close(out.download(), expected, 1.2e-7) && views_found == views_expected;
}

}  // namespace

TEST(interpolate_agrees) {
  for (const bool with_prior : {false, true}) {
    for (const int64_t bins : {1, 2, 31, 32, 33, 97}) CHECK(agrees(2, 9, bins, {}, 0.5f, with_prior));
    CHECK(agrees(1, 3, 300, {}, 0.9f, with_prior));
    CHECK(agrees(3, 10, 40, {0, 2, 3}, 0.3f, with_prior));
    CHECK(agrees(2, 7, 33, {4, 0, 1}, 0.3f, with_prior));
    CHECK(agrees(2, 4, 6, {0, 1, 2, 3}, 0, with_prior));  // no view to go by
  }
  CHECK(agrees(0, 4, 6, {}, 0.5f, false));
  CHECK(agrees(1, 0, 6, {}, 0.5f, false));
  CHECK(agrees(2, 4, 0, {}, 0.5f, false));
}

}  // namespace sino::test
