// Pipelines on a device, from the caller's arrays to the caller's arrays in slabs: FBP (measured, sideways, rebinned, Fourier), metal traces, and
// metal artefact reduction give what they give on the processor.
#include "native/recon/fbp_fourier.h"
#include "native/recon/fbp_rebinned.h"
#include "native/recon/mar.h"
#include "native/test/cuda/on_cuda.h"

namespace sino::test {

namespace {

constexpr int64_t kSlices = 3;

GeometryDescription scan(Beam beam, int64_t n, int64_t views, int64_t bins, double turn_deg) {
  GeometryDescription d;
  d.beam = beam;
  d.rows = n, d.columns = n + 3, d.bins = bins;
  d.sod = 2.0 * double(n);
  d.pitch = beam == Beam::arc ? 1.1 / d.sod : 1.1;
  for (int64_t v = 0; v < views; v++) d.angles_deg.push_back(turn_deg * double(v) / double(views));
  return d;
}

std::vector<float> disks(const Geometry& g, float value) {
  std::vector<float> images(size_t(kSlices * g.grid.pixels()));
  for (int64_t i = 0; i < int64_t(images.size()); i++) {
    const int64_t s = i / g.grid.pixels(), y = i / g.grid.columns % g.grid.rows, x = i % g.grid.columns;
    const double dy = double(y) - double(g.grid.rows) / 2 + double(s), dx = double(x) - double(g.grid.columns) / 2;
    images[size_t(i)] = dx * dx + dy * dy < 0.12 * double(g.grid.pixels()) ? value : 0;
  }
  return images;
}

std::vector<float> projected(const Geometry& g, const std::vector<float>& images) {
  std::vector<float> sinograms(size_t(kSlices * g.rays()));
  cpu_backend().joseph_project(on_cpu(), {g, kSlices, images.data(), sinograms.data()});
  return sinograms;
}

enum class Route { direct, rebinned, fourier };

bool fbp_agrees(const GeometryDescription& description, Route route) {
  const Geometry g = make_geometry(description);
  const std::vector<float> sinograms = projected(g, disks(g, 0.02f));
  std::vector<float> here(size_t(kSlices * g.grid.pixels())), there(here.size());
  const auto run = [&](const Context& job, const Backend& backend, std::vector<float>& images) {
    const SliceArrays call = {kSlices, sinograms.data(), g.rays(), images.data(), g.grid.pixels(), "sinograms"};
    in_slabs(job, call, [&](const Context& context, const SliceArrays& s) {
      if (route == Route::fourier)
        backend.fourier_transpose(context, {*fbp_fourier_plan(fbp_plan(g, {})), s.slices, s.input, s.output});
      else if (route == Route::rebinned)
        fbp_rebinned(context, backend, rebinned_plan(g, {}), s.slices, s.input, s.output);
      else
        fbp(context, backend, fbp_plan(g, {}), s.slices, s.input, s.output);
    });
  };
  OnCuda cuda;
  run(on_cpu(), noting_backend(), here);
  run(cuda.context, cuda_backend(), there);
  return close(there, here, 2e-6);  // 1e-4 of 0.02: sums of float32 in another order
}

// A disk of metal in each slice, and its mask.
struct Metal {
  Geometry g = make_geometry(scan(Beam::parallel, 20, 16, 27, 180));
  std::vector<float> images = disks(g, 0.02f), sinograms;
  std::vector<uint8_t> masks = std::vector<uint8_t>(images.size());
  Metal() {
    for (int64_t s = 0; s < kSlices; s++)
      for (int64_t y = 8; y < 11; y++)
        for (int64_t x = 9; x < 12 + s; x++) {
          const size_t i = size_t((s * g.grid.rows + y) * g.grid.columns + x);
          masks[i] = 1, images[i] = 0.3f;
        }
    sinograms = projected(g, images);
  }
  std::vector<uint8_t> trace() const {
    std::vector<uint8_t> trace(sinograms.size());
    metal_trace(on_cpu(), noting_backend(), g, kSlices, masks.data(), trace.data());
    return trace;
  }
};

}  // namespace

TEST(fbp_on_a_device_agrees) {
  CHECK(fbp_agrees(scan(Beam::parallel, 20, 16, 27, 180), Route::direct));
  CHECK(fbp_agrees(scan(Beam::flat, 20, 24, 33, 360), Route::direct));
  CHECK(fbp_agrees(scan(Beam::arc, 20, 30, 33, 250), Route::direct));
  GeometryDescription sideways = scan(Beam::flat, 20, 24, 29, 360);
  sideways.offset_bins = 7;
  CHECK(fbp_agrees(sideways, Route::direct));
  CHECK(are_what_was_called(fbp_needs()));
}

TEST(fbp_rebinned_on_a_device_agrees) {
  CHECK(fbp_agrees(scan(Beam::flat, 20, 24, 33, 360), Route::rebinned));
  CHECK(fbp_agrees(scan(Beam::arc, 20, 24, 33, 360), Route::rebinned));
  CHECK(are_what_was_called(fbp_rebinned_needs()));
}

TEST(fbp_through_fourier_space_on_a_device_agrees) {
  CHECK(fbp_agrees(scan(Beam::parallel, 20, 16, 27, 180), Route::fourier));
  GeometryDescription sideways = scan(Beam::parallel, 16, 12, 19, 360);
  sideways.offset_bins = 4;
  CHECK(fbp_agrees(sideways, Route::fourier));
  CHECK(are_what_was_called(Needs(&Backend::fourier_transpose)));
}

TEST(fbp_of_one_view_one_bin_and_4097_bins_on_a_device) {
  for (const Route route : {Route::direct, Route::fourier}) {
    CHECK(fbp_agrees(scan(Beam::parallel, 9, 1, 13, 180), route));
    CHECK(fbp_agrees(scan(Beam::parallel, 9, 7, 1, 180), route));
    CHECK(fbp_agrees(scan(Beam::parallel, 5, 2, 4097, 180), route));
  }
  CHECK(fbp_agrees(scan(Beam::flat, 5, 3, 1, 360), Route::direct));
  called().clear();
}

TEST(metal_trace_on_a_device_agrees) {
  const Metal metal;
  std::vector<uint8_t> trace(metal.sinograms.size(), 7);
  OnCuda cuda;
  in_slabs(cuda.context, MetalTraceArrays{metal.g, kSlices, metal.masks.data(), trace.data()},
           [](const Context& context, const MetalTraceArrays& t) {
             metal_trace(context, cuda_backend(), t.geometry, t.slices, t.masks, t.trace);
           });
  CHECK(close(trace, metal.trace(), 0));
  CHECK(are_what_was_called(metal_trace_needs()));
}

TEST(metal_reduction_in_sinograms_on_a_device_agrees) {
  const Metal metal;
  const std::vector<uint8_t> trace = metal.trace();
  called().clear();
  const FbpPlan plan = fbp_plan(metal.g, {});
  for (const MarMethod method : {MarMethod::li, MarMethod::nmar}) {
    const MarOptions options = {method, 1, 0.02};
    std::vector<float> corrected[2], images[2];
    int64_t full_views[2] = {-1, 0};
    OnCuda cuda;
    for (int side = 0; side < 2; side++) {
      corrected[side].resize(metal.sinograms.size()), images[side].resize(metal.images.size());
      const MarSinogramArgs args = {metal.g,
                                    plan,
                                    options,
                                    kSlices,
                                    metal.sinograms.data(),
                                    trace.data(),
                                    metal.masks.data(),
                                    corrected[side].data(),
                                    images[side].data(),
                                    &full_views[side]};
      const Backend& backend = side == 0 ? noting_backend() : cuda_backend();
      in_slabs(side == 0 ? on_cpu() : cuda.context, args, [&](const Context& context, const MarSinogramArgs& slab) {
        reduce_metal_in_sinograms(context, backend, slab);
      });
    }
    CHECK(full_views[0] == full_views[1]);
    CHECK(close(corrected[1], corrected[0], 1e-5));  // of 0.4
    CHECK(close(images[1], images[0], 2e-6));
  }
  CHECK(are_what_was_called(metal_in_sinograms_needs()));
}

#if !defined(__CUDACC__)
TEST(a_pipeline_costs_one_upload_and_one_download) {
  const Metal metal;
  const std::vector<uint8_t> trace = metal.trace();
  const FbpPlan plan = fbp_plan(metal.g, {});
  std::vector<float> corrected(metal.sinograms.size()), images(metal.images.size());
  const size_t sinograms = 4 * corrected.size(), volume = 4 * images.size();
  int64_t full_views = 0;
  OnCuda cuda(0, kSlices);
  in_slabs(cuda.context,
           SliceArrays{kSlices, metal.sinograms.data(), metal.g.rays(), images.data(), metal.g.grid.pixels()},
           [&](const Context& context, const SliceArrays& s) {
             fbp(context, cuda_backend(), plan, s.slices, s.input, s.output);
           });
  CHECK(went_once({sinograms}, {volume}));
  const MarSinogramArgs nmar = {metal.g,
                                plan,
                                {MarMethod::nmar, 2, 0.02},
                                kSlices,
                                metal.sinograms.data(),
                                trace.data(),
                                metal.masks.data(),
                                corrected.data(),
                                images.data(),
                                &full_views};
  in_slabs(cuda.context, nmar, [&](const Context& context, const MarSinogramArgs& slab) {
    reduce_metal_in_sinograms(context, cuda_backend(), slab);
  });
  CHECK(went_once({sinograms, trace.size(), metal.masks.size()}, {sinograms, volume}));
}
#endif

TEST(metal_reduction_in_images_on_a_device_agrees) {
  const Metal metal;
  const FbpPlan plan = fbp_plan(metal.g, {});
  std::vector<float> hu = metal.images, corrected[2];
  for (float& v : hu) v = (v - 0.02f) / 0.02f * 1000;
  OnCuda cuda;
  for (int side = 0; side < 2; side++) {
    corrected[side].resize(hu.size());
    const MarImageArgs args = {
        metal.g, plan, {}, kSlices, hu.data(), metal.masks.data(), metal.masks.data(), corrected[side].data()};
    const Backend& backend = side == 0 ? noting_backend() : cuda_backend();
    in_slabs(side == 0 ? on_cpu() : cuda.context, args,
             [&](const Context& context, const MarImageArgs& slab) { reduce_metal_in_images(context, backend, slab); });
  }
  CHECK(close(corrected[1], corrected[0], 0.2));  // HU
  CHECK(are_what_was_called(metal_in_images_needs()));
}

}  // namespace sino::test
