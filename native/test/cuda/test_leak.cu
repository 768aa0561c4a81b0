// leak on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/ops/leak.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

std::vector<float> values(int64_t count, uint32_t seed, float low, float high) {
  std::vector<float> v = Numbers(seed).floats(size_t(count));
  for (float& x : v) x = low + (high - low) * (x + 1) / 2;
  return v;
}
std::vector<uint8_t> some(int64_t count, int64_t of, int64_t them) {
  std::vector<uint8_t> v;
  for (int64_t i = 0; i < count; i++) v.push_back(i % of < them);
  return v;
}

// Metal that neighbours do not share evenly, seen with a leak of 5 % and a floor of 1e-4.
bool finds(int64_t views, int64_t bins, int64_t trace_of_7) {
  const int64_t n = views * bins;
  const std::vector<float> metal = values(n, 1, 0.5, 5), slope = values(n, 2, 0.7f, 1),
                           variance = values(n, 3, 0, 0.01f);
  const std::vector<uint8_t> where = some(n, 11, 9), trace = some(n, 7, trace_of_7);
  std::vector<float> measured, found = values(n, 4, -0.02f, 0.02f);
  for (int64_t i = 0; i < n; i++) {
    const int64_t k = i % bins;
    const float t = transmission(metal[i]), left = transmission(metal[k > 0 ? i - 1 : i]),
                right = transmission(metal[k + 1 < bins ? i + 1 : i]);
    measured.push_back(-std::log(t + 0.025f * (left - 2 * t + right) + 1e-4f));
    found[i] += (measured[i] - metal[i]) / slope[i] + (i % 13 == 0 ? 3.f : i % 29 == 0 ? 0.8f : 0.f);
  }
  if (n > 3) found[3] = NAN;
  OnDevice<float> metal_d(metal), slope_d(slope), variance_d(variance), measured_d(measured), found_d(found);
  OnDevice<uint8_t> where_d(where), trace_d(trace);
  double expected[kLeakTerms], there[kLeakTerms];
  cpu::find_leak(on_cpu(), {views, bins, 10, where.data(), trace.data(), measured.data(), found.data(), slope.data(),
                            metal.data(), variance.data(), expected});
  cuda::find_leak(nullptr, {views, bins, 10, where_d.data(), trace_d.data(), measured_d.data(), found_d.data(),
                            slope_d.data(), metal_d.data(), variance_d.data(), there});
  bool ok = true;
  for (int k = 0; k < kLeakTerms; k++)  // exponentials of two libraries
    ok = ok && std::fabs(there[k] - expected[k]) <= 1e-5 * std::fabs(expected[k]) + 1e-7;
  if (!ok)
    for (int k = 0; k < kLeakTerms; k++) std::printf("%.9g, not %.9g\n", there[k], expected[k]);
  return ok && (trace_of_7 == 0 ? there[0] == 0 && there[1] == 0 : n < 300 || std::fabs(there[0] - 0.05) < 0.02);
}

bool removes(int64_t views, int64_t bins, double share) {
  const int64_t n = views * bins;
  const std::vector<float> measured = values(n, 5, 0, 9);
  const std::vector<uint8_t> where = some(n, 7, 5);
  OnDevice<float> measured_d(measured), output_d(measured.size());
  OnDevice<uint8_t> where_d(where);
  std::vector<float> expected(static_cast<size_t>(n));
  cpu::remove_leak(on_cpu(), {views, bins, share, 1e-4, 1e-6, where.data(), measured.data(), expected.data()});
  cuda::remove_leak(nullptr, {views, bins, share, 1e-4, 1e-6, where_d.data(), measured_d.data(), output_d.data()});
  return close(output_d.download(), expected, 2e-6);  // of 14: a rounding of float32
}

}  // namespace

TEST(leaks_found_agree) {
  CHECK(finds(1, 1, 7));
  CHECK(finds(3, 2, 7));
  CHECK(finds(9, 70, 4));
  CHECK(finds(5, 37, 0));  // no ray in the trace
  CHECK(finds(0, 4, 4));
}

TEST(leaks_removed_agree) {
  CHECK(removes(1, 1, 0.1));
  CHECK(removes(3, 2, 0.49));
  CHECK(removes(33, 37, 0.08));
  CHECK(removes(2, 41, 0));
  CHECK(removes(0, 4, 0.1));
}

}  // namespace sino::test
