// resample on CUDA against the CPU: 1e-6 of values up to 1.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool agrees(int64_t slices, int64_t rows, int64_t columns, int64_t out_rows, int64_t out_columns) {
  bool ok = true;
  for (const Resampling method : {Resampling::nearest, Resampling::linear, Resampling::cubic, Resampling::area}) {
    std::vector<float> x = Numbers(4).floats(size_t(slices * rows * columns)),
                       expected(size_t(slices * out_rows * out_columns));
    if (x.size() > 7) x[7] = NAN;
    OnDevice<float> in(x), out(expected.size());
    cpu::resample(on_cpu(), {slices, rows, columns, out_rows, out_columns, method, x.data(), expected.data()});
    cuda::resample(nullptr, {slices, rows, columns, out_rows, out_columns, method, in.data(), out.data()});
    ok = close(out.download(), expected, 1e-6) && ok;
  }
  return ok;
}

}  // namespace

TEST(resample_agrees) {
  CHECK(agrees(1, 1, 1, 1, 1) && agrees(1, 1, 1, 3, 4) && agrees(2, 9, 14, 9, 14));
  CHECK(agrees(3, 7, 12, 13, 20) && agrees(2, 31, 18, 5, 4) && agrees(1, 6, 5, 1, 301) && agrees(2, 40, 3, 7, 9));
  CHECK(agrees(0, 4, 4, 2, 2) && agrees(2, 4, 4, 0, 2));
}

}  // namespace sino::test
