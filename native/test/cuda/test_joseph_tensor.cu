// joseph's projection on tensor cores against the float32 kernel, which is tested against the definition: batches of 16 and more.
#include "cuda/operations.h"
#include "native/ops/joseph.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

constexpr double kHalf = 2e-4, kSplit = 1e-6;  // of images that are positive, with noise

bool agrees(const Geometry& g, int64_t slices, cuda::Precision precision, double most) {
  std::vector<float> images = Numbers(uint32_t(g.bins)).floats(size_t(slices * g.grid.pixels()));
  for (float& v : images) v = 1 + 0.5f * v;
  OnDevice<float> in(images), single(size_t(slices * g.rays())), out(size_t(slices * g.rays()));
  cuda::joseph_project(nullptr, {g, slices, in.data(), single.data()});
  cuda::joseph_project(nullptr, {g, slices, in.data(), out.data()}, precision);
  const double error = relative_l2(out.download(), single.download());
  if (!(error <= most)) std::printf("relative error %.3g, at most %.3g\n", error, most);
  return error <= most;
}

// Views close by, as the products want them; every direction of the rays, and both in one view.
Scan close_by(Beam beam, double first_deg, int64_t rows = 13, int64_t columns = 33) {
  Scan scan = {beam, rows, columns, 41, 17, 1, 0.3, 8, first_deg};
  scan.stride = 1;
  return scan;
}

}  // namespace

TEST(joseph_project_of_batches_in_halves) {
  CHECK(agrees(geometry(close_by(Beam::parallel, 11)), 17, cuda::Precision::half, kHalf));
  CHECK(agrees(geometry(close_by(Beam::flat, 80)), 33, cuda::Precision::half, kHalf));
  CHECK(agrees(geometry(close_by(Beam::arc, 40, 35, 9)), 97, cuda::Precision::half, kHalf));
}

TEST(joseph_project_of_batches_in_split_halves) {
  for (Beam beam : {Beam::parallel, Beam::flat, Beam::arc})
    CHECK(agrees(geometry(close_by(beam, 42, 35, 33)), 16, cuda::Precision::split, kSplit));
  CHECK(agrees(geometry(kScans[0]), 33, cuda::Precision::split, kSplit));
}

TEST(joseph_project_of_batches_ray_by_ray) {  // far from the axis a block's views lie too far apart for its window
  Scan scan = {Beam::parallel, 4, 400, 33, 3, 1, 0, 30, 0, 1, 1, 0, 400};
  scan.stride = 1;
  CHECK(agrees(geometry(scan), 16, cuda::Precision::split, kSplit));
  CHECK(agrees(geometry(scan), 17, cuda::Precision::half, kHalf));
}

TEST(joseph_project_of_batches_falls_back_where_views_are_far_apart) {
  for (int i : {4, 5}) CHECK(agrees(geometry(kScans[i]), 16, cuda::Precision::half, kHalf));
}

}  // namespace sino::test
