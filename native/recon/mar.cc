#include "native/recon/mar.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace sino {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

int reconstructions(const MarOptions& options) { return options.method == MarMethod::li ? 1 : 1 + options.passes; }

// One batch of slices. In image-only work `base` is the image that FBP(S' − S) is added to.
struct Batch {
  const Context& context;
  const Backend& backend;
  const Geometry& geometry;
  const FbpPlan& plan;
  const MarOptions& options;
  int64_t slices;
  const float* measured;
  const uint8_t* trace;
  const uint8_t* masks;
  const float* base;

  int64_t rays() const { return slices * geometry.rays(); }
  int64_t pixels() const { return slices * geometry.grid.pixels(); }

  void combine(int64_t count, std::vector<const float*> terms, std::vector<double> weights, float* output) const {
    backend.combine(context, {count, std::move(terms), std::move(weights), 0, -kInfinity, kInfinity, output});
  }

  void reconstruct(const float* sinograms, Scratch<float>& change, float* images) const {
    if (!base) return fbp(context, backend, plan, slices, sinograms, images);
    combine(rays(), {sinograms, measured}, {1, -1}, change.data());
    fbp(context, backend, plan, slices, change.data(), images);
    combine(pixels(), {images, base}, {1, 1}, images);
  }

  // prior = tissue classes of the smoothed image, metal filled with water before
  void make_prior(const float* images, Scratch<float>& filled, float* prior) const {
    const Grid& grid = geometry.grid;
    const float mu = static_cast<float>(options.mu_water);
    if (masks) {
      backend.select(context, {pixels(), masks, nullptr, images, mu, 0, filled.data()});
      images = filled.data();
    }
    Scratch<double> water = context.scratch<double>(slices), bone = context.scratch<double>(slices);
    backend.tissue_thresholds(context, {slices, grid.pixels(), options.mu_water, images, water.data(), bone.data()});
    backend.gaussian(context, {slices, grid.rows, grid.columns, 1, 1, 2, 2, images, prior});
    backend.tissue_prior(context, {slices, grid.pixels(), mu, water.data(), bone.data(), prior, prior});
  }

  void run(float* corrected, float* images, int64_t* full_views) const {
    Scratch<float> change = context.scratch<float>(base ? rays() : 0);
    backend.interpolate(context,
                        {slices, geometry.views(), geometry.bins, measured, trace, nullptr, corrected, full_views});
    reconstruct(corrected, change, images);
    if (options.method == MarMethod::li) return;
    Scratch<float> filled = context.scratch<float>(masks ? pixels() : 0), prior = context.scratch<float>(pixels());
    Scratch<float> projected = context.scratch<float>(rays());
    for (int pass = 0; pass < options.passes; pass++) {
      make_prior(images, filled, prior.data());
      backend.joseph_project(context, {geometry, slices, prior.data(), projected.data()});
      backend.interpolate(
          context, {slices, geometry.views(), geometry.bins, measured, trace, projected.data(), corrected, full_views});
      reconstruct(corrected, change, images);
    }
  }
};

}  // namespace

Needs metal_trace_needs() { return Needs(&Backend::select, &Backend::joseph_project, &Backend::non_zero); }

void metal_trace(const Context& context, const Backend& backend, const Geometry& g, int64_t slices,
                 const uint8_t* masks, uint8_t* trace) {
  const int64_t at_once = context.batch(slices);
  Scratch<float> image = context.scratch<float>(at_once * g.grid.pixels());
  Scratch<float> path = context.scratch<float>(at_once * g.rays());
  for (int64_t s = 0; s < slices; s += at_once) {
    const int64_t count = std::min(at_once, slices - s);
    backend.select(context,
                   {count * g.grid.pixels(), masks + s * g.grid.pixels(), nullptr, nullptr, 1, 0, image.data()});
    backend.joseph_project(context, {g, count, image.data(), path.data()});
    backend.non_zero(context, {count * g.rays(), path.data(), trace + s * g.rays()});
  }
}

Needs metal_in_sinograms_needs() {
  return Needs(&Backend::select, &Backend::interpolate, &Backend::joseph_project, &Backend::gaussian,
               &Backend::tissue_thresholds, &Backend::tissue_prior) +
         fbp_needs();
}

void reduce_metal_in_sinograms(const Context& context, const Backend& backend, const MarSinogramArgs& args) {
  const int64_t rays = args.geometry.rays(), pixels = args.geometry.grid.pixels();
  const int64_t at_once = context.batch(args.slices);
  if (args.slices == 0) context.fill_zero(args.full_views, sizeof *args.full_views);  // else the first batch says it
  for (int64_t s = 0; s < args.slices; s += at_once) {
    const Batch batch = {context,
                         backend,
                         args.geometry,
                         args.plan,
                         args.options,
                         std::min(at_once, args.slices - s),
                         args.sinograms + s * rays,
                         args.trace + s * rays,
                         args.masks ? args.masks + s * pixels : nullptr,
                         nullptr};
    int64_t more = 0;  // on a device there is one batch, whose count may lie there, too
    batch.run(args.corrected + s * rays, args.images + s * pixels, s == 0 ? args.full_views : &more);
    if (s > 0) *args.full_views += more;
  }
}

bool nmar_of_mask(const Context& context, const Backend& backend, const MaskedNmarArgs& a) {
  int64_t full_views = 0;
  metal_trace(context, backend, a.geometry, 1, a.mask, a.trace);
  const MarOptions options = {MarMethod::nmar, 1, a.mu_water};
  reduce_metal_in_sinograms(
      context, backend,
      {a.geometry, a.plan, options, 1, a.sinogram, a.trace, a.mask, a.corrected, a.image, &full_views});
  return full_views < a.geometry.views();
}

Needs metal_in_images_needs() { return Needs(&Backend::combine) + metal_trace_needs() + metal_in_sinograms_needs(); }

void reduce_metal_in_images(const Context& context, const Backend& backend, const MarImageArgs& args) {
  const Geometry& g = args.geometry;
  const int64_t pixels = g.grid.pixels(), at_once = context.batch(args.slices);
  const double mu = args.options.mu_water;
  Scratch<float> attenuation = context.scratch<float>(at_once * pixels),
                 result = context.scratch<float>(at_once * pixels);
  Scratch<float> measured = context.scratch<float>(at_once * g.rays()),
                 corrected = context.scratch<float>(at_once * g.rays());
  Scratch<uint8_t> trace = context.scratch<uint8_t>(at_once * g.rays());
  Scratch<int64_t> full_views = context.scratch<int64_t>(1);
  for (int64_t s = 0; s < args.slices; s += at_once) {
    const int64_t count = std::min(at_once, args.slices - s);
    const float* hu = args.images + s * pixels;
    const uint8_t* support = args.support + s * pixels;
    float* output = args.corrected + s * pixels;
    // HU → µ; padding below −1000 HU is air; metal becomes water
    backend.combine(context, {count * pixels, {hu}, {mu / 1000}, mu, 0, kInfinity, attenuation.data()});
    backend.select(
        context, {count * pixels, support, nullptr, attenuation.data(), static_cast<float>(mu), 0, attenuation.data()});
    backend.joseph_project(context, {g, count, attenuation.data(), measured.data()});
    metal_trace(context, backend, g, count, support, trace.data());
    const Batch batch = {context,         backend,      g,       args.plan,         args.options, count,
                         measured.data(), trace.data(), support, attenuation.data()};
    batch.run(corrected.data(), result.data(), full_views.data());
    // only the change, so that air and padding below −1000 HU stay what they were
    batch.combine(count * pixels, {hu, result.data(), attenuation.data()}, {1, 1000 / mu, -1000 / mu}, output);
    // in the support the change starts from water: its rim gets brighter where the correction says so, never darker
    backend.combine(context,
                    {count * pixels, {result.data(), hu}, {1000 / mu, -1}, -1000, 0, kInfinity, result.data()});
    batch.combine(count * pixels, {hu, result.data()}, {1, 1}, result.data());
    backend.select(context, {count * pixels, support, result.data(), output, 0, 0, output});
    backend.select(context, {count * pixels, args.metal + s * pixels, hu, output, 0, 0, output});
  }
}

int64_t mar_sinogram_work(const MarOptions& options, int64_t slices, int64_t views) {
  const int projections = options.method == MarMethod::li ? 0 : options.passes;
  return slices * views * (projections + 2 * reconstructions(options));
}

int64_t mar_image_work(const MarOptions& options, int64_t slices, int64_t views) {
  return mar_sinogram_work(options, slices, views) + 2 * slices * views;
}

}  // namespace sino
