// noise_power, edge_line, edge_spread and channel_response on CUDA against the CPU: double on both sides.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool powers_agree(int64_t slices, int64_t size, int order, const std::vector<int64_t>& places) {
  constexpr int64_t kRows = 21, kColumns = 26;
  const std::vector<float> image = Numbers(1).floats(size_t(slices * kRows * kColumns));
  OnDevice<float> in(image);
  OnDevice<double> out(size_t(size * size));
  std::vector<double> expected(size_t(size * size));
  cpu::noise_power(on_cpu(), {slices, kRows, kColumns, size, order, places, image.data(), expected.data()});
  cuda::noise_power(nullptr, {slices, kRows, kColumns, size, order, places, in.data(), out.data()});
  return close(out.download(), expected, 1e-10);
}

// A slanted edge, steeper than 45° or not, and noise.
std::vector<float> edges(int64_t slices, int64_t rows, int64_t columns, double by_row, double by_column) {
  std::vector<float> image = Numbers(2).floats(size_t(slices * rows * columns));
  for (size_t i = 0; i < image.size(); i++) {
    const int64_t pixel = int64_t(i) % (rows * columns);
    const double t = by_row * double(pixel / columns - rows / 2) + by_column * double(pixel % columns - columns / 2);
    image[i] = 0.01f * image[i] + float(std::tanh(t));
  }
  return image;
}

bool lines_agree(int64_t slices, int64_t rows, int64_t columns, double by_row, double by_column) {
  const std::vector<float> image = edges(slices, rows, columns, by_row, by_column);
  OnDevice<float> in(image);
  OnDevice<double> out(size_t(4 * slices));
  std::vector<double> expected(size_t(4 * slices));
  cpu::edge_line(on_cpu(), {slices, rows, columns, 4, image.data(), expected.data()});
  cuda::edge_line(nullptr, {slices, rows, columns, 4, in.data(), out.data()});
  return close(out.download(), expected, 1e-9);
}

bool spreads_agree(int64_t rows, int64_t columns, int64_t bins, double width, double reach) {
  const std::vector<double> lines = {
      4.3, 6.1, 0.8,  0.6,   0,    // row, column, cosine, sine, radius
      4.3, 6.1, -0.1, 0.995, 0,    // across rows
      5,   3.5, 0,    1,     0,    // along them
      5.2, 7.1, 0,    0,     4.7,  // a circle
      -20, -20, 1,    0,     0,    // away from everything
      5,   7,   1,    0,     0,    // pixels on borders of bins
  };
  const int64_t slices = int64_t(lines.size() / 5);
  const std::vector<float> image = Numbers(3).floats(size_t(slices * rows * columns));
  const size_t size = size_t(slices * bins);
  OnDevice<float> in(image);
  OnDevice<double> edges_d(lines), sums(size), counts(size);
  std::vector<double> expected(size), counted(size);
  cpu::edge_spread(on_cpu(), {slices, rows, columns, bins, width, reach, lines.data(), image.data(), expected.data(),
                              counted.data()});
  cuda::edge_spread(nullptr,
                    {slices, rows, columns, bins, width, reach, edges_d.data(), in.data(), sums.data(), counts.data()});
  double all = 0;
  for (double n : counted) all += n;
  return all > 0 && close(counts.download(), counted, 0) && close(sums.download(), expected, 1e-10);
}

bool responses_agree(int64_t slices, int64_t rows, int64_t columns, int channels) {
  const std::vector<float> image = Numbers(4).floats(size_t(slices * rows * columns));
  OnDevice<float> in(image);
  OnDevice<double> out(size_t(slices * channels));
  std::vector<double> expected(size_t(slices * channels));
  cpu::channel_response(on_cpu(), {slices, rows, columns, channels, 4.4, 5.2, 6.5, image.data(), expected.data()});
  cuda::channel_response(nullptr, {slices, rows, columns, channels, 4.4, 5.2, 6.5, in.data(), out.data()});
  return close(out.download(), expected, 1e-10);
}

}  // namespace

TEST(noise_power_agrees) {
  CHECK(powers_agree(1, 1, 0, {3, 4}));
  CHECK(powers_agree(2, 5, 1, {0, 0, 16, 21, 3, 4}));
  CHECK(powers_agree(1, 12, 2, {9, 14, 2, 1}));
  CHECK(powers_agree(3, 2, 2, {7, 7}));  // terms that it cannot tell apart
  CHECK(powers_agree(0, 3, 0, {7, 7}));
}

TEST(edge_line_agrees) {
  CHECK(lines_agree(1, 17, 23, 0.2, 1) && lines_agree(2, 19, 11, 1, -0.3));
  CHECK(lines_agree(1, 1, 1, 0, 1) && lines_agree(1, 1, 9, 0, 1) && lines_agree(0, 5, 5, 0, 1));
}

TEST(edge_spread_agrees) {
  CHECK(spreads_agree(11, 14, 24, 0.25, 3));
  CHECK(spreads_agree(9, 300, 7, 1, 3));
  CHECK(spreads_agree(1, 1, 3, 5, 7));
}

TEST(channel_response_agrees) {
  CHECK(responses_agree(2, 9, 13, 6) && responses_agree(1, 1, 1, 1) && responses_agree(1, 17, 31, kMostChannels));
  CHECK(responses_agree(0, 3, 3, 2));
}

}  // namespace sino::test
