// backproject on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

bool agrees(const Geometry& g, int64_t slices, double tolerance = 1e-5) {
  const std::vector<float> sinograms = Numbers(uint32_t(g.bins)).floats(size_t(slices * g.rays()));
  std::vector<float> expected(size_t(slices * g.grid.pixels()));
  cpu::backproject(on_cpu(), {g, slices, sinograms.data(), expected.data()});
  OnDevice<float> in(sinograms), out(expected.size());
  cuda::backproject(nullptr, {g, slices, in.data(), out.data()});
  // places err by 1e-7 of the bins that a tile spans, where neighbours differ by up to 2
  return near(out.download(), expected, tolerance);
}

}  // namespace

TEST(backproject_agrees_with_the_cpu) {
  for (const Scan& scan : kScans) CHECK(agrees(geometry(scan), 1));
  for (int64_t slices : {2, 3, 5}) CHECK(agrees(geometry(kScans[slices]), slices));
}

TEST(backproject_adds_the_parts_of_many_views) { CHECK(agrees(geometry({Beam::flat, 5, 7, 9, 131}), 1)); }

TEST(backproject_of_bins_too_fine_for_its_window) {
  for (Beam beam : {Beam::parallel, Beam::flat, Beam::arc}) {
    Scan fine = {beam, 9, 33, 150, 3};
    fine.bin = 0.2;
    CHECK(agrees(geometry(fine), 3, 5e-5));
  }
}

TEST(backproject_of_no_slices) {
  OnDevice<float> any(std::vector<float>{1});
  cuda::backproject(nullptr, {geometry(kScans[0]), 0, any.data(), any.data()});
  CHECK(any.download()[0] == 1);
}

}  // namespace sino::test
