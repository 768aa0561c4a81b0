// A step of diffusion on a device, from the caller's arrays to the caller's array, as on the processor; on every route, with and without
// what may be missing; and its way: every array goes there once, the result comes back once.
#include "native/recon/diffusion_step.h"
#include "native/test/cuda/on_cuda.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

using Fbp = DiffusionStepArgs::Fbp;

struct Slice {
  Geometry g;
  std::vector<float> sample, said, anchor, known, measured, base, target, known_rays, trust;
  std::vector<uint8_t> trace, beside;
  explicit Slice(const Geometry& geometry) : g(geometry) {
    Numbers numbers(3);
    const auto image = [&](float scale, float offset) {
      std::vector<float> values = numbers.floats(size_t(g.grid.pixels()));
      for (float& v : values) v = scale * v + offset;
      return values;
    };
    sample = image(1, 0), said = image(1, 0), known = image(0.1f, 0.5f);
    anchor = image(0.01f, 0.02f), measured = image(0.01f, 0.02f), base = image(0.5f, 0.5f);
    for (int64_t i = 0; i < g.rays(); i++) {
      const int64_t bin = i % g.bins;
      trace.push_back(bin > 9 && bin < 14), beside.push_back(bin > 2 && bin < 8);
    }
    target.resize(trace.size()), known_rays.resize(trace.size());
    trust = numbers.floats(trace.size());
    for (float& t : trust) t = 0.5f + 0.5f * t;
    cpu_backend().joseph_project(on_cpu(), {g, 1, anchor.data(), target.data()});
    // near enough to what is measured to be believed a little, whatever was said
    cpu_backend().joseph_project(on_cpu(), {g, 1, measured.data(), known_rays.data()});
  }
  DiffusionStepArgs args(Plan& plan, Fbp route, bool from_image) const {
    DiffusionStepArgs a{plan};
    a.fourier_projection = route == Fbp::fourier, a.fbp = route;
    a.from_sample = 0.3, a.from_output = 0.6;
    a.scale = 40, a.shift = -0.3;
    a.replaces = !from_image, a.refinements = from_image ? 2 : 0;
    a.fusion.low = -1, a.fusion.high = 1;
    a.fusion.scale = 40, a.fusion.shift = -0.3f;
    a.fusion.delta = 0.7f, a.fusion.delta_measured = 0.8f, a.fusion.keep = 0.9f;
    a.fusion.signal = 0.95f, a.fusion.noise = 0.3f;
    a.fusion.source = {7, 3}, a.fusion.first = 8;
    a.sample = sample.data(), a.said = said.data(), a.target = target.data(), a.anchor = anchor.data();
    a.trace = trace.data(), a.measured = measured.data(), a.base = base.data();
    if (from_image) a.trust = trust.data(), a.known = known.data(), a.known_rays = known_rays.data();
    if (from_image) a.beside = beside.data();
    return a;
  }
};

bool agrees(const Slice& slice, Fbp route, bool from_image) {
  OnCuda cuda;
  std::vector<float> output[2];
  int64_t clean_bad[2] = {-1, -1}, bad[2] = {-1, -1};
  Needs needs;
  for (int side = 0; side < 2; side++) {
    Plan plan(on_cpu().memory, slice.g, {});
    output[side].resize(slice.sample.size());
    DiffusionStepArgs args = slice.args(plan, route, from_image);
    args.output = output[side].data(), args.clean_bad = &clean_bad[side], args.bad = &bad[side];
    needs = diffusion_step_needs(args);
    const Backend& backend = side == 0 ? noting_backend() : cuda_backend();
    in_slabs(side == 0 ? on_cpu() : cuda.context, args,
             [&](const Context& context, const DiffusionStepArgs& there) { diffusion_step(context, backend, there); });
  }
  CHECK(are_what_was_called(needs));
#if !defined(__CUDACC__)
  const size_t image = 4 * slice.sample.size(), rays = slice.trace.size();
  std::vector<size_t> up = {image, image, image, image, image, 4 * rays, rays};
  if (from_image) up.insert(up.end(), {image, 4 * rays, 4 * rays, rays});
  CHECK(went_once(up, {image}));
#endif
  CHECK(clean_bad[0] == clean_bad[1] && bad[0] == bad[1]);
  return close(output[1], output[0], 1e-4);  // of 2: sums of float32 in another order, times 40
}

}  // namespace

TEST(a_step_of_diffusion_on_a_device_agrees) {
  const Slice parallel(geometry({Beam::parallel, 14, 17, 23, 12, 1, 0, 180, 0, 1, 1, 0, 0, 1}));
  GeometryDescription even;
  even.beam = Beam::flat, even.rows = 14, even.columns = 17, even.bins = 33, even.sod = 40, even.pitch = 1.1;
  for (int v = 0; v < 24; v++) even.angles_deg.push_back(15 * v);
  Slice fan(make_geometry(even));
  for (const bool from_image : {false, true}) {
    CHECK(agrees(parallel, Fbp::direct, from_image));
    CHECK(agrees(parallel, Fbp::fourier, from_image));
    CHECK(agrees(fan, Fbp::rebinned, from_image));
  }
  fan.said[20] = NAN;
  CHECK(agrees(fan, Fbp::direct, true));
}

}  // namespace sino::test
