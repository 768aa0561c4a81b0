// Medians, fits, slopes, bounds and masks on CUDA against the CPU: nothing, one value, ties, signs, what is not finite.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

std::vector<float> values(int64_t count, uint32_t seed) {
  std::vector<float> v = Numbers(seed).floats(size_t(count));
  for (size_t i = 0; i < v.size(); i++) v[i] = i % 11 == 3 ? NAN : i % 13 == 5 ? -INFINITY : i % 5 == 1 ? 0.25f : v[i];
  return v;
}
std::vector<uint8_t> some(int64_t count) {
  std::vector<uint8_t> v;
  for (int64_t i = 0; i < count; i++) v.push_back(i % 7 != 2);
  return v;
}

}  // namespace

TEST(quantiles_agree) {
  for (const int64_t count : {0, 1, 2, 7, 4001})
    for (const bool magnitudes : {false, true}) {
      const std::vector<float> input = values(count, 1);
      const std::vector<uint8_t> where = some(count);
      OnDevice<float> in(input);
      OnDevice<uint8_t> where_d(where);
      std::vector<double> expected(6, 7), found(6, 8);
      QuantilesArgs args = {count, input.data(), nullptr, magnitudes, 4, {0, 0.5, 0.95, 1}, expected.data()};
      for (const bool everywhere : {false, true}) {
        args.input = input.data(), args.where = everywhere ? nullptr : where.data(), args.result = expected.data();
        cpu::quantiles(on_cpu(), args);
        args.input = in.data(), args.where = everywhere ? nullptr : where_d.data(), args.result = found.data();
        cuda::quantiles(nullptr, args);
        CHECK(close(found, expected, 1e-12));
      }
    }
}

TEST(fits_agree) {
  for (const int64_t count : {0, 1, 3, 2003})
    for (const int order : {1, 2})
      for (const bool weighed : {false, true}) {
        const std::vector<float> x = values(count, 2);
        std::vector<float> y = values(count, 3), weights = Numbers(4).floats(size_t(count));
        for (size_t i = 0; i < y.size(); i++)
          y[i] = 0.3f * x[i] - 0.1f * x[i] * x[i] + 0.01f * y[i] * float(i % 9 == 0);
        for (float& w : weights) w = std::fabs(w);
        const std::vector<uint8_t> where = some(count);
        OnDevice<float> x_d(x), y_d(y), weights_d(weights);
        OnDevice<uint8_t> where_d(where);
        std::vector<double> expected(4, 7), found(4, 7);
        cpu::fit_powers(on_cpu(), {count, x.data(), y.data(), weighed ? weights.data() : nullptr, where.data(), order,
                                   6, expected.data()});
        cuda::fit_powers(nullptr, {count, x_d.data(), y_d.data(), weighed ? weights_d.data() : nullptr, where_d.data(),
                                   order, 6, found.data()});
        CHECK(close(found, expected, 1e-6));  // residuals are rounded to float before they are ranked
      }
}

TEST(mean_gradients_agree) {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {2, 9}, {3, 3}, {29, 41}}) {
    const std::vector<float> input = values(rows * columns, 5);
    const std::vector<uint8_t> where = some(rows * columns);
    OnDevice<float> in(input);
    OnDevice<uint8_t> where_d(where);
    std::vector<double> expected(2), found(2);
    cpu::mean_gradient(on_cpu(), {rows, columns, input.data(), where.data(), expected.data()});
    cuda::mean_gradient(nullptr, {rows, columns, in.data(), where_d.data(), found.data()});
    CHECK(close(found, expected, 1e-12));
  }
}

TEST(bounds_agree) {
  for (const int64_t every : {1, 40, 100000}) {
    constexpr int64_t kRows = 37, kColumns = 43;
    std::vector<uint8_t> mask(kRows * kColumns);
    for (int64_t i = 5 * kColumns; i < kRows * kColumns; i++) mask[size_t(i)] = i % every == every / 2;
    OnDevice<uint8_t> mask_d(mask);
    std::vector<int64_t> expected(5), found(5);
    cpu::bounds(on_cpu(), {kRows, kColumns, mask.data(), expected.data()});
    cuda::bounds(nullptr, {kRows, kColumns, mask_d.data(), found.data()});
    CHECK(close(found, expected, 0));
  }
}

TEST(metal_masks_agree) {
  for (const int64_t groups : {0, 1, 4}) {
    constexpr int64_t kCount = 3001;
    std::vector<float> input = values(kCount, 6);
    std::vector<int32_t> labels;
    for (int64_t i = 0; i < kCount; i++) {
      labels.push_back(int32_t(i / 300 % 6));                // 0 and 5 are no groups where there are four
      input[size_t(i)] *= float(1 + labels.back() * 3 % 5);  // strong and weak ones
    }
    if (groups == 4)
      for (int64_t i = 0; i < kCount; i++)
        labels[size_t(i)] = labels[size_t(i)] == 3 ? 2 : labels[size_t(i)];  // none of 3
    OnDevice<float> in(input);
    OnDevice<int32_t> labels_d(labels);
    std::vector<uint8_t> mask(kCount);
    OnDevice<uint8_t> mask_d(kCount);
    double expected = 1, found = 2;
    cpu::metal_mask(on_cpu(), {kCount, input.data(), labels.data(), groups, 0.3f, 0.4f, 2, mask.data(), &expected});
    cuda::metal_mask(nullptr, {kCount, in.data(), labels_d.data(), groups, 0.3f, 0.4f, 2, mask_d.data(), &found});
    CHECK(found == expected);
    CHECK(close(mask_d.download(), mask, 0));
  }
}

}  // namespace sino::test
