// nonlocal_means, noise_level and median on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool means_agree(int64_t slices, int64_t rows, int64_t columns, int search, int patch, double patch_sigma,
                 double spread) {
  const std::vector<float> image = Numbers(1).floats(size_t(slices * rows * columns));
  OnDevice<float> in(image), out(image.size());
  std::vector<float> expected(image.size());
  std::vector<double> sigmas, h;
  for (int64_t s = 0; s < slices; s++) sigmas.push_back(0.1 + 0.1 * double(s)), h.push_back(0.5 + double(s));
  cpu::nonlocal_means(
      on_cpu(), {slices, rows, columns, search, patch, patch_sigma, spread, sigmas, h, image.data(), expected.data()});
  cuda::nonlocal_means(nullptr,
                       {slices, rows, columns, search, patch, patch_sigma, spread, sigmas, h, in.data(), out.data()});
  return close(out.download(), expected, 1e-5);
}

bool medians_agree(int64_t slices, int64_t rows, int64_t columns, int radius) {
  std::vector<float> image = Numbers(2).floats(size_t(slices * rows * columns));
  for (float& v : image) v = std::round(8 * v);  // ties, too
  OnDevice<float> in(image), out(image.size());
  std::vector<float> expected(image.size());
  cpu::median(on_cpu(), {slices, rows, columns, radius, image.data(), expected.data()});
  cuda::median(nullptr, {slices, rows, columns, radius, in.data(), out.data()});
  return close(out.download(), expected, 0);
}

bool levels_agree(int64_t slices, int64_t rows, int64_t columns) {
  std::vector<float> image = Numbers(3).floats(size_t(slices * rows * columns));
  if (image.size() > 30) image[30] = NAN;
  for (size_t i = image.size() / 2; i < image.size(); i++) image[i] = 3;  // planes say nothing
  OnDevice<float> in(image);
  OnDevice<double> out{size_t(slices)};
  std::vector<double> expected(static_cast<size_t>(slices));
  cpu::noise_level(on_cpu(), {slices, rows, columns, image.data(), expected.data()});
  cuda::noise_level(nullptr, {slices, rows, columns, in.data(), out.data()});
  return close(out.download(), expected, 0);
}

}  // namespace

TEST(nonlocal_means_agrees) {
  CHECK(means_agree(1, 1, 1, 2, 1, 0, 0));
  CHECK(means_agree(2, 7, 11, 2, 1, 0, 0));
  CHECK(means_agree(1, 1, 17, 1, 2, 0.8, 0));
  CHECK(means_agree(1, 9, 5, 3, 0, 0, 1.5));
  CHECK(means_agree(0, 9, 5, 3, 0, 0, 1.5));
}

TEST(noise_level_agrees) {
  CHECK(levels_agree(3, 17, 41));
  CHECK(levels_agree(1, 4, 3));
  CHECK(levels_agree(2, 2, 5));  // no pixel has all its neighbours
  CHECK(levels_agree(1, 1, 1));
  CHECK(levels_agree(0, 3, 3));
}

TEST(median_agrees) {
  CHECK(medians_agree(1, 1, 1, 1));
  CHECK(medians_agree(2, 9, 13, 1));
  CHECK(medians_agree(1, 11, 3, 3));
  CHECK(medians_agree(1, 4, 5, 0));
}

}  // namespace sino::test
