// Projection, transpose and FBP without Node. The TypeScript tests go further; this is what runs where there is only a compiler.
#include <cmath>
#include <random>

#include "native/recon/fbp_rebinned.h"
#include "native/test/check.h"

namespace sino::test {

namespace {

std::vector<float> uniform(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random()) / 4294967296.0f;
  return values;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i++) sum += double(a[i]) * b[i];
  return sum;
}

void check_adjoint(const Geometry& g) {
  for (int64_t slices : {1, 5, 17}) {
    Bench bench;
    const Backend& backend = cpu_backend();
    const auto x = uniform(slices * g.grid.pixels(), 1), y = uniform(slices * g.rays(), 2);
    std::vector<float> ax(y.size()), aty(x.size());
    backend.joseph_project(bench.context, {g, slices, x.data(), ax.data()});
    backend.joseph_transpose(bench.context, {g, slices, y.data(), aty.data()});
    CHECK(std::fabs(dot(ax, y) / dot(x, aty) - 1) < 1e-6);
  }
}

void check_fbp(const Geometry& g, bool rebinned = false) {
  Bench bench;
  const Backend& backend = cpu_backend();
  const int64_t n = g.grid.rows;
  std::vector<float> image(n * n), sinogram(g.rays()), result(n * n);
  const double sigma = n / 10.0;
  for (int64_t r = 0; r < n; r++)
    for (int64_t c = 0; c < n; c++) {
      const double x = g.grid.x0 + c * g.grid.dx - n / 8.0, y = g.grid.y0 - r * g.grid.dy + n / 10.0;
      image[r * n + c] = static_cast<float>(std::exp(-(x * x + y * y) / (2 * sigma * sigma)));
    }
  backend.joseph_project(bench.context, {g, 1, image.data(), sinogram.data()});
  if (rebinned)
    fbp_rebinned(bench.context, backend, rebinned_plan(g, {}), 1, sinogram.data(), result.data());
  else
    fbp(bench.context, backend, fbp_plan(g, {}), 1, sinogram.data(), result.data());
  double error = 0, norm = 0;
  for (size_t i = 0; i < image.size(); i++) {
    error += (result[i] - image[i]) * (result[i] - image[i]);
    norm += image[i] * image[i];
  }
  CHECK(std::sqrt(error / norm) < 3e-3);
}

}  // namespace

TEST(adjoint_parallel) { check_adjoint(parallel(61, 40, 90)); }
TEST(adjoint_flat_fan) { check_adjoint(fan(Beam::flat, 61, 40, 90)); }
TEST(adjoint_arc_fan) { check_adjoint(fan(Beam::arc, 61, 40, 90)); }
TEST(fbp_parallel) { check_fbp(parallel(128, 200, 185)); }
TEST(fbp_flat_fan) { check_fbp(fan(Beam::flat, 128, 300, 230)); }
TEST(fbp_arc_fan) { check_fbp(fan(Beam::arc, 128, 300, 230)); }
TEST(fbp_rebinned_flat_fan) { check_fbp(fan(Beam::flat, 128, 300, 230), true); }
TEST(fbp_rebinned_arc_fan) { check_fbp(fan(Beam::arc, 128, 301, 230), true); }

}  // namespace sino::test
