// tissue on CUDA against the CPU: thresholds are the same numbers, priors the same bits.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool same_thresholds(double mu, const std::vector<float>& slice) {
  OnDevice<float> in(slice);
  double water, bone, water_found, bone_found;
  cpu::tissue_thresholds(on_cpu(), {1, int64_t(slice.size()), mu, slice.data(), &water, &bone});
  cuda::tissue_thresholds(nullptr, {1, int64_t(slice.size()), mu, in.data(), &water_found, &bone_found});
  return water == water_found && bone == bone_found;
}

bool agrees(int64_t slices, int64_t pixels, size_t skipped = 0) {
  const double mu = 0.0192;
  std::vector<float> images = Numbers(uint32_t(pixels)).floats(size_t(slices * pixels) + skipped),
                     expected(size_t(slices * pixels));
  for (size_t i = 0; i < images.size(); i++) {
    const float centre = i % 3 == 0 ? 0 : i % 3 == 1 ? 0.0192f : 0.041f;
    images[i] = i % 61 == 60 ? (i % 2 ? NAN : INFINITY) : centre + 0.008f * images[i];
  }
  OnDevice<float> in(images), prior(expected.size());
  std::vector<double> water(static_cast<size_t>(slices)), bone = water, water_found = water, bone_found = water;
  const float* x = images.data() + skipped;
  cpu::tissue_thresholds(on_cpu(), {slices, pixels, mu, x, water.data(), bone.data()});
  cuda::tissue_thresholds(nullptr, {slices, pixels, mu, in.data() + skipped, water_found.data(), bone_found.data()});
  const float mu_prior = 0.0192f;
  cpu::tissue_prior(on_cpu(), {slices, pixels, mu_prior, water.data(), bone.data(), x, expected.data()});
  OnDevice<double> water_d(water);  // one on the device, one on the host
  cuda::tissue_prior(nullptr,
                     {slices, pixels, mu_prior, water_d.data(), bone.data(), in.data() + skipped, prior.data()});
  return close(water_found, water, 0) && close(bone_found, bone, 0) && close(prior.download(), expected, 0);
}

}  // namespace

TEST(tissue_agrees) {
  CHECK(agrees(1, 3));
  CHECK(agrees(3, 61));  // the last slice's pixels lie elsewhere in the pattern
  CHECK(agrees(2, 1028));
  CHECK(agrees(1, 4103));
  CHECK(agrees(1, 1024, 1));
  CHECK(agrees(1, 0));
  CHECK(agrees(0, 5));
  CHECK(same_thresholds(1, {-0.5f, 0.5f, 0.75f, 0.75f, 1.5f, 2}));  // midway: of the lower class
  CHECK(same_thresholds(1, {0, 0, 0}) && same_thresholds(1, {NAN, 3}) &&
        same_thresholds(1, {1, 1.1f}));  // without some class
}

TEST(tissue_split_agrees) {
  for (const int64_t count : {0, 1, 5, 1030}) {
    std::vector<float> x = Numbers(9).floats(size_t(count)), mu(x.size()), water(x.size()), bone(x.size());
    if (count > 4) x[4] = NAN;
    OnDevice<float> in(x), mu_d(x.size()), water_d(x.size()), bone_d(x.size());
    cpu::tissue_split(on_cpu(), {count, 0.02f, 0.015f, 0.02f, 0.03f, x.data(), mu.data(), water.data(), bone.data()});
    cuda::tissue_split(nullptr,
                       {count, 0.02f, 0.015f, 0.02f, 0.03f, in.data(), mu_d.data(), water_d.data(), bone_d.data()});
    CHECK(close(mu_d.download(), mu, 4e-9));  // 1 ulp of 0.035
    CHECK(close(water_d.download(), water, 8e-9) &&
          close(bone_d.download(), bone, 3e-8));  // weight: 1/(high − low) ulps of µ
  }
}

}  // namespace sino::test
