// axpy, reciprocal and total_variation on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

constexpr float kAny = INFINITY;

// Which of x, weights, y there are: bits 0, 1, 2; bit 3: sums alone.
bool sums_agree(int64_t slices, int64_t length, int has, float low, float high) {
  const std::vector<float> x = Numbers(1).floats(size_t(slices * length)), y = Numbers(2).floats(x.size()),
                           w = Numbers(3).floats(size_t(length));
  OnDevice<float> x_d(x), y_d(y), w_d(w), out_d(x.size());
  std::vector<float> expected(x.size());
  std::vector<double> a, b = {-0.7}, here(size_t(slices), 7), there(size_t(slices), 7);
  for (int64_t s = 0; s < slices; s++) a.push_back(0.3 + double(s));
  const auto args = [&](bool device) {
    return AxpyArgs{slices,
                    length,
                    a,
                    has & 1 ? (device ? x_d.data() : x.data()) : nullptr,
                    b,
                    has & 2 ? (device ? w_d.data() : w.data()) : nullptr,
                    has & 4 ? (device ? y_d.data() : y.data()) : nullptr,
                    low,
                    high,
                    has & 8  ? nullptr
                    : device ? out_d.data()
                             : expected.data(),
                    device ? there.data() : here.data()};
  };
  cpu::axpy(on_cpu(), args(false));
  cuda::axpy(nullptr, args(true));
  return close(there, here, 1e-4 * double(length)) && ((has & 8) || close(out_d.download(), expected, 1e-6));
}

bool reciprocals_agree(int64_t count, bool has_mask) {
  const std::vector<float> values = Numbers(4).floats(size_t(count)), mask = Numbers(5).floats(size_t(count));
  OnDevice<float> values_d(values), mask_d(mask), out_d(values.size());
  std::vector<float> expected(values.size());
  cpu::reciprocal(on_cpu(), {count, 0.9f, 0.05f, values.data(), has_mask ? mask.data() : nullptr, expected.data()});
  cuda::reciprocal(nullptr, {count, 0.9f, 0.05f, values_d.data(), has_mask ? mask_d.data() : nullptr, out_d.data()});
  return close(out_d.download(), expected, 1e-5);
}

bool variation_agrees(int64_t slices, int64_t rows, int64_t columns, bool has_curvature, bool has_dual, float low) {
  const size_t count = size_t(slices * rows * columns);
  const std::vector<float> z = Numbers(6).floats(count);
  std::vector<float> c = Numbers(7).floats(size_t(rows * columns)), dual = Numbers(8).floats(2 * count),
                     expected(count);
  for (float& v : c) v = v < -0.5f ? 0 : 1 + v;
  for (float& v : dual) v *= 0.5f;
  // what points beyond the border is always zero
  for (int64_t i = 0; i < int64_t(dual.size()); i++) {
    const bool down = i / (rows * columns) % 2;
    if (down ? i / columns % rows == rows - 1 : i % columns == columns - 1) dual[size_t(i)] = 0;
  }
  OnDevice<float> z_d(z), c_d(c), dual_d(dual), out_d(count);
  const std::vector<double> weights = {0.3};
  cpu::total_variation(on_cpu(), {slices, rows, columns, weights, has_curvature ? c.data() : nullptr, low, kAny, 7,
                                  z.data(), expected.data(), has_dual ? dual.data() : nullptr, false});
  cuda::total_variation(nullptr, {slices, rows, columns, weights, has_curvature ? c_d.data() : nullptr, low, kAny, 7,
                                  z_d.data(), out_d.data(), has_dual ? dual_d.data() : nullptr, false});
  return close(out_d.download(), expected, 1e-5) && (!has_dual || close(dual_d.download(), dual, 1e-4));
}

}  // namespace

TEST(axpy_agrees) {
  for (int has : {0, 1, 4, 5, 6, 7, 9, 15}) CHECK(sums_agree(2, 131, has, -kAny, kAny));
  CHECK(sums_agree(1, 1, 7, -kAny, kAny));
  CHECK(sums_agree(3, 257, 7, -0.5f, 0.9f));
  CHECK(sums_agree(1, (1 << 14) + 3, 5, 0, kAny));
  CHECK(sums_agree(2, 0, 5, 0, kAny));
}

TEST(reciprocal_agrees) {
  CHECK(reciprocals_agree(1, false));
  CHECK(reciprocals_agree(301, true));
  CHECK(reciprocals_agree(0, false));
}

TEST(total_variation_agrees) {
  CHECK(variation_agrees(1, 1, 1, false, false, -kAny));
  CHECK(variation_agrees(1, 1, 9, false, true, -kAny));
  CHECK(variation_agrees(2, 13, 1, true, false, -kAny));
  CHECK(variation_agrees(2, 11, 17, true, true, -0.2f));
  CHECK(variation_agrees(0, 5, 5, false, false, 0));
}

}  // namespace sino::test
