// Polychromatic metal artefact reduction on a device, from the caller's arrays to the caller's arrays in slabs, as on the processor.
#include "native/recon/polychromatic_mar.h"
#include "native/test/cuda/on_cuda.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

constexpr int64_t kSlices = 3;

struct Patient {
  Geometry g = geometry({Beam::parallel, 20, 23, 27, 16, 1.1, 0, 180, 0, 1, 1, 0, 0, 1});
  std::vector<float> images, sinograms;
  std::vector<uint8_t> masks;
  explicit Patient(float attenuation) {
    for (int64_t s = 0; s < kSlices; s++)
      for (int64_t y = 0; y < g.grid.rows; y++)
        for (int64_t x = 0; x < g.grid.columns; x++) {
          const double dy = double(y) - 9.5 + double(s), dx = double(x) - 11;
          // the last slice has no metal
          const bool is_metal = s < 2 && y >= 8 && y < 12 && x >= 9 && x < 13 + s;
          images.push_back(is_metal ? attenuation : dx * dx + dy * dy < 60 ? 0.0192f : 0);
          masks.push_back(is_metal);
        }
    sinograms.resize(size_t(kSlices * g.rays()));
    cpu_backend().joseph_project(on_cpu(), {g, kSlices, images.data(), sinograms.data()});
  }
};

PolychromaticMarOptions options(EdgeRays edge, bool guarded) {
  PolychromaticMarOptions o;
  o.edge = edge, o.guarded = guarded;
  o.iterations = 2, o.refinements = 1;
  o.beam = {{0.25f, 0.5f, 0.25f}, {1, 0.005}};
  o.scanner = o.beam;
  o.water = {1.1f, 1, 0.9f}, o.bone = {1.3f, 1, 0.8f};
  o.candidates = {{{1.4f, 1, 0.7f}, 0.3, 0.3}};
  return o;
}

bool agrees(EdgeRays edge, bool guarded, bool given, float attenuation = 0.3f) {
  const Patient patient(attenuation);
  const FbpPlan plan = fbp_plan(patient.g, {});
  const PolychromaticMarOptions o = options(edge, guarded);
  std::vector<float> images[2];
  std::vector<uint8_t> metal[2];
  std::vector<SliceVerdict> verdicts[2];
  OnCuda cuda;
  for (int side = 0; side < 2; side++) {
    images[side].resize(patient.images.size()), metal[side].resize(patient.images.size(), 7);
    verdicts[side].resize(kSlices);
    const PolychromaticMarArgs args{patient.g,
                                    plan,
                                    o,
                                    kSlices,
                                    patient.sinograms.data(),
                                    given ? patient.masks.data() : nullptr,
                                    images[side].data(),
                                    metal[side].data(),
                                    verdicts[side].data()};
    const Backend& backend = side == 0 ? noting_backend() : cuda_backend();
    in_slabs(side == 0 ? on_cpu() : cuda.context, args, [&](const Context& context, const PolychromaticMarArgs& slab) {
      polychromatic_mar(context, backend, slab);
    });
  }
  bool ok = close(metal[1], metal[0], 0) && close(images[1], images[0], 2e-4);  // of 0.3
  for (size_t s = 0; s < kSlices; s++) {
    const SliceVerdict &here = verdicts[0][s], &there = verdicts[1][s];
    ok = ok && close(std::vector<double>{there.verdict, there.edge, there.material, there.metal_pixels},
                     std::vector<double>{here.verdict, here.edge, here.material, here.metal_pixels}, 0);
    ok = ok &&
         close(std::vector<double>{there.density, there.residual, there.calibration, there.roughness, there.share},
               std::vector<double>{here.density, here.residual, here.calibration, here.roughness, here.share}, 1e-3);
    ok = ok && close(std::vector<double>{there.threshold_hu}, std::vector<double>{here.threshold_hu}, 0.1);
  }
  return ok && verdicts[0][0].metal_pixels > 0 && verdicts[0][2].metal_pixels == 0;
}

}  // namespace

TEST(polychromatic_reduction_on_a_device_agrees) {
  CHECK(agrees(EdgeRays::subray, true, true));
  CHECK(agrees(EdgeRays::div4, false, false));
  CHECK(agrees(EdgeRays::automatic, true, false));
  CHECK(agrees(EdgeRays::div4, true, false, 1.5f));  // opaque: found by what all its rays see
  CHECK(are_what_was_called(polychromatic_mar_needs()));
}

}  // namespace sino::test
