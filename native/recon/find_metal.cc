#include "native/recon/find_metal.h"

#include <limits>
#include <utility>

namespace sino {

namespace {

constexpr double kLeastMetalHu = 3000, kThresholdShare = 0.4, kStandsAloneHu = 6000;
constexpr double kOpaqueHu = 40000;    // 95th percentile of what exceeds the least …
constexpr double kOpaqueExcess = 2.5;  // … and of one ray in ten of the trace,
constexpr double kStarvingExcess =
    5.5;                         // or of every second one, whatever the image says: the larger, the darker it is
constexpr double kGenerous = 3;  // pixels
constexpr double kDeep = 20;     // pixels: how far metal may reach beyond what a threshold finds of it

// What rays through a pixel of metal must have beyond NMAR, they or their neighbours; the share of them that need not.
struct Carving {
  float least_excess;
  double bins_beside;
  float missing;
};
constexpr Carving kRough = {1, 1, 0.005f};     // NMAR without a much too large part
constexpr Carving kFine = {0.05f, 0, 0.005f};  // NMAR without the hull and a pixel
constexpr Carving kWeak = {0.05f, 1, 0.1f};    // beside the hull

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

  // NMAR over the trace of a mask: its image, and what rays have beyond its rays. False where no view sees past the metal.
  bool remove(const uint8_t* mask, Scratch<float>& excess) {
    Scratch<uint8_t> trace = bytes(rays);
    Scratch<float> rest = context.scratch<float>(rays);
    if (!nmar_of_mask(context, backend,
                      {g, args.plan, args.mu_water, sinogram, mask, trace.data(), rest.data(), image.data()}))
      return false;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    backend.combine(context, {rays, {sinogram, rest.data()}, {1, -1}, 0, -infinity, infinity, excess.data()});
    return true;
  }

  // Pixels of `mask` stay whose rays all see metal or cannot tell, for they run through what is `known`; `excess` and the image are lost.
  void carve(const Carving& how, Scratch<float>& excess, const uint8_t* known, uint8_t* mask) {
    Scratch<uint8_t> sees = bytes(rays), trace = bytes(rays);
    backend.threshold(context, {rays, excess.data(), how.least_excess, true, sees.data()});
    backend.morphology(context,
                       {g.views(), 1, g.bins, sees.data(), false, Reach::cross, how.bins_beside, trace.data()});
    const float yes = how.missing, no = how.missing - 1;
    backend.select(context, {rays, trace.data(), nullptr, nullptr, yes, no, excess.data()});
    if (known) {
      metal_trace(context, backend, g, 1, known, trace.data());
      backend.select(context, {rays, trace.data(), nullptr, excess.data(), yes, 0, excess.data()});
    }
    Scratch<float> votes = context.scratch<float>(pixels);
    backend.joseph_transpose(context, {g, 1, excess.data(), votes.data()});
    backend.select(context, {pixels, mask, votes.data(), nullptr, 0, 0, image.data()});
    backend.threshold(context, {pixels, image.data(), 1e-6f, true, mask});
  }

  int64_t area(const uint8_t* mask) const {
    int64_t box[5];
    backend.bounds(context, {g.grid.rows, g.grid.columns, mask, box});
    return box[4];
  }
  void set(const uint8_t* where, float inside, uint8_t* mask) const {
    Scratch<float> values = context.scratch<float>(pixels);
    backend.select(context, {pixels, mask, nullptr, nullptr, 1, 0, values.data()});
    backend.select(context, {pixels, where, nullptr, values.data(), inside, 0, values.data()});
    backend.non_zero(context, {pixels, values.data(), mask});
  }

  // Weak metal beside the hull, from NMAR's image without the hull.
  void add_weak(uint8_t* hull) {
    Scratch<uint8_t> weak = bytes(pixels), around = bytes(pixels);
    Scratch<float> excess = context.scratch<float>(rays);
    by_threshold(weak.data());
    set(hull, 0, weak.data());
    if (area(weak.data()) == 0) return;
    dilate(weak.data(), kGenerous, around.data());
    set(hull, 1, around.data());
    if (!remove(around.data(), excess)) return;
    carve(kWeak, excess, hull, weak.data());
    set(weak.data(), 1, hull);
  }

  // Ninth decile and median of what the rays of a mask have.
  std::pair<double, double> typical(const float* values, const uint8_t* mask) const {
    Scratch<uint8_t> trace = bytes(rays);
    metal_trace(context, backend, g, 1, mask, trace.data());
    double result[4];
    backend.quantiles(context, {rays, values, trace.data(), false, 2, {0.9, 0.5}, result});
    return {result[0], result[1]};
  }

  // The mask by the hull, where the metal lets next to nothing through.
  void sharpen(bool is_bright, uint8_t* mask) {
    if (!is_bright && !(typical(sinogram, mask).second >= kStarvingExcess)) return;
    Scratch<uint8_t> hull = bytes(pixels), around = bytes(pixels);
    Scratch<float> excess = context.scratch<float>(rays);
    dilate(mask, kGenerous, hull.data());
    if (!remove(hull.data(), excess)) return;
    const auto [most, median] = typical(excess.data(), mask);
    if (!(median >= kStarvingExcess || (is_bright && most >= kOpaqueExcess))) return;
    dilate(mask, kDeep, hull.data());
    for (const Carving& how : {kRough, kFine}) {
      carve(how, excess, nullptr, hull.data());
      dilate(hull.data(), 1, around.data());
      if (area(hull.data()) == 0 || !remove(around.data(), excess)) return;
    }
    add_weak(hull.data());
    context.copy_rows(mask, pixels, hull.data(), pixels, pixels, 1);
  }

  double run(uint8_t* mask) {
    fbp(context, backend, args.plan, 1, sinogram, image.data());
    const double threshold = by_threshold(mask);
    sharpen(threshold >= kThresholdShare * kOpaqueHu, mask);
    return threshold;
  }
};

}  // namespace

Needs find_metal_needs() {
  return Needs(&Backend::threshold, &Backend::label_components, &Backend::metal_mask, &Backend::combine,
               &Backend::quantiles, &Backend::morphology, &Backend::select, &Backend::joseph_transpose,
               &Backend::non_zero, &Backend::bounds) +
         fbp_needs() + metal_trace_needs() + metal_in_sinograms_needs();
}

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
