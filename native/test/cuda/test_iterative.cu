// Iterative reconstruction on a device, from the caller's arrays to the caller's arrays in slabs, as on the processor.
#include "native/recon/iterative.h"
#include "native/test/cuda/on_cuda.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

constexpr int64_t kSlices = 3;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool agrees(const Geometry& g, IterativeOptions o, bool masked, double tolerance = 1e-5) {
  std::vector<float> truth, sinograms(size_t(kSlices * g.rays())), images[2];
  for (int64_t i = 0; i < kSlices * g.grid.pixels(); i++)
    truth.push_back(i / 5 % 3 == 0 ? 0.5f : i % g.grid.pixels() > g.grid.pixels() / 2 ? 1.f : 0.2f);
  cpu_backend().joseph_project(on_cpu(), {g, kSlices, truth.data(), sinograms.data()});
  std::vector<float> mask;
  for (int64_t i = 0; i < g.grid.pixels(); i++) mask.push_back(i % 9 == 0 ? 0 : 1);
  const std::vector<float> start(truth.size(), 0.1f);
  std::vector<double> residuals[2];
  const std::vector<ViewSubset> subsets = view_subsets(g, o.subsets);
  OnCuda cuda;
  for (int side = 0; side < 2; side++) {
    images[side].resize(truth.size()), residuals[side].resize(size_t(kSlices * o.iterations));
    Plan plan(on_cpu().memory, g, {});
    const IterativeArgs args{kSlices,
                             0,
                             sinograms.data(),
                             masked ? start.data() : nullptr,
                             masked ? mask.data() : nullptr,
                             images[side].data(),
                             residuals[side].data()};
    const Backend& backend = side == 0 ? noting_backend() : cuda_backend();
    in_slabs(side == 0 ? on_cpu() : cuda.context,
             IterativeArrays{args, g.rays(), g.grid.pixels(), iterative_memory(o, g)},
             [&](const Context& context, const IterativeArrays& slab) {
               iterate(context, backend, plan, o, subsets, slab.args);
             });
  }
  return near(images[1], images[0], tolerance) && close(residuals[1], residuals[0], tolerance);
}

IterativeOptions method(IterativeMethod m, int iterations, int64_t subsets = 1) {
  IterativeOptions o;
  o.method = m, o.iterations = iterations, o.subsets = subsets;
  o.low = -kInfinity, o.high = kInfinity;
  return o;
}

}  // namespace

TEST(iterations_on_a_device_agree) {
  const Geometry flat = geometry({Beam::flat, 9, 13, 17, 10}), parallel = geometry({Beam::parallel, 9, 13, 17, 10});
  CHECK(agrees(flat, method(IterativeMethod::sart, 2), false));
  IterativeOptions bounded = method(IterativeMethod::sart, 2, 3);
  bounded.low = 0.15f, bounded.high = 0.9f;
  CHECK(agrees(parallel, bounded, true));
  CHECK(agrees(flat, method(IterativeMethod::cgls, 3), true));
  CHECK(are_what_was_called(iterative_needs(bounded)));
  IterativeOptions calm = method(IterativeMethod::tv, 3);
  calm.weight = 0.02, calm.weight_steps = 3;
  CHECK(agrees(parallel, calm, false));
  CHECK(are_what_was_called(iterative_needs(calm)));
}

}  // namespace sino::test
