// joseph on CUDA, both ways, against the CPU and against each other.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

bool transpose_agrees(const Geometry& g, int64_t slices, double tolerance = 1e-5) {
  const std::vector<float> sinograms = Numbers(uint32_t(g.bins)).floats(size_t(slices * g.rays()));
  std::vector<float> expected(size_t(slices * g.grid.pixels()));
  cpu::joseph_transpose(on_cpu(), {g, slices, sinograms.data(), expected.data()});
  OnDevice<float> in(sinograms), out(expected.size());
  cuda::joseph_transpose(nullptr, {g, slices, in.data(), out.data()});
  // places err by 1e-7 of the bins that a tile spans
  return near(out.download(), expected, tolerance);
}

Scan fine_bins(Beam beam) {
  Scan scan = {beam, 9, 33, 150, 3};
  scan.bin = 0.3;
  return scan;
}

}  // namespace

TEST(joseph_transpose_agrees_with_the_cpu) {
  for (const Scan& scan : kScans) CHECK(transpose_agrees(geometry(scan), 1));
  for (int64_t slices : {2, 3, 5}) CHECK(transpose_agrees(geometry(kScans[slices]), slices));
}

TEST(joseph_transpose_adds_the_parts_of_many_views) {
  CHECK(transpose_agrees(geometry({Beam::flat, 5, 7, 9, 131}), 1));
}

TEST(joseph_transpose_of_bins_too_fine_for_its_window) {
  for (Beam beam : {Beam::parallel, Beam::flat, Beam::arc})
    CHECK(transpose_agrees(geometry(fine_bins(beam)), 3, 5e-5));
}

}  // namespace sino::test
