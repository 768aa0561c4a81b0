// The Fourier route on CUDA against the CPU: projection, transpose, and the transpose that filters (FBP); and against each other.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/recon/fbp_fourier.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

Scan parallel(int64_t rows, int64_t columns, int64_t bins, int64_t views) {
  Scan s = {Beam::parallel, rows, columns, bins, views};
  s.span_deg = 180;
  return s;
}

using Here = void (*)(const Context&, const FourierArgs&);
using There = void (*)(cuda::Stream, const FourierArgs&);

// float32 sums of a few thousand terms and transforms of as many points, in another order
bool same(Here here, There there, const FourierPlan& plan, int64_t slices, int64_t from, int64_t to) {
  const std::vector<float> input = Numbers(3).floats(size_t(slices * from));
  std::vector<float> expected(size_t(slices * to));
  OnDevice<float> in(input), out(expected.size());
  here(on_cpu(), {plan, slices, input.data(), expected.data()});
  there(nullptr, {plan, slices, in.data(), out.data()});
  return near(out.download(), expected, 2e-6);
}

bool agrees(const Geometry& g, int64_t slices) {
  const auto plan = fourier_plan(g, {});
  return same(cpu::fourier_project, cuda::fourier_project, *plan, slices, g.grid.pixels(), g.rays()) &&
         same(cpu::fourier_transpose, cuda::fourier_transpose, *plan, slices, g.rays(), g.grid.pixels());
}

bool fbp_agrees(const Geometry& g, int64_t slices) {
  const FbpPlan fbp = fbp_plan(g, {});
  return same(cpu::fourier_transpose, cuda::fourier_transpose, *fbp_fourier_plan(fbp), slices, g.rays(),
              g.grid.pixels());
}

}  // namespace

TEST(fourier_route_agrees) {
  CHECK(agrees(geometry(parallel(1, 1, 1, 1)), 1));
  CHECK(agrees(geometry(parallel(13, 22, 27, 5)), 2));
  CHECK(agrees(geometry(parallel(20, 7, 20, 8)), 5));  // a group of four slices and one
  Scan odd = {Beam::parallel, 17, 9, 20, 7, -1, 2.25, 180, 11, 0.8, 1.3, 5, -3};
  CHECK(agrees(geometry(odd), 1));
  CHECK(agrees(geometry(kScans[1]), 1));
}

TEST(fourier_route_of_wide_and_narrow_bins) {
  Scan wide = parallel(24, 24, 7, 5);  // bins of four pixels: frequencies fold
  wide.bin = 4;
  CHECK(agrees(geometry(wide), 1));
  Scan narrow = parallel(9, 9, 61, 3);
  narrow.bin = 0.25;
  CHECK(agrees(geometry(narrow), 1));
}

TEST(fourier_route_over_a_full_turn) {
  Scan full = parallel(15, 15, 21, 12);  // half of the lines mirrored, those along the axes too
  full.span_deg = 360, full.stride = 1;
  CHECK(agrees(geometry(full), 1));
}

TEST(fourier_fbp_agrees) {
  CHECK(fbp_agrees(geometry(parallel(13, 22, 27, 5)), 1));
  Scan sideways = parallel(16, 16, 15, 12);
  sideways.span_deg = 360, sideways.stride = 1, sideways.offset_bins = 5;
  CHECK(fbp_agrees(geometry(sideways), 2));
}

TEST(fourier_transpose_is_adjoint) {
  const Geometry g = geometry(parallel(19, 14, 25, 9));
  const auto plan = fourier_plan(g, {});
  const std::vector<float> x = Numbers(1).floats(size_t(g.grid.pixels())), y = Numbers(2).floats(size_t(g.rays()));
  OnDevice<float> x_d(x), y_d(y), forward(y.size()), backward(x.size());
  cuda::fourier_project(nullptr, {*plan, 1, x_d.data(), forward.data()});
  cuda::fourier_transpose(nullptr, {*plan, 1, y_d.data(), backward.data()});
  const std::vector<float> ax = forward.download(), aty = backward.download();
  double a = 0, b = 0, scale = 0;
  for (size_t i = 0; i < y.size(); i++) a += double(ax[i]) * y[i], scale += std::fabs(double(ax[i]) * y[i]);
  for (size_t i = 0; i < x.size(); i++) b += double(aty[i]) * x[i];
  CHECK(std::fabs(a - b) < 1e-6 * scale);
}

TEST(fourier_route_of_no_slices) {
  OnDevice<float> any(std::vector<float>{1});
  const auto plan = fourier_plan(geometry(parallel(5, 5, 7, 2)), {});
  cuda::fourier_project(nullptr, {*plan, 0, any.data(), any.data()});
  cuda::fourier_transpose(nullptr, {*plan, 0, any.data(), any.data()});
  CHECK(any.download()[0] == 1);
}

#if !defined(__CUDACC__)
TEST(fourier_route_of_lines_beyond_shared_memory) {
  const auto before = simt::device().properties;
  simt::device().properties.sharedMemPerBlockOptin = 1 << 9;
  simt::device().properties.multiProcessorCount = 1;  // blocks take several lines each
  const bool ok = agrees(geometry(parallel(9, 12, 80, 3)), 2);
  simt::device().properties = before;
  CHECK(ok);
}
#endif

}  // namespace sino::test
