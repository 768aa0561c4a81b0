// gaussian on CUDA against the two-dimensional sum of its definition, in double.
#include <algorithm>

#include "cuda/operations.h"
#include "native/ops/gaussian.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

std::vector<double> smoothed(const GaussianArgs& a, const std::vector<float>& image) {
  const auto weights = [](double sigma, int64_t radius) {
    std::vector<double> w;
    double sum = 0;
    for (int64_t k = -radius; k <= radius; k++)
      w.push_back(sigma > 0 ? std::exp(-0.5 * double(k * k) / (sigma * sigma)) : k == 0);
    for (double v : w) sum += v;
    for (double& v : w) v /= sum;
    return w;
  };
  const std::vector<double> down = weights(a.sigma_row, a.radius_row),
                            across = weights(a.sigma_column, a.radius_column);
  std::vector<double> out(image.size());
  for (int64_t i = 0; i < int64_t(image.size()); i++) {
    const int64_t x = i % a.columns, y = i / a.columns % a.rows, slice = i / (a.rows * a.columns);
    for (int64_t j = -a.radius_row; j <= a.radius_row; j++)
      for (int64_t k = -a.radius_column; k <= a.radius_column; k++) {
        const int64_t r = std::clamp<int64_t>(y + j, 0, a.rows - 1), c = std::clamp<int64_t>(x + k, 0, a.columns - 1);
        out[i] += down[j + a.radius_row] * across[k + a.radius_column] * image[(slice * a.rows + r) * a.columns + c];
      }
  }
  return out;
}

bool agrees(int64_t slices, int64_t rows, int64_t columns, double sigma_row, double sigma_column, int64_t radius_row,
            int64_t radius_column) {
  const std::vector<float> image = Numbers(uint32_t(rows * columns)).floats(size_t(slices * rows * columns));
  OnDevice<float> in(image), out(image.size());
  const GaussianArgs args = {slices,     rows,          columns,   sigma_row, sigma_column,
                             radius_row, radius_column, in.data(), out.data()};
  cuda::gaussian(nullptr, args);
  return close(out.download(), smoothed(args, image), 1e-6);  // float32 sums of values up to 1
}

}  // namespace

TEST(gaussian_agrees_with_its_definition) {
  CHECK(agrees(1, 1, 1, 1, 1, 2, 2));
  CHECK(agrees(2, 17, 5, 1, 1, 2, 2));
  CHECK(agrees(1, 3, 131, 0.6, 2, 2, 8));
  CHECK(agrees(3, 9, 128, 1.7, 0, 7, 3));
  CHECK(agrees(1, 23, 129, 0, 1, 4, 1));
  CHECK(agrees(1, 9, 400, 1, 5, 2, 20));  // a tile with margins on both sides
  CHECK(agrees(1, 5, 260, 3, 40, 12, 150));
}

TEST(gaussian_of_nothing_is_nothing) {
  OnDevice<float> any(std::vector<float>{1});
  cuda::gaussian(nullptr, {0, 5, 5, 1, 1, 2, 2, any.data(), any.data()});
  cuda::gaussian(nullptr, {2, 0, 5, 1, 1, 2, 2, any.data(), any.data()});
  CHECK(any.download()[0] == 1);
}

TEST(gaussian_spreads_nan_over_its_kernel_only) {
  std::vector<float> image(11 * 13);
  image[5 * 13 + 6] = NAN;
  OnDevice<float> in(image), out(image.size());
  cuda::gaussian(nullptr, {1, 11, 13, 1, 1, 2, 3, in.data(), out.data()});
  const std::vector<float> found = out.download();
  for (int i = 0; i < 11 * 13; i++)
    CHECK(std::isnan(found[i]) == (std::abs(i / 13 - 5) <= 2 && std::abs(i % 13 - 6) <= 3));
}

}  // namespace sino::test
