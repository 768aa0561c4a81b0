// components on CUDA against the CPU: the same numbers.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool agrees(int64_t slices, int64_t rows, int64_t columns, const std::vector<uint8_t>& mask) {
  bool ok = true;
  for (const int connectivity : {4, 8, 6, 18, 26}) {
    std::vector<int32_t> labels(mask.size());
    std::vector<uint8_t> kept(mask.size()), filled(mask.size());
    OnDevice<uint8_t> in(mask), kept_d(mask.size()), filled_d(mask.size());
    OnDevice<int32_t> labels_d(mask.size());
    int64_t parts = -1, parts_found = -2, large = -1, large_found = -2;
    cpu::label_components(on_cpu(),
                          {slices, rows, columns, connectivity, mask.data(), labels.data(), 0, nullptr, &parts});
    cuda::label_components(nullptr,
                           {slices, rows, columns, connectivity, in.data(), labels_d.data(), 0, nullptr, &parts_found});
    ok = close(labels_d.download(), labels, 0) && parts == parts_found && ok;
    cpu::keep_components(on_cpu(), {slices, rows, columns, connectivity, mask.data(), nullptr, 4, kept.data(), &large});
    cuda::keep_components(nullptr,
                          {slices, rows, columns, connectivity, in.data(), nullptr, 4, kept_d.data(), &large_found});
    ok = close(kept_d.download(), kept, 0) && large == large_found && ok;
    std::vector<int32_t> sizes(size_t(parts) / 2 + 1), sizes_found(sizes.size());  // not all are asked for
    cpu::component_sizes(on_cpu(), {int64_t(mask.size()), labels.data(), int64_t(sizes.size()), sizes.data()});
    cuda::component_sizes(nullptr, {int64_t(mask.size()), labels_d.data(), int64_t(sizes.size()), sizes_found.data()});
    ok = close(sizes_found, sizes, 0) && ok;
    if (connectivity != 4 && connectivity != 6) continue;
    cpu::fill_holes(on_cpu(), {slices, rows, columns, connectivity, mask.data(), nullptr, 0, filled.data(), nullptr});
    cuda::fill_holes(nullptr, {slices, rows, columns, connectivity, in.data(), nullptr, 0, filled_d.data(), nullptr});
    ok = close(filled_d.download(), filled, 0) && ok;
  }
  return ok;
}

bool agrees_on_noise(int64_t slices, int64_t rows, int64_t columns, int percent) {
  Numbers numbers{uint32_t(percent)};
  std::vector<uint8_t> mask(size_t(slices * rows * columns));
  for (uint8_t& m : mask) m = int(numbers.bits() % 100) < percent ? 3 : 0;
  return agrees(slices, rows, columns, mask);
}

}  // namespace

TEST(components_have_the_same_numbers) {
  for (const int percent : {0, 30, 55, 75, 100}) CHECK(agrees_on_noise(3, 11, 37, percent));
  CHECK(agrees_on_noise(1, 33, 70, 45) && agrees_on_noise(2, 5, 32, 60) && agrees_on_noise(6, 7, 5, 40));
  CHECK(agrees_on_noise(1, 1, 1, 100) && agrees_on_noise(1, 1, 100, 70) && agrees_on_noise(1, 100, 1, 70));
  CHECK(agrees_on_noise(0, 4, 4, 50) && agrees_on_noise(2, 0, 4, 50));
}

TEST(components_of_a_spiral_are_one) {
  const int n = 41;
  std::vector<uint8_t> mask(n * n);
  int x = -1, y = 0, dx = 1, dy = 0;
  for (int length = n, turn = 0; length > 0; turn++) {  // arms two apart
    for (int i = 0; i < length; i++) x += dx, y += dy, mask[size_t(y * n + x)] = 1;
    const int swap = dx;
    dx = -dy, dy = swap;
    if (turn == 0)
      length -= 1;
    else if (turn % 2 == 0)
      length -= 2;
  }
  CHECK(agrees(1, n, n, mask));
}

}  // namespace sino::test
