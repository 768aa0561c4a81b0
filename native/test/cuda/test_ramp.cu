// ramp on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

enum class Weights { none, rays, views };

bool agrees(int64_t bins, int64_t views, int64_t slices, Weights weights = Weights::none) {
  Numbers numbers{uint32_t(bins)};
  FilterPlan plan;
  plan.bins = bins, plan.views = views;
  plan.response = ramp_response(bins, Window::hann, 0.8, 0);
  plan.length = int64_t(plan.response.size());
  plan.view_weights = numbers.floats(size_t(views));
  if (weights != Weights::none)
    plan.ray_weights = numbers.floats(size_t(weights == Weights::rays ? bins : bins * views));
  plan.weights_per_view = weights == Weights::views;
  const std::vector<float> sinograms = numbers.floats(size_t(slices * views * bins));
  std::vector<float> expected(sinograms.size());
  cpu::ramp_filter(on_cpu(), {plan, slices, sinograms.data(), expected.data()});
  OnDevice<float> in(sinograms), out(sinograms.size());
  cuda::ramp_filter(nullptr, {plan, slices, in.data(), out.data()});
  OnDevice<float> in_place(sinograms);
  cuda::ramp_filter(nullptr, {plan, slices, in_place.data(), in_place.data()});
  const std::vector<float> found = out.download();
  // two float32 transforms of a few hundred to thousands of points, in another order
  return near(found, expected, 2e-6) && close(in_place.download(), found, 0);
}

}  // namespace

TEST(ramp_filter_agrees_with_the_cpu) {
  CHECK(agrees(1, 1, 1));                    // 24 points: 3 · 8
  CHECK(agrees(5, 3, 1, Weights::rays));     // an odd number of rows
  CHECK(agrees(15, 2, 17, Weights::views));  // 32: 2 · 16
  CHECK(agrees(24, 5, 3, Weights::rays));    // 48: 3 · 16
  CHECK(agrees(31, 2, 1));                   // 64: 4 · 16
  CHECK(agrees(48, 1, 3, Weights::views));   // 96: 6 · 16
  CHECK(agrees(60, 3, 1));                   // 128: 8 · 16
  CHECK(agrees(96, 1, 1));                   // 192: 12 · 16
  CHECK(agrees(128, 3, 1, Weights::views));  // 256: 16 · 16
  CHECK(agrees(190, 2, 1));                  // 384: 3 · 8 · 16
  CHECK(agrees(729, 1, 1, Weights::rays));   // 1536: 6 · 16 · 16
}

TEST(ramp_filter_of_wide_detectors) {
  CHECK(agrees(4096, 2, 1));  // 8192: 2 · 16 · 16 · 16
  CHECK(agrees(4097, 1, 1));  // 12288: 3 · 16 · 16 · 16
}

#if !defined(__CUDACC__)
TEST(ramp_filter_of_rows_beyond_shared_memory) {
  const auto before = simt::device().properties;
  simt::device().properties.sharedMemPerBlockOptin = 64 << 10;
  CHECK(agrees(3072, 1, 1));                  // 6144, the last that fit
  CHECK(agrees(4096, 3, 1, Weights::views));  // 8192: an odd number of rows
  CHECK(agrees(4097, 1, 1));                  // 12288
  simt::device().properties.sharedMemPerBlockOptin = 8 << 10;
  simt::device().properties.multiProcessorCount = 1;  // blocks take several rows each
  CHECK(agrees(600, 7, 1));                           // 1536: 6 · 16 · 16
  CHECK(agrees(1500, 5, 1, Weights::rays));           // 3072: 12 · 16 · 16
  simt::device().properties = before;
}
#endif

TEST(ramp_filter_of_no_slices) {
  OnDevice<float> any(std::vector<float>{1});
  FilterPlan plan;
  cuda::ramp_filter(nullptr, {plan, 0, any.data(), any.data()});
  CHECK(any.download()[0] == 1);
}

}  // namespace sino::test
