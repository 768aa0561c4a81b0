// joseph on CUDA, both ways, against plain loops over native/ops/joseph.h in double, and against each other.
#include "cuda/operations.h"
#include "native/ops/joseph.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

// visit(ray's index, pixel's index, weight) for all that meet.
template <typename Visit>
void each_weight(const Geometry& g, const Visit& visit) {
  for (int64_t i = 0; i < g.rays(); i++) {
    const double u = (double(i % g.bins) - g.centre) * g.pitch;
    const JosephRay ray = joseph_ray(g.grid, ray_at(g.beam, g.sod, g.poses[i / g.bins], u));
    for (int32_t m = ray.first; m < ray.last; m++) {
      const JosephPlace place = joseph_place(ray.start + m * ray.slope);
      for (int side : {0, 1}) {
        const int64_t at = place.index - 1 + side, pixels = ray.along_rows ? g.grid.columns : g.grid.rows;
        const double weight = double(ray.weight) * (side ? place.fraction : 1 - double(place.fraction));
        if (at >= 0 && at < pixels)
          visit(i, ray.along_rows ? m * g.grid.columns + at : at * g.grid.columns + m, weight);
      }
    }
  }
}

bool projection_agrees(const Geometry& g, int64_t slices) {
  const int64_t pixels = g.grid.pixels(), rays = g.rays();
  const std::vector<float> images = Numbers(uint32_t(g.bins)).floats(size_t(slices * pixels));
  std::vector<double> sums(size_t(slices * rays));
  each_weight(g, [&](int64_t ray, int64_t pixel, double weight) {
    for (int64_t s = 0; s < slices; s++) sums[s * rays + ray] += weight * images[s * pixels + pixel];
  });
  OnDevice<float> in(images), out(sums.size());
  cuda::joseph_project(nullptr, {g, slices, in.data(), out.data()});
  return near(out.download(), {sums.begin(), sums.end()}, 3e-6);  // places err by 2e-6 of a pixel
}

bool transpose_agrees(const Geometry& g, int64_t slices, double tolerance = 5e-6) {
  const int64_t pixels = g.grid.pixels(), rays = g.rays();
  const std::vector<float> sinograms = Numbers(uint32_t(g.bins)).floats(size_t(slices * rays));
  std::vector<double> sums(size_t(slices * pixels));
  each_weight(g, [&](int64_t ray, int64_t pixel, double weight) {
    for (int64_t s = 0; s < slices; s++) sums[s * pixels + pixel] += weight * sinograms[s * rays + ray];
  });
  OnDevice<float> in(sinograms), out(sums.size());
  cuda::joseph_transpose(nullptr, {g, slices, in.data(), out.data()});
  return near(out.download(), {sums.begin(), sums.end()},
              tolerance);  // places err by 1e-7 of the bins that a tile spans
}

Scan fine_bins(Beam beam) {
  Scan scan = {beam, 9, 33, 150, 3};
  scan.bin = 0.2;
  return scan;
}

}  // namespace

TEST(joseph_project_agrees_with_its_definition) {
  for (const Scan& scan : kScans) CHECK(projection_agrees(geometry(scan), 1));
  for (int64_t slices : {2, 3, 5}) CHECK(projection_agrees(geometry(kScans[slices]), slices));
  for (Beam beam : {Beam::parallel, Beam::flat, Beam::arc}) CHECK(projection_agrees(geometry(fine_bins(beam)), 1));
}

TEST(joseph_transpose_is_the_transpose) {
  for (const Scan& scan : kScans) {
    const Geometry g = geometry(scan);
    const std::vector<float> x = Numbers(1).floats(size_t(g.grid.pixels())), y = Numbers(2).floats(size_t(g.rays()));
    OnDevice<float> image(x), sinogram(y), projected(y.size()), transposed(x.size());
    cuda::joseph_project(nullptr, {g, 1, image.data(), projected.data()});
    cuda::joseph_transpose(nullptr, {g, 1, sinogram.data(), transposed.data()});
    const std::vector<float> ax = projected.download(), aty = transposed.download();
    double left = 0, right = 0, scale = 1e-30;
    for (size_t i = 0; i < y.size(); i++) left += double(ax[i]) * y[i], scale += std::fabs(double(ax[i]) * y[i]);
    for (size_t i = 0; i < x.size(); i++) right += double(aty[i]) * x[i];
    CHECK(std::fabs(left - right) < 1e-6 * scale);
  }
}

TEST(joseph_of_no_slices) {
  OnDevice<float> any(std::vector<float>{1});
  cuda::joseph_project(nullptr, {geometry(kScans[0]), 0, any.data(), any.data()});
  cuda::joseph_transpose(nullptr, {geometry(kScans[0]), 0, any.data(), any.data()});
  CHECK(any.download()[0] == 1);
}

TEST(joseph_transpose_agrees_with_its_definition) {
  for (const Scan& scan : kScans) CHECK(transpose_agrees(geometry(scan), 1));
  for (int64_t slices : {2, 3, 5}) CHECK(transpose_agrees(geometry(kScans[slices]), slices));
}

TEST(joseph_transpose_adds_the_parts_of_many_views) {
  CHECK(transpose_agrees(geometry({Beam::flat, 5, 7, 9, 131}), 1));
}

TEST(joseph_transpose_of_bins_too_fine_for_its_window) {
  for (Beam beam : {Beam::parallel, Beam::flat, Beam::arc}) CHECK(transpose_agrees(geometry(fine_bins(beam)), 3));
}

}  // namespace sino::test
