// The search for metal on a device, from the caller's sinograms to the caller's masks in slabs, as on the processor: copper, of which the
// threshold is enough, and metal so opaque that its outline is taken from what all its rays see.
#include "native/recon/find_metal.h"
#include "native/test/cuda/on_cuda.h"
#include "native/test/cuda/scans.h"

namespace sino::test {

namespace {

constexpr int64_t kSlices = 3;

// A disk of water with metal of 4 × 5 pixels and more; the last slice has none.
std::vector<float> patient(const Grid& grid, float metal) {
  std::vector<float> images;
  for (int64_t s = 0; s < kSlices; s++)
    for (int64_t y = 0; y < grid.rows; y++)
      for (int64_t x = 0; x < grid.columns; x++) {
        const double dy = double(y) - 9.5, dx = double(x) - 11;
        const bool is_metal = s < 2 && y >= 8 && y < 12 && x >= 9 && x < 14 + s;
        images.push_back(is_metal ? metal : dx * dx + dy * dy < 60 ? 0.0192f : 0);
      }
  return images;
}

bool agrees(float metal) {
  const Geometry g = geometry({Beam::parallel, 20, 23, 27, 16, 1.1, 0, 180});
  const FbpPlan plan = fbp_plan(g, {});
  const std::vector<float> images = patient(g.grid, metal);
  std::vector<float> sinograms(size_t(kSlices * g.rays()));
  cpu_backend().joseph_project(on_cpu(), {g, kSlices, images.data(), sinograms.data()});
  std::vector<uint8_t> masks[2];
  OnCuda cuda;
  for (int side = 0; side < 2; side++) {
    masks[side].resize(images.size(), 7);
    const FindMetalArgs args{g, plan, 0.0192, kSlices, sinograms.data(), masks[side].data()};
    const Backend& backend = side == 0 ? noting_backend() : cuda_backend();
    in_slabs(side == 0 ? on_cpu() : cuda.context, args,
             [&](const Context& context, const FindMetalArgs& slab) { find_metal(context, backend, slab); });
  }
  int64_t found[kSlices] = {};
  for (size_t i = 0; i < masks[0].size(); i++) found[int64_t(i) / g.grid.pixels()] += masks[0][i] != 0;
  return close(masks[1], masks[0], 0) && found[0] > 10 && found[1] > 10 && found[2] == 0;
}

}  // namespace

TEST(the_search_for_metal_on_a_device_agrees) {
  CHECK(agrees(0.3f));
  CHECK(called().count("bounds") == 0);
  CHECK(agrees(1.5f));
  CHECK(are_what_was_called(find_metal_needs()));
}

}  // namespace sino::test
