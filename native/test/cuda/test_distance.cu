// distance on CUDA against the CPU: 1 ulp; indices name a zero that is as near.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

// One pixel in `sparsity` is zero, or none.
std::vector<uint8_t> mask_of(int64_t slices, int64_t rows, int64_t columns, uint32_t sparsity) {
  Numbers numbers(sparsity);
  std::vector<uint8_t> mask(size_t(slices * rows * columns));
  for (uint8_t& m : mask) m = sparsity > 0 && numbers.bits() % sparsity == 0 ? 0 : 200;
  return mask;
}

bool agrees(int64_t slices, int64_t rows, int64_t columns, bool volume, uint32_t sparsity, double s0, double s1,
            double s2) {
  const std::vector<uint8_t> mask = mask_of(slices, rows, columns, sparsity);
  const size_t count = mask.size();
  const int axes = volume ? 3 : 2;
  std::vector<float> expected(count);
  OnDevice<uint8_t> mask_d(mask);
  OnDevice<float> out(count), again(count);
  OnDevice<int32_t> indices_d(axes * count);
  cpu::distance(on_cpu(), {slices, rows, columns, volume, {s0, s1, s2}, mask.data(), expected.data(), nullptr});
  cuda::distance(nullptr, {slices, rows, columns, volume, {s0, s1, s2}, mask_d.data(), out.data(), nullptr});
  cuda::distance(nullptr, {slices, rows, columns, volume, {s0, s1, s2}, mask_d.data(), again.data(), indices_d.data()});
  const std::vector<float> found = out.download(), with_indices = again.download();
  const std::vector<int32_t> indices = indices_d.download();
  const double spacing[3] = {s0, s1, s2};
  bool ok = true;
  for (size_t i = 0; ok && i < count; i++) {
    ok = found[i] == with_indices[i] &&
         (found[i] == expected[i] || std::fabs(found[i] - expected[i]) <= 1.2e-7f * expected[i]);
    const int64_t here[3] = {int64_t(i) / (rows * columns), int64_t(i) / columns % rows, int64_t(i) % columns};
    int64_t there[3] = {here[0], 0, 0};
    for (int axis = 0; axis < axes; axis++) there[3 - axes + axis] = indices[axis * count + i];
    if (there[2] < 0) {
      ok = ok && std::isinf(expected[i]) && there[1] == -1 && (!volume || there[0] == -1);
      continue;
    }
    double square = 0;
    for (int axis = 0; axis < 3; axis++) square += std::pow(spacing[axis] * double(here[axis] - there[axis]), 2);
    ok = ok && mask[size_t((there[0] * rows + there[1]) * columns + there[2])] == 0 &&
         std::fabs(std::sqrt(square) - expected[i]) <= 1e-6 * expected[i];
    if (!ok) std::printf("at %zu: %g, not %g\n", i, double(found[i]), double(expected[i]));
  }
  return ok;
}

}  // namespace

TEST(distance_agrees_in_planes) {
  for (const uint32_t sparsity : {0, 1, 2, 37, 200}) {
    CHECK(agrees(2, 19, 45, false, sparsity, 1, 1, 1));
    CHECK(agrees(1, 37, 33, false, sparsity, 1, 0.7, 1.3));
  }
  CHECK(agrees(1, 1, 1, false, 0, 1, 1, 1) && agrees(1, 1, 1, false, 1, 1, 1, 1));
  CHECK(agrees(1, 1, 70, false, 20, 1, 1, 1) && agrees(3, 70, 1, false, 20, 1, 0.4, 0.4));
  CHECK(agrees(1, 530, 3, false, 300, 1, 1, 1));  // more strips than a block has threads for
  CHECK(agrees(1, 64, 64, false, 4096, 1, 1, 1));
  CHECK(agrees(0, 4, 4, false, 2, 1, 1, 1) && agrees(2, 0, 4, false, 2, 1, 1, 1));
}

TEST(distance_agrees_in_volumes) {
  for (const uint32_t sparsity : {0, 2, 300}) {
    CHECK(agrees(9, 7, 13, true, sparsity, 1, 1, 1));
    CHECK(agrees(5, 12, 6, true, sparsity, 2.5, 0.7, 0.6));
  }
  CHECK(agrees(1, 5, 9, true, 30, 1, 1, 1) && agrees(33, 1, 1, true, 20, 1, 1, 1) &&
        agrees(40, 2, 9, true, 99, 3, 1, 1));
}

TEST(distance_agrees_along_lines_too_long_for_shared_memory) { CHECK(agrees(1, 2, 5003, false, 900, 1, 1, 1)); }

}  // namespace sino::test
