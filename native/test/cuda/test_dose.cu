// detected_photons and lower_dose on CUDA against the CPU: the same words, the same counts.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool agrees(void (*here)(const Context&, const DoseArgs&), void (*there)(cuda::Stream, const DoseArgs&), int64_t count,
            bool has_air, double electronic) {
  constexpr int64_t kBins = 35;
  std::vector<float> p(static_cast<size_t>(count)), expected(p.size()), air = Numbers(2).floats(kBins);
  for (size_t i = 0; i < p.size(); i++) p[i] = float(i % 71) * 0.25f - 2;  // means from 7e5 to 0: both samplers
  for (float& a : air) a = std::fabs(a);
  if (count > 9) p[9] = NAN, p[10] = -90;
  OnDevice<float> in(p), air_d(air);
  DoseArgs args = {{42, 1},  5 * kBins,      count, kBins, 1e5, 0.5, electronic, 0.25, has_air ? air.data() : nullptr,
                   p.data(), expected.data()};
  here(on_cpu(), args);
  args.air = has_air ? air_d.data() : nullptr, args.line_integrals = args.output = in.data();
  there(nullptr, args);
  return close(in.download(), expected, 2e-5);  // 1 ulp of values up to 90 and more
}

}  // namespace

TEST(detected_photons_are_the_same) {
  CHECK(agrees(cpu::detected_photons, cuda::detected_photons, 0, false, 0));
  CHECK(agrees(cpu::detected_photons, cuda::detected_photons, 1, true, 3));
  CHECK(agrees(cpu::detected_photons, cuda::detected_photons, 700, false, 0));
  CHECK(agrees(cpu::detected_photons, cuda::detected_photons, 700, true, 8));
}

TEST(lower_dose_is_the_same) {
  CHECK(agrees(cpu::lower_dose, cuda::lower_dose, 0, false, 0));
  CHECK(agrees(cpu::lower_dose, cuda::lower_dose, 1, true, 3));
  CHECK(agrees(cpu::lower_dose, cuda::lower_dose, 700, false, 0));
  CHECK(agrees(cpu::lower_dose, cuda::lower_dose, 700, true, 8));
}

}  // namespace sino::test
