// rebin on CUDA against the CPU.
#include <numeric>

#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

enum class Shares { halves, per_ray };

bool agrees(Beam beam, int64_t bins, int64_t views, int64_t slices, double pitch, Shares shares) {
  GeometryDescription d;
  d.beam = beam;
  d.rows = d.columns = 8, d.bins = bins;
  d.sod = 40, d.pitch = beam == Beam::arc ? pitch / d.sod : pitch;
  for (int64_t v = 0; v < views; v++) d.angles_deg.push_back(360.0 * double(v) / double(views));
  const Geometry fan = make_geometry(d);
  d.beam = Beam::parallel;
  d.pitch = 0.8, d.bins = bins + 3;
  d.angles_deg.resize(size_t((views + 1) / 2));
  const Geometry parallel = make_geometry(d);
  Numbers numbers{uint32_t(bins)};
  RebinDescription description = {fan,  parallel, std::vector<size_t>(size_t(views)), 0, 2 * M_PI / double(views), 0.01,
                                  true, {}};
  std::iota(description.order.begin(), description.order.end(), size_t(0));
  if (shares == Shares::halves)
    description.shares.assign(size_t(parallel.bins), 0.5f);
  else
    description.shares = numbers.floats(size_t(parallel.rays()));
  const RebinPlan plan = rebin_plan(description);
  const std::vector<float> sinograms = numbers.floats(size_t(slices * fan.rays()));
  std::vector<float> expected(size_t(slices * parallel.rays()));
  cpu::rebin(on_cpu(), {plan, slices, sinograms.data(), expected.data()});
  OnDevice<float> in(sinograms), out(expected.size());
  cuda::rebin(nullptr, {plan, slices, in.data(), out.data()});
  return near(out.download(), expected, 1e-6);  // the same sums of float32
}

}  // namespace

TEST(rebin_agrees_with_the_cpu) {
  CHECK(agrees(Beam::arc, 37, 31, 1, 0.9, Shares::halves));
  CHECK(agrees(Beam::flat, 41, 30, 3, -0.9, Shares::per_ray));
  CHECK(agrees(Beam::arc, 5, 7, 17, 1.5, Shares::per_ray));  // fewer bins than a strip
  CHECK(agrees(Beam::flat, 16, 2, 1, 1, Shares::halves));
  CHECK(agrees(Beam::flat, 1, 9, 2, 1, Shares::halves));
  CHECK(agrees(Beam::arc, 1500, 5, 1, 0.03, Shares::halves));  // one view a block
}

#if !defined(__CUDACC__)
TEST(rebin_of_4096_bins_within_64_kb) {
  const auto before = simt::device().properties;
  simt::device().properties.sharedMemPerBlockOptin = 64 << 10;
  const bool ok = agrees(Beam::arc, 4096, 3, 1, 0.01, Shares::halves);
  simt::device().properties = before;
  CHECK(ok);
}
#endif

TEST(rebin_of_no_slices) {
  OnDevice<float> any(std::vector<float>{1});
  cuda::rebin(nullptr, {RebinPlan(), 0, any.data(), any.data()});
  CHECK(any.download()[0] == 1);
}

}  // namespace sino::test
