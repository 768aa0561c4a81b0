// morphology on CUDA against the CPU: the same masks.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool agrees(int64_t slices, int64_t rows, int64_t columns, bool erode, Reach shape, double reach) {
  Numbers numbers{uint32_t(columns)};
  std::vector<uint8_t> mask(size_t(slices * rows * columns)), expected(mask.size());
  for (uint8_t& m : mask) m = (numbers.bits() % 23 == 0) != erode ? 7 : 0;
  OnDevice<uint8_t> in(mask), out(mask.size());
  cpu::morphology(on_cpu(), {slices, rows, columns, mask.data(), erode, shape, reach, expected.data()});
  cuda::morphology(nullptr, {slices, rows, columns, in.data(), erode, shape, reach, out.data()});
  return close(out.download(), expected, 0);
}

}  // namespace

TEST(morphology_gives_the_same_masks) {
  for (const bool erode : {false, true})
    for (const Reach shape : {Reach::disk, Reach::cross, Reach::box}) {
      for (const double reach : {0.0, 1.0, 2.3, 1e9}) CHECK(agrees(2, 13, 37, erode, shape, reach));
      CHECK(agrees(1, 1, 1, erode, shape, 1) && agrees(1, 1, 50, erode, shape, 3) && agrees(1, 50, 1, erode, shape, 3));
      CHECK(agrees(0, 3, 3, erode, shape, 1) && agrees(1, 0, 3, erode, shape, 1));
    }
  CHECK(agrees(1, 1, 4101, false, Reach::disk, 10));  // squares beyond float32
}

}  // namespace sino::test
