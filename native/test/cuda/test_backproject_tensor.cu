// backproject on tensor cores against the CPU: batches of 16 and more.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

// Of 5 views and more; the errors of halves average out further over hundreds. The twin on AVX-512 itself is 2e-6 off in fans: it
// keeps a place's index in the lowest bits of its weight.
constexpr double kHalf = 2e-4, kSplit = 2e-6;

bool agrees(const Geometry& g, int64_t slices, cuda::Precision precision, double most) {
  // round bodies with some noise, as sinograms are: rounding to halves averages out
  std::vector<float> sinograms = Numbers(uint32_t(g.bins)).floats(size_t(slices * g.rays()));
  for (size_t i = 0; i < sinograms.size(); i++) {
    const double t = (2 * double(i % g.bins) + 1) / double(g.bins) - 1;
    sinograms[i] = float(std::sqrt(1 - t * t) + 0.1 * sinograms[i]);
  }
  std::vector<float> expected(size_t(slices * g.grid.pixels()));
  cpu::backproject(on_cpu(), {g, slices, sinograms.data(), expected.data()});
  OnDevice<float> in(sinograms), out(expected.size());
  cuda::backproject(nullptr, {g, slices, in.data(), out.data()}, precision);
  const double error = relative_l2(out.download(), expected);
  if (!(error <= most)) std::printf("relative error %.3g, at most %.3g\n", error, most);
  return error <= most;
}

}  // namespace

TEST(backproject_of_batches_in_halves) {
  CHECK(agrees(geometry(kScans[4]), 17, cuda::Precision::half, kHalf));
  CHECK(agrees(geometry(kScans[5]), 33, cuda::Precision::half, kHalf));
  CHECK(agrees(geometry(kScans[3]), 97, cuda::Precision::half, kHalf));  // 64 and 33 slices
  CHECK(
      agrees(geometry({Beam::parallel, 9, 35, 12, 70}), 16, cuda::Precision::half, kHalf));  // more views than one look
}

TEST(backproject_of_batches_in_split_halves) {
  for (int i : {1, 5, 6}) CHECK(agrees(geometry(kScans[i]), 16, cuda::Precision::split, kSplit));
  CHECK(agrees(geometry(kScans[0]), 33, cuda::Precision::split, kSplit));
}

TEST(backproject_of_batches_falls_back_where_bins_are_too_fine) {
  Scan fine = {Beam::parallel, 9, 33, 150, 3};
  fine.bin = 0.05;
  CHECK(agrees(geometry(fine), 16, cuda::Precision::split, 3e-5));  // places among 650 bins, in float32
}

TEST(backproject_of_batches_at_any_scale) {
  const Geometry g = geometry(kScans[1]);
  for (float scale : {1e-30f, 1e30f, 0.f}) {
    std::vector<float> sinograms = Numbers(3).floats(size_t(16 * g.rays()));
    for (float& v : sinograms) v *= scale;
    std::vector<float> expected(size_t(16 * g.grid.pixels()));
    cpu::backproject(on_cpu(), {g, 16, sinograms.data(), expected.data()});
    OnDevice<float> in(sinograms), out(expected.size());
    cuda::backproject(nullptr, {g, 16, in.data(), out.data()}, cuda::Precision::split);
    CHECK(near(out.download(), expected, scale == 0 ? 1e-30 : 1e-5));
  }
}

}  // namespace sino::test
