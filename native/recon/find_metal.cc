#include "native/recon/find_metal.h"

#include <limits>

namespace sino {

namespace {

constexpr double kLeastMetalHu = 3000, kThresholdShare = 0.4, kStandsAloneHu = 6000;
constexpr double kOpaqueHu = 40000;     // 95th percentile of what exceeds the least
constexpr double kOpaqueExcess = 2.5;   // of one ray in ten of the trace
constexpr double kGenerous = 3;         // pixels
constexpr float kLeastExcess = 1;       // of a ray that sees metal
constexpr float kMissingViews = 0.005;  // of the rays through a pixel of metal, those that need not see it

struct Finder {
  const Context& context;
  const Backend& backend;
  const FindMetalArgs& args;
  const float* sinogram;
  const Geometry& g = args.geometry;
  const int64_t rays = g.rays(), pixels = g.grid.pixels();
  Scratch<float> image = context.scratch<float>(pixels);

  Scratch<uint8_t> bytes(int64_t count) const { return context.scratch<uint8_t>(count); }
  void dilate(const uint8_t* from, double radius, uint8_t* to) const {
    backend.morphology(context, {1, g.grid.rows, g.grid.columns, from, false, Reach::disk, radius, to});
  }

  // Metal by threshold in the image. Returns the threshold, HU.
  double by_threshold(uint8_t* mask) const {
    const double hu = args.mu_water / 1000;
    const auto mu_of = [&](double value) { return static_cast<float>(args.mu_water + value * hu); };
    backend.threshold(context, {pixels, image.data(), mu_of(kLeastMetalHu), true, mask});
    Scratch<int32_t> labels = context.scratch<int32_t>(pixels);
    int64_t groups = 0;
    ComponentsArgs parts{};
    parts.slices = 1, parts.rows = g.grid.rows, parts.columns = g.grid.columns, parts.connectivity = 8;
    parts.mask = mask, parts.labels = labels.data(), parts.count = &groups;
    backend.label_components(context, parts);
    double level;
    backend.metal_mask(context, {pixels, image.data(), labels.data(), groups, mu_of(kLeastMetalHu),
                                 static_cast<float>(kThresholdShare), mu_of(kStandsAloneHu), mask, &level});
    return level / hu - 1000;
  }

  // NMAR over the trace of a mask: its image, and its rays into `corrected`. False where no view sees past the metal.
  bool remove(const uint8_t* mask, float* corrected) {
    Scratch<uint8_t> trace = bytes(rays);
    int64_t full_views = 0;
    metal_trace(context, backend, g, 1, mask, trace.data());
    reduce_metal_in_sinograms(context, backend,
                              {g,
                               args.plan,
                               {MarMethod::nmar, 1, args.mu_water},
                               1,
                               sinogram,
                               trace.data(),
                               mask,
                               corrected,
                               image.data(),
                               &full_views});
    return full_views < g.views();
  }

  // Pixels of `within` whose rays have an excess; `excess` is lost.
  void hull(Scratch<float>& excess, const uint8_t* within, uint8_t* mask) {
    Scratch<uint8_t> sees = bytes(rays), sees_nearby = bytes(rays);
    backend.threshold(context, {rays, excess.data(), kLeastExcess, true, sees.data()});
    backend.morphology(context, {g.views(), 1, g.bins, sees.data(), false, Reach::cross, 1, sees_nearby.data()});
    backend.select(context,
                   {rays, sees_nearby.data(), nullptr, nullptr, kMissingViews, kMissingViews - 1, excess.data()});
    Scratch<float> votes = context.scratch<float>(pixels);
    backend.joseph_transpose(context, {g, 1, excess.data(), votes.data()});
    backend.select(context, {pixels, within, votes.data(), nullptr, 0, 0, image.data()});
    backend.threshold(context, {pixels, image.data(), 1e-6f, true, mask});
  }

  void unite(const uint8_t* a, uint8_t* b) const {
    Scratch<float> of_b = context.scratch<float>(pixels), either = context.scratch<float>(pixels);
    backend.select(context, {pixels, b, nullptr, nullptr, 1, 0, of_b.data()});
    backend.select(context, {pixels, a, nullptr, of_b.data(), 1, 0, either.data()});
    backend.non_zero(context, {pixels, either.data(), b});
  }

  // The mask by the hull, where the metal lets next to nothing through.
  void sharpen(uint8_t* mask) {
    Scratch<uint8_t> wide = bytes(pixels), trace = bytes(rays), found = bytes(pixels);
    Scratch<float> excess = context.scratch<float>(rays), corrected = context.scratch<float>(rays);
    dilate(mask, kGenerous, wide.data());
    if (!remove(wide.data(), corrected.data())) return;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    backend.combine(context, {rays, {sinogram, corrected.data()}, {1, -1}, 0, -infinity, infinity, excess.data()});
    metal_trace(context, backend, g, 1, mask, trace.data());
    double typical[3];
    backend.quantiles(context, {rays, excess.data(), trace.data(), false, 1, {0.9}, typical});
    if (!(typical[0] >= kOpaqueExcess)) return;
    hull(excess, wide.data(), found.data());
    int64_t box[5];
    backend.bounds(context, {g.grid.rows, g.grid.columns, found.data(), box});
    if (box[4] == 0) return;
    dilate(found.data(), 1, wide.data());
    if (!remove(wide.data(), corrected.data())) return;
    by_threshold(mask);
    unite(found.data(), mask);
  }

  double run(uint8_t* mask) {
    fbp(context, backend, args.plan, 1, sinogram, image.data());
    const double threshold = by_threshold(mask);
    if (threshold >= kThresholdShare * kOpaqueHu) sharpen(mask);
    return threshold;
  }
};

}  // namespace

double find_metal_of_slice(const Context& context, const Backend& backend, const FindMetalArgs& args,
                           const float* sinogram, uint8_t* mask) {
  return Finder{context, backend, args, sinogram}.run(mask);
}

void find_metal(const Context& context, const Backend& backend, const FindMetalArgs& args) {
  for (int64_t s = 0; s < args.slices; s++)
    find_metal_of_slice(context, backend, args, args.sinograms + s * args.geometry.rays(),
                        args.masks + s * args.geometry.grid.pixels());
}

}  // namespace sino
