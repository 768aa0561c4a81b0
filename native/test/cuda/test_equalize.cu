// equalize on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool agrees(int64_t slices, int64_t rows, int64_t columns, int64_t row_tiles, int64_t column_tiles, int bins,
            double limit) {
  std::vector<float> image = Numbers(1).floats(size_t(slices * rows * columns));
  if (image.size() > 4) image[4] = NAN;
  std::vector<double> low, high;
  for (int64_t s = 0; s < slices; s++) low.push_back(-0.8), high.push_back(s == 2 ? -0.8 : 0.7 + double(s));
  OnDevice<float> in(image), out(image.size());
  OnDevice<double> low_d(low), high_d(high);
  std::vector<float> expected(image.size());
  cpu::equalize(on_cpu(), {slices, rows, columns, row_tiles, column_tiles, bins, limit, low.data(), high.data(),
                           image.data(), expected.data()});
  cuda::equalize(nullptr, {slices, rows, columns, row_tiles, column_tiles, bins, limit, low_d.data(), high_d.data(),
                           in.data(), out.data()});
  return close(out.download(), expected, 4e-6);  // of 2.5
}

}  // namespace

TEST(equalize_agrees) {
  CHECK(agrees(1, 1, 1, 1, 1, 2, 0));
  CHECK(agrees(3, 13, 18, 1, 1, 16, 0));   // the last slice has no range
  CHECK(agrees(2, 21, 17, 3, 4, 300, 2));  // more bins than threads
  CHECK(agrees(1, 8, 5, 8, 5, 7, 1.5));
  CHECK(agrees(0, 8, 5, 2, 2, 7, 0));
}

}  // namespace sino::test
