// block_matching on CUDA against the CPU: the same matches, so the same result but for rounding.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool agrees(int64_t rows, int64_t columns, int search, const std::vector<double>& sigmas) {
  std::vector<float> image = Numbers(1).floats(sigmas.size() * size_t(rows * columns));
  for (size_t i = 0; i < image.size(); i++)
    image[i] = 0.2f * image[i] + (int64_t(i) % columns / 6 % 2 == 0 ? 1.f : 3.f);
  OnDevice<float> in(image), out(image.size());
  std::vector<float> expected(image.size());
  const int64_t slices = int64_t(sigmas.size());
  cpu::block_matching(on_cpu(), {slices, rows, columns, search, sigmas, image.data(), expected.data()});
  cuda::block_matching(nullptr, {slices, rows, columns, search, sigmas, in.data(), out.data()});
  const std::vector<float> found = out.download();
  return close(found, expected, 1e-5) && (rows < kMatchBlock || sigmas[0] == 0 || found != image);
}

}  // namespace

TEST(block_matching_agrees) {
  CHECK(agrees(13, 18, 4, {0.2}));
  CHECK(agrees(9, 8, 2, {0.2, 0, 0.05}));  // the second is copied
  CHECK(agrees(20, 17, 7, {2}));           // more matches than a group takes
  CHECK(agrees(8, 8, 0, {0.3}));
  CHECK(agrees(7, 30, 3, {0.3}));
  CHECK(agrees(8, 37, 3, {0.15}));  // several tiles, the last one narrower
  CHECK(agrees(5, 5, 3, {}));
}

TEST(block_matching_of_nan_and_infinity_agrees) {
  for (const float broken : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> image = Numbers(2).floats(12 * 30);
    image[4 * 30 + 3] = broken;
    OnDevice<float> in(image), out(image.size());
    std::vector<float> expected(image.size());
    // so large a sigma that every block without it matches every other
    cpu::block_matching(on_cpu(), {1, 12, 30, 3, {2}, image.data(), expected.data()});
    cuda::block_matching(nullptr, {1, 12, 30, 3, {2}, in.data(), out.data()});
    const std::vector<float> found = out.download();
    CHECK(close(found, expected, 1e-5));
    CHECK(std::isnan(found[4 * 30 + 3]) && std::isfinite(found[4 * 30 + 18]));
  }
}

}  // namespace sino::test
