// mean_intensity and detector_response on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

// Line integrals from −0.1 to 8, with what may go wrong in the middle.
std::vector<float> integrals(int64_t count, uint32_t seed) {
  std::vector<float> p = Numbers(seed).floats(size_t(count));
  for (float& v : p) v = 8 * std::fabs(v) - 0.1f;
  return p;
}

bool means_agree(int64_t lines, int64_t bins, int64_t parts, int inputs) {
  MeanIntensityArgs here = {lines, bins, parts, inputs, {}, nullptr}, there = here;
  std::vector<std::vector<float>> values;
  std::vector<std::unique_ptr<OnDevice<float>>> copies;
  for (int i = 0; i < inputs; i++) {
    values.push_back(integrals(lines * bins * parts, uint32_t(i + 1)));
    if (values[size_t(i)].size() > 40) values[size_t(i)][7] = 900, values[size_t(i)][31] = NAN;
    copies.push_back(std::make_unique<OnDevice<float>>(values[size_t(i)]));
    here.line_integrals[i] = values[size_t(i)].data(), there.line_integrals[i] = copies.back()->data();
  }
  std::vector<float> expected(size_t(lines * bins));
  OnDevice<float> out(expected.size());
  here.output = expected.data(), there.output = out.data();
  cpu::mean_intensity(on_cpu(), here);
  cuda::mean_intensity(nullptr, there);
  return close(out.download(), expected, 1e-6);  // one rounding of values up to 8; 900 is one part of several
}

bool responses_agree(int64_t lines, int64_t bins, int64_t reach, double floor, bool has_air) {
  std::vector<double> kernel;
  for (int64_t j = -reach; j <= reach; j++) kernel.push_back(1 / double(1 + 3 * j * j) / double(reach + 1));
  std::vector<float> p = integrals(lines * bins, 5), air = integrals(bins, 6), expected(p.size());
  if (bins > 40) p[9] = 800, p[33] = NAN;
  OnDevice<float> in(p), air_d(air), out(p.size());
  OnDevice<double> kernel_d(kernel);
  cpu::detector_response(
      on_cpu(), {lines, bins, reach, kernel.data(), floor, has_air ? air.data() : nullptr, p.data(), expected.data()});
  cuda::detector_response(
      nullptr, {lines, bins, reach, kernel_d.data(), floor, has_air ? air_d.data() : nullptr, in.data(), out.data()});
  return close(out.download(), expected, 2e-6);  // one rounding of values up to 16
}

}  // namespace

TEST(mean_intensity_agrees) {
  CHECK(means_agree(1, 1, 1, 1));
  CHECK(means_agree(3, 37, 1, 2));
  CHECK(means_agree(5, 13, 3, 1));
  CHECK(means_agree(2, 301, 2, 5));
  CHECK(means_agree(0, 7, 2, 2));
}

TEST(detector_response_agrees) {
  CHECK(responses_agree(1, 1, 0, 0, false));
  CHECK(responses_agree(3, 41, 1, 0, true));
  CHECK(responses_agree(2, 255, 2, 1e-3, false));
  CHECK(responses_agree(2, 257, 1, 1e-3, true));
  CHECK(responses_agree(1, 5, 9, 0, false));     // wider than the detector
  CHECK(responses_agree(1, 43, 128, 0, false));  // 257 taps: two chunks
  CHECK(responses_agree(1, 270, 300, 0, true));
  CHECK(responses_agree(0, 5, 1, 0, false));
}

}  // namespace sino::test
