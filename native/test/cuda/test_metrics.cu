// metrics on CUDA against the CPU: sums to 1e-12, images to the last bit.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

std::vector<uint8_t> some_mask(size_t count) {
  std::vector<uint8_t> mask(count);
  for (size_t i = 0; i < count; i++) mask[i] = i % 7 == 3 ? 2 : 0;
  return mask;
}

bool windows(int64_t slices, int64_t pixels, int levels, int64_t mask_slices) {
  std::vector<float> x = Numbers(1).floats(size_t(slices * pixels)), expected(x.size());
  if (x.size() > 5) x[5] = NAN;
  const std::vector<uint8_t> mask = some_mask(size_t(mask_slices * pixels));
  OnDevice<float> in(x), out(x.size());
  OnDevice<uint8_t> mask_d(mask);
  WindowArgs args = {slices,      pixels,   -0.5f,          0.9f, levels, mask_slices ? mask.data() : nullptr,
                     mask_slices, x.data(), expected.data()};
  cpu::metrics_window(on_cpu(), args);
  args.mask = mask_slices ? mask_d.data() : nullptr, args.input = in.data(), args.output = out.data();
  cuda::metrics_window(nullptr, args);
  return close(out.download(), expected, 0);
}

bool differ(int64_t slices, int64_t rows, int64_t columns, int64_t mask_slices) {
  const size_t count = size_t(slices * rows * columns);
  std::vector<float> a = Numbers(1).floats(count);
  const std::vector<float> b = Numbers(2).floats(count);
  if (slices > 1 && rows > 0) a[1] = NAN;
  const std::vector<uint8_t> mask = some_mask(size_t(mask_slices * rows * columns));
  OnDevice<float> ad(a), bd(b);
  OnDevice<uint8_t> mask_d(mask);
  std::vector<double> expected(size_t(slices) * kDifferenceSums), found = expected;
  DifferenceArgs args = {slices,      rows,     columns,  mask_slices ? mask.data() : nullptr,
                         mask_slices, a.data(), b.data(), expected.data()};
  cpu::metrics_differences(on_cpu(), args);
  args.mask = mask_slices ? mask_d.data() : nullptr, args.a = ad.data(), args.b = bd.data(), args.sums = found.data();
  cuda::metrics_differences(nullptr, args);
  for (size_t i = 0; i < found.size(); i++)  // an infinity where no pixel counts
    if (expected[i] == found[i]) expected[i] = found[i] = 0;
  return close(found, expected, 1e-12 * double(rows * columns));
}

bool decimates(int64_t slices, int64_t rows, int64_t columns, int64_t factor) {
  const std::vector<float> x = Numbers(3).floats(size_t(slices * rows * columns));
  const int64_t small = slices * ((rows + factor - 1) / factor) * ((columns + factor - 1) / factor);
  std::vector<float> expected(static_cast<size_t>(small));
  OnDevice<float> in(x), out(expected.size());
  cpu::metrics_decimate(on_cpu(), {slices, rows, columns, factor, x.data(), expected.data()});
  cuda::metrics_decimate(nullptr, {slices, rows, columns, factor, in.data(), out.data()});
  return close(out.download(), expected, 0);
}

bool compares(int64_t slices, int64_t rows, int64_t columns, bool uniform = false) {
  std::vector<float> a = Numbers(1).floats(size_t(slices * rows * columns)), b = a;
  for (size_t i = 0; i < b.size(); i++) b[i] += 0.3f * std::sin(float(i));
  OnDevice<float> ad(a), bd(b);
  std::vector<double> expected(static_cast<size_t>(slices)), found = expected;
  cpu::metrics_ssim(on_cpu(), {slices, rows, columns, 1e-4, 9e-4, uniform, a.data(), b.data(), expected.data()});
  cuda::metrics_ssim(nullptr, {slices, rows, columns, 1e-4, 9e-4, uniform, ad.data(), bd.data(), found.data()});
  return close(found, expected, 1e-12);
}

}  // namespace

TEST(metrics_window_agrees) {
  for (const int levels : {0, 255})
    for (const int64_t pixels : {0, 1, 35, 1032})
      CHECK(windows(1, pixels, levels, 1) && windows(3, pixels, levels, 0) && windows(3, pixels, levels, 3) &&
            windows(3, pixels, levels, 1));
}

TEST(metrics_differences_agree) {
  CHECK(differ(1, 1, 1, 0) && differ(3, 17, 23, 1) && differ(2, 5, 300, 2) && differ(2, 131, 129, 0));
  CHECK(differ(2, 0, 4, 0) && differ(0, 4, 4, 0));
}

TEST(metrics_decimate_agrees) {
  CHECK(decimates(1, 1, 1, 2) && decimates(3, 9, 14, 2) && decimates(2, 7, 11, 3) && decimates(1, 5, 4, 1));
  CHECK(decimates(0, 5, 4, 2));
}

TEST(metrics_ssim_agrees) {
  CHECK(compares(1, 11, 11) && compares(2, 19, 43) && compares(1, 26, 12) && compares(0, 11, 11));
  CHECK(compares(1, 7, 7, true) && compares(2, 18, 41, true));
}

}  // namespace sino::test
