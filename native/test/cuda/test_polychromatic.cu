// polychromatic and water_correction on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool attenuates(int64_t rays, int materials, int energies) {
  std::vector<float> weights, ratios, least_most;
  float total = 0;
  Numbers numbers{uint32_t(materials)};
  for (int e = 0; e < energies; e++) weights.push_back(1.1f + numbers.next()), total += weights.back();
  for (int m = 0; m < materials; m++) {
    float least = INFINITY, most = 0;
    for (int e = 0; e < energies; e++) {
      ratios.push_back(1.5f + numbers.next() * (1 + float(m) / 8));
      least = std::fmin(least, ratios.back()), most = std::fmax(most, ratios.back());
    }
    least_most.push_back(least), least_most.push_back(most);
  }
  OnDevice<float> weights_d(weights), ratios_d(ratios), least_most_d(least_most), out{size_t(rays)};
  PolychromaticArgs host = {rays,  materials,     energies,          {},     weights.data(),
                            total, ratios.data(), least_most.data(), nullptr},
                    device = host;
  device.weights = weights_d.data(), device.ratios = ratios_d.data(), device.least_most = least_most_d.data();
  std::vector<std::vector<float>> paths;
  std::vector<std::unique_ptr<OnDevice<float>>> paths_d;
  for (int m = 0; m < materials; m++) {
    paths.push_back(numbers.floats(size_t(rays)));
    for (size_t i = 0; i < paths.back().size(); i++)
      paths.back()[i] = i == 0 ? 0 : 8 * std::fabs(paths.back()[i]) - 0.01f;
    if (rays > 8) paths.back()[8] = m == 0 ? 300 : NAN;
    paths_d.push_back(std::make_unique<OnDevice<float>>(paths.back()));
    host.paths[m] = paths.back().data(), device.paths[m] = paths_d.back()->data();
  }
  std::vector<float> expected(static_cast<size_t>(rays));
  host.output = expected.data(), device.output = out.data();
  cpu::polychromatic(on_cpu(), host);
  cuda::polychromatic(nullptr, device);
  const std::vector<float> found = out.download();
  bool ok = found.empty() || found[0] == 0;
  for (size_t i = 0; i < found.size(); i++)  // twice the error that each may have
    ok = ok && (std::isnan(expected[i]) ? std::isnan(found[i])
                                        : std::fabs(found[i] - expected[i]) <= 2e-6f + 6e-7f * std::fabs(expected[i]));
  return ok;
}

}  // namespace

TEST(polychromatic_agrees) {
  CHECK(attenuates(1, 1, 1));
  CHECK(attenuates(41, 1, 101));
  CHECK(attenuates(1029, 2, 5));
  CHECK(attenuates(37, 3, 33));
  CHECK(attenuates(21, 4, 7));
  CHECK(attenuates(5, 8, 140));
  CHECK(attenuates(0, 2, 3));
}

TEST(water_correction_agrees) {
  for (const int64_t count : {0, 1, 6, 1027})
    for (const int order : {0, 1, 3}) {
      std::vector<float> p = Numbers(3).floats(size_t(count)), expected(p.size());
      OnDevice<float> in(p);
      cpu::water_correction(on_cpu(), {count, order, {1.01, 0.02, -0.003}, p.data(), expected.data()});
      cuda::water_correction(nullptr, {count, order, {1.01, 0.02, -0.003}, in.data(), in.data()});
      CHECK(close(in.download(), expected, 1.2e-7));  // fused in double, rounded once
    }
}

}  // namespace sino::test
