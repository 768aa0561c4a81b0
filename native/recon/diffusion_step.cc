#include "native/recon/diffusion_step.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace sino {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Line integrals by which an image may miss the rays beside the trace: sure of it, and not believed at all.
constexpr double kSure = 0.02, kLost = 0.06;

struct Step {
  const Context& context;
  const Backend& backend;
  const DiffusionStepArgs& a;
  const Geometry& g = a.plan.geometry;
  const int64_t rays = g.rays(), pixels = g.grid.pixels();
  Scratch<float> clean = context.scratch<float>(pixels), mu = context.scratch<float>(pixels),
                 change = context.scratch<float>(pixels);
  Scratch<float> projected = context.scratch<float>(rays), filled = context.scratch<float>(rays),
                 difference = context.scratch<float>(rays);

  void sum(int64_t count, std::vector<const float*> terms, std::vector<double> weights, float* output,
           double low = -kInfinity, double high = kInfinity, double offset = 0) const {
    backend.combine(context, {count, std::move(terms), std::move(weights), offset, low, high, output});
  }
  void project(const float* image, float* sinogram) const {
    if (a.fourier_projection) return backend.fourier_project(context, {a.plan.fourier(), 1, image, sinogram});
    backend.joseph_project(context, {g, 1, image, sinogram, &a.plan.prepared});
  }
  void reconstruct(const float* sinogram, float* image) const {
    if (a.fbp == DiffusionStepArgs::Fbp::fourier)
      return backend.fourier_transpose(context, {a.plan.fbp_fourier(), 1, sinogram, image});
    if (a.fbp == DiffusionStepArgs::Fbp::rebinned)
      return fbp_rebinned(context, backend, a.plan.rebinned(), 1, sinogram, image);
    fbp(context, backend, a.plan.fbp(), 1, sinogram, image);
  }

  void estimate() {
    Statistics found{};
    sum(pixels, {a.sample, a.said}, {a.from_sample, a.from_output}, clean.data(), a.fusion.low, a.fusion.high);
    backend.statistics(context, {pixels, clean.data(), &found});
    sum(pixels, {clean.data()}, {1 / a.scale}, mu.data(), -kInfinity, kInfinity, -a.shift / a.scale);
    project(mu.data(), projected.data());
    *a.clean_bad = found.non_finite;
  }

  // As far as it is to be believed.
  void temper() {
    double found[2];  // how many, root mean square
    sum(rays, {a.target, projected.data()}, {1, -1}, difference.data());
    backend.quantiles(context, {rays, difference.data(), a.beside, true, 0, {}, found});
    const double share = std::clamp((kLost - found[1]) / (kLost - kSure), 0.0, 1.0);
    if (!(share < 1)) return;
    sum(pixels, {clean.data(), a.known}, {share, 1 - share}, clean.data());
    sum(rays, {projected.data(), a.known_rays}, {share, 1 - share}, projected.data());
  }

  // S'
  void complete() {
    int64_t full_views = 0;
    if (a.replaces)
      backend.select(context, {rays, a.trace, projected.data(), a.target, 0, 0, filled.data()});
    else
      backend.interpolate(context,
                          {1, g.views(), g.bins, a.target, a.trace, projected.data(), filled.data(), &full_views});
    if (!a.trust) return;
    constexpr float kEverything = std::numeric_limits<float>::infinity();
    int64_t bad = 0;
    DualDomainStepArgs mixed{};
    mixed.count = rays;
    mixed.clean = mixed.measured = a.target, mixed.consistent = mixed.output = filled.data(), mixed.base = a.trust;
    mixed.low = -kEverything, mixed.high = kEverything;
    mixed.scale = mixed.delta = mixed.keep = mixed.signal = 1;
    mixed.non_finite = &bad;
    backend.dual_domain_step(context, mixed);
  }

  // image + FBP(S' − from)
  void add(const float* image, const float* from, double low) {
    sum(rays, {filled.data(), from}, {1, -1}, difference.data());
    reconstruct(difference.data(), change.data());
    sum(pixels, {image, change.data()}, {1, 1}, mu.data(), low);
  }

  void run() {
    estimate();
    if (a.known) temper();
    complete();
    add(a.anchor, a.target, -kInfinity);
    for (int k = 0; k < a.refinements; k++) {
      project(mu.data(), projected.data());
      add(mu.data(), projected.data(), 0);
    }
    DualDomainStepArgs fusion = a.fusion;
    fusion.count = pixels;
    fusion.clean = clean.data(), fusion.consistent = mu.data(), fusion.measured = a.measured, fusion.base = a.base;
    fusion.output = a.output, fusion.non_finite = a.bad;
    backend.dual_domain_step(context, fusion);
  }
};

}  // namespace

void diffusion_step(const Context& context, const Backend& backend, const DiffusionStepArgs& args) {
  Step{context, backend, args}.run();
}

Needs diffusion_step_needs(const DiffusionStepArgs& a) {
  Needs needs(&Backend::combine, &Backend::statistics, &Backend::dual_domain_step);
  needs = needs + (a.fourier_projection ? Needs(&Backend::fourier_project) : Needs(&Backend::joseph_project));
  needs = needs + (a.replaces ? Needs(&Backend::select) : Needs(&Backend::interpolate));
  if (a.known) needs = needs + Needs(&Backend::quantiles);
  if (a.fbp == DiffusionStepArgs::Fbp::fourier) return needs + Needs(&Backend::fourier_transpose);
  return needs + (a.fbp == DiffusionStepArgs::Fbp::rebinned ? fbp_rebinned_needs() : fbp_needs());
}

}  // namespace sino
