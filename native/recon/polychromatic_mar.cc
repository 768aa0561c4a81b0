#include "native/recon/polychromatic_mar.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "native/recon/find_metal.h"
#include "native/recon/metal_rays.h"

namespace sino {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr double kUnknownDensitySpread = 0.15;  // of ln density: what the prior of the identification calls likely
constexpr float kLowestPath = -10, kHighestPath = 200;
constexpr double kFewPhotons = 3e5;           // below, half of NMAR calms the noise of metal that is small …
constexpr double kSmall = 5e6, kLarge = 2e7;  // … which it is in pixels · photons: the fewer, the larger it must be
constexpr double kRing = 2;                   // pixels
constexpr int kSearches = 2;                  // iterations that look for the material and leaks of the detector
constexpr double kMostShare = 0.15, kMostFloor = 4e-4;  // in all rounds: wrong outlines look like leaks, too
constexpr int kIterations = 3;
constexpr int kOutlineSteps = 8;                         // at most, per iteration
constexpr float kOutlineTrust = 0.1f;                    // of D: where noise is this much, half of it moves the outline
constexpr double kMostBeyond = 1, kMetalOfTissue = 1.3;  // the same rays see 1.3 times as much metal as tissue
constexpr int kTissueSteps = 6, kMetalSteps = 10;        // of Newton's method

// Views, bins and prior width of the cascade, coarse to fine.
constexpr double kCascade[3][3] = {{6, 10, 0.2}, {2.5, 4, 0.1}, {1, 1.5, 0.05}};

// How far rays are trusted. On the field's pairs nothing is wrong but the counting noise.
TrustModel trust_model(EdgeRays edge, double photons, double scatter) {
  const auto i0 = static_cast<float>(photons), s = static_cast<float>(scatter);
  if (edge == EdgeRays::div4) return {i0, s, 0, 0, 0.002f, 0, 0.001f};
  return {i0, s, 1e-4f, 0.03f, 0.02f, 0.25f, 0.06f};
}

// Attenuation ratios of the materials on a ray, in the form that kernels take.
struct Table {
  std::vector<float> ratios, least_most;
  explicit Table(const std::vector<const std::vector<float>*>& materials) {
    for (const auto* ratio : materials) {
      ratios.insert(ratios.end(), ratio->begin(), ratio->end());
      const auto [least, most] = std::minmax_element(ratio->begin(), ratio->end());
      least_most.insert(least_most.end(), {*least, *most});
    }
  }
};

struct Fit {
  EdgeRays edge = EdgeRays::subray;
  int material = 0;
  double level = 0;     // of the metal, 1/mm
  double density = 1;   // over the nominal one, before it is clipped
  double residual = 0;  // robust spread of what metal and tissue leave unexplained, in p
  double calibration = 0;
};

struct Slice {
  const Context& context;
  const Backend& backend;
  const PolychromaticMarArgs& args;
  const float* sinogram;
  const uint8_t* given;  // mask, or null
  const PolychromaticMarOptions& o = args.options;
  const Geometry& g = args.geometry;
  const int64_t rays = g.rays(), pixels = g.grid.pixels();
  const Spectrum* beam = o.edge == EdgeRays::automatic ? &o.scanner : &o.beam;

  MetalRays metal_rays{context, backend, g, args.plan};
  // per ray; measured: line integrals as counted, prior: Q, bone: B, found: what inversion gave
  Scratch<float> measured = floats(rays), prior = floats(rays), bone = floats(rays), found = floats(rays),
                 slope = floats(rays), start = floats(rays), metal = floats(rays), paths = floats(rays * kRaysPerBin),
                 variance = floats(rays), smooth = floats(rays), weight = floats(rays), evidence = floats(rays),
                 work = floats(rays), result = floats(rays);
  Scratch<float> image = floats(pixels), scrap = floats(pixels);
  Scratch<float> wide_nmar = floats(pixels);  // NMAR of the support
  Scratch<uint8_t> mask = bytes(pixels), support = bytes(pixels);
  Scratch<uint8_t> where = bytes(rays), trace = bytes(rays);  // rays of the support, rays of the metal
  double share_taken = 0, floor_taken = 0;                    // leaks taken back so far

  Scratch<float> floats(int64_t count) const { return context.scratch<float>(count); }
  Scratch<uint8_t> bytes(int64_t count) const { return context.scratch<uint8_t>(count); }
  void zero(Scratch<float>& values) const {
    context.fill_zero(values.data(), values.size() * static_cast<int64_t>(sizeof(float)));
  }
  void copy(const void* from, void* to, int64_t size) const { context.copy_rows(to, size, from, size, size, 1); }

  void combine(int64_t count, std::vector<const float*> terms, std::vector<double> weights, float* output,
               double low = -kInfinity) const {
    backend.combine(context, {count, std::move(terms), std::move(weights), 0, low, kInfinity, output});
  }
  void keep(int64_t count, const uint8_t* inside, Scratch<float>& values) const {
    Scratch<float> kept = floats(count);
    backend.select(context, {count, inside, values.data(), nullptr, 0, 0, kept.data()});
    values = std::move(kept);
  }
  void dilate(const uint8_t* from, double radius, uint8_t* to) const {
    backend.morphology(context, {1, g.grid.rows, g.grid.columns, from, false, Reach::disk, radius, to});
  }
  void reconstruct(const float* sino, float* x) const { fbp(context, backend, args.plan, 1, sino, x); }

  void linearize(const float* input, float* output) const {
    LinearizeArgs a{
        rays,  static_cast<int>(beam->water_correction.size()), {}, o.scatter / o.photons, 0.5 / o.photons, input,
        output};
    std::copy(beam->water_correction.begin(), beam->water_correction.end(), a.coefficients);
    backend.linearize(context, a);
  }

  void bone_path(const float* of) {
    Scratch<float> mu = floats(pixels), water = floats(pixels);
    backend.tissue_split(context, {pixels, 1, 0, static_cast<float>(o.low), static_cast<float>(o.high), of, mu.data(),
                                   water.data(), scrap.data()});
    backend.joseph_project(context, {g, 1, scrap.data(), bone.data()});
  }

  struct Unknown {
    int material, steps, sub_rays;
    const uint8_t* where;
    float least;
  };
  void invert(const Table& table, const Unknown& u, const std::vector<const float*>& materials, const float* p,
              float* path, float* slope_of_p) const {
    InversionArgs a{};
    a.rays = rays;
    a.materials = static_cast<int>(materials.size());
    a.energies = static_cast<int>(beam->weights.size());
    a.subrays = u.sub_rays;
    a.unknown = u.material;
    a.steps = u.steps;
    std::copy(materials.begin(), materials.end(), a.paths);
    a.weights = beam->weights.data();
    for (float w : beam->weights) a.total += w;
    a.ratios = table.ratios.data();
    a.least_most = table.least_most.data();
    a.measured = p;
    a.where = u.where;
    a.least = u.least;
    a.most = kHighestPath;
    a.path = path;
    a.slope = slope_of_p;
    backend.inversion(context, a);
  }
  Table table_with(int material) const { return Table({&o.water, &o.bone, &o.candidates[material].ratios}); }

  // Tissue paths of rays without metal, with the bone path as it stands.
  void make_monochromatic(const float* p, float* output) {
    combine(rays, {p, bone.data()}, {1, -1}, start.data());
    invert(Table({&o.water, &o.bone}), {0, kTissueSteps, 1, nullptr, kLowestPath}, {start.data(), bone.data()}, p,
           output, nullptr);
    combine(rays, {output, bone.data()}, {1, 1}, output);
  }

  int refinements() const {
    if (o.refinements >= 0) return o.refinements;
    return o.photons >= 5e6 ? 3 : o.photons >= 5e5 ? 2 : o.photons >= 3e5 ? 1 : 0;
  }
  void refine(const float* sino, float* x, int times) {
    Scratch<float> change = floats(pixels);
    combine(pixels, {x}, {1}, x, 0);
    for (int k = 0; k < times; k++) {
      backend.joseph_project(context, {g, 1, x, work.data()});
      combine(rays, {sino, work.data()}, {1, -1}, work.data());
      reconstruct(work.data(), change.data());
      combine(pixels, {x, change.data()}, {1, 1}, x, 0);
    }
  }

  // NMAR over the trace of a mask: its image, and its sinogram as tissue paths (`prior`) with the bone that it shows.
  void prior_from_nmar(const uint8_t* metal_mask, float* nmar_image) {
    require(nmar_of_mask(context, backend,
                         {g, args.plan, o.mu_water, sinogram, metal_mask, trace.data(), work.data(), nmar_image}),
            Code::out_of_range, "The metal trace covers every ray of every view: nothing is left to interpolate from.");
    linearize(work.data(), result.data());
    backend.select(context, {pixels, metal_mask, nullptr, nmar_image, static_cast<float>(o.mu_water), 0, image.data()});
    bone_path(image.data());
    make_monochromatic(result.data(), prior.data());
  }
  void prior_from_support() {
    linearize(sinogram, measured.data());
    prior_from_nmar(support.data(), wide_nmar.data());
  }
  // Tissue right beside metal as NMAR has it: what leaks and wrong outlines leave behind lies in a narrow ring.
  void take_ring(const float* nmar_image, float* x) {
    Scratch<uint8_t> metal_now = bytes(pixels), ring = bytes(pixels);
    Scratch<float> mixed = floats(pixels);
    metal_rays.export_mask(metal_now.data());
    combine(pixels, {x, nmar_image}, {0.5, 0.5}, mixed.data());
    dilate(metal_now.data(), kRing + 1, ring.data());
    backend.select(context, {pixels, ring.data(), mixed.data(), x, 0, 0, x});
    dilate(metal_now.data(), kRing, ring.data());
    backend.select(context, {pixels, ring.data(), nmar_image, x, 0, 0, x});
  }
  void prior_from_image() {
    bone_path(image.data());
    make_monochromatic(measured.data(), result.data());
    backend.joseph_project(context, {g, 1, image.data(), work.data()});
    backend.select(context, {rays, where.data(), work.data(), result.data(), 0, 0, prior.data()});
  }

  void make_paths(const Fit& fit) { metal_rays.paths(fit.edge, fit.level, metal.data(), paths.data(), trace.data()); }

  // Metal paths under a material that explain the rays of `where`, zero elsewhere.
  void observe_metal(int material, Scratch<float>& observed) {
    combine(rays, {prior.data(), bone.data()}, {1, -1}, start.data());
    zero(observed);
    zero(evidence);
    invert(table_with(material), {2, kMetalSteps, 1, where.data(), 0}, {start.data(), bone.data(), evidence.data()},
           measured.data(), observed.data(), nullptr);
  }

  // D = P − Q behind the metal as `paths` has it, into `found`, and its variance.
  void observe_tissue(Fit& fit) {
    combine(rays, {prior.data(), bone.data()}, {1, -1}, start.data());
    zero(found);
    invert(table_with(fit.material), {0, kTissueSteps, rays_per_bin(fit.edge), where.data(), kLowestPath},
           {start.data(), bone.data(), paths.data()}, measured.data(), found.data(), slope.data());
    combine(rays, {found.data(), start.data()}, {1, -1}, found.data());
    keep(rays, where.data(), found);
    backend.ray_variance(context, {g.views(), g.bins, trust_model(fit.edge, o.photons, o.scatter), where.data(),
                                   measured.data(), slope.data(), metal.data(), variance.data()});
    double spread[3];
    backend.quantiles(context, {rays, found.data(), trace.data(), true, 1, {0.5}, spread});
    fit.residual = 1.4826 * 0.9 * spread[0];  // 0.9: dp/dP of tissue behind metal
  }
  void evidence_with(double floor) {
    backend.ray_evidence(context, {rays, where.data(), static_cast<float>(floor), variance.data(), found.data(),
                                   smooth.data(), weight.data(), evidence.data()});
  }

  Fit try_material(EdgeRays edge, int material) {
    const MetalCandidate& c = o.candidates[material];
    Scratch<float> observed = floats(rays);
    Fit fit;
    fit.edge = edge;
    fit.material = material;
    // The prior has water beneath the metal: where metal takes tissue's place, only what it has beyond water is seen.
    const double nominal = edge == EdgeRays::subray ? c.attenuation - o.mu_water : c.attenuation;
    const auto clipped = [&](double level) {
      return std::clamp(level, nominal * (1 - c.tolerance), nominal * (1 + c.tolerance));
    };
    observe_metal(material, observed);
    metal_rays.reconstruct(observed.data(), where.data(), 2);
    fit.level = c.tolerance > 0 ? clipped(metal_rays.core_level(nominal)) : nominal;
    if (edge == EdgeRays::subray) metal_rays.find_weaker(fit.level);
    const bool is_outlined = given && edge == EdgeRays::div4;  // the field's pairs: the mask is the metal
    const auto outline = [&] { is_outlined ? metal_rays.outline_given() : metal_rays.outline(fit.level); };
    outline();
    make_paths(fit);
    observe_tissue(fit);
    if (c.tolerance == 0) return fit;
    double line[3];  // observed = factor · model, by weight
    zero(smooth);
    evidence_with(0.05);
    backend.fit_powers(context, {rays, metal.data(), observed.data(), weight.data(), trace.data(), 1, 6, line});
    fit.density = line[0] * fit.level / nominal;
    fit.level = clipped(fit.density * nominal);
    outline();
    make_paths(fit);
    observe_tissue(fit);
    return fit;
  }

  static double score(const Fit& fit) {
    const double away = std::log(std::max(fit.density, 1e-3)) / kUnknownDensitySpread;
    return fit.residual * (1 + 0.1 * away * away);
  }

  Fit identify(EdgeRays edge) {
    const int candidates = static_cast<int>(o.candidates.size());
    Fit best = try_material(edge, 0);
    for (int m = 1; m < candidates; m++) {
      const Fit fit = try_material(edge, m);
      if (score(fit) < score(best) || std::isnan(score(best))) best = fit;
    }
    return best.material == candidates - 1 ? best : try_material(edge, best.material);
  }

  // Gaussian over views, which close the circle where the scan does, and bins.
  void smoothen(Scratch<float>& values, double views, double bins) const {
    const int64_t radius = std::min<int64_t>(g.views(), std::llround(std::ceil(3 * views)));
    const int64_t row = g.bins * static_cast<int64_t>(sizeof(float));
    const bool closed = scan_of(g).coverage == Coverage::full;
    const int64_t margin = closed ? radius : 0, all = g.views() + 2 * margin;
    Scratch<float> padded = floats(all * g.bins), smoothed = floats(all * g.bins);
    copy(values.data(), padded.data() + margin * g.bins, g.views() * row);
    if (margin > 0) {
      copy(values.data() + (g.views() - margin) * g.bins, padded.data(), margin * row);
      copy(values.data(), padded.data() + (margin + g.views()) * g.bins, margin * row);
    }
    backend.gaussian(context, {1, all, g.bins, views, bins, radius, std::llround(std::ceil(3 * bins)), padded.data(),
                               smoothed.data()});
    copy(smoothed.data() + margin * g.bins, values.data(), g.views() * row);
  }

  // What neighbours and scatter have leaked into the rays behind metal is taken back; D is found again.
  void mend_leaks(Fit& fit) {
    TrustModel tight = trust_model(fit.edge, o.photons, o.scatter);
    tight.scatter_error = tight.crosstalk = 0;
    backend.ray_variance(context, {g.views(), g.bins, tight, where.data(), measured.data(), slope.data(), metal.data(),
                                   variance.data()});
    double leak[kLeakTerms];
    backend.find_leak(context, {g.views(), g.bins, 10, where.data(), trace.data(), measured.data(), found.data(),
                                slope.data(), metal.data(), variance.data(), leak});
    const double share = std::min(std::max(leak[0], 0.0), kMostShare - share_taken),
                 floor = std::min(std::max(leak[1], 0.0), kMostFloor - floor_taken);
    share_taken += share, floor_taken += floor;
    backend.remove_leak(
        context, {g.views(), g.bins, share, floor, 0.5 / o.photons, where.data(), measured.data(), result.data()});
    std::swap(measured, result);
    observe_tissue(fit);
  }

  // Outline and level move to where D, taken for metal, has them; back, where that leaves more of the rays unexplained.
  bool mend_outline(Fit& fit, double gain) {
    const Fit before = fit;
    const MetalCandidate& c = o.candidates[fit.material];
    const double nominal = c.attenuation - o.mu_water;
    zero(smooth), zero(work);
    double line[3];  // D = factor · model, by weight
    evidence_with(0.05);
    backend.fit_powers(context, {rays, metal.data(), found.data(), weight.data(), trace.data(), 1, 6, line});
    TrustModel tight = trust_model(fit.edge, o.photons, o.scatter);
    tight.crosstalk = tight.edge = 0;
    backend.ray_variance(context, {g.views(), g.bins, tight, where.data(), measured.data(), slope.data(), metal.data(),
                                   variance.data()});
    backend.ray_blend(context, {rays, where.data(), kOutlineTrust, work.data(), smooth.data(), found.data(),
                                variance.data(), result.data()});
    backend.combine(context, {rays, {result.data()}, {1}, 0, -kMostBeyond, kMostBeyond, result.data()});
    metal_rays.correct(result.data(), gain);
    if (c.tolerance > 0) {
      fit.density = fit.level * (1 + kMetalOfTissue * line[0]) / nominal;
      fit.level = nominal * std::clamp(fit.density, 1 - c.tolerance, 1 + c.tolerance);
    }
    const auto look_again = [&] {
      metal_rays.outline(fit.level);
      make_paths(fit);
      observe_tissue(fit);
    };
    look_again();
    if (fit.residual < before.residual) return true;
    metal_rays.undo();
    fit = before;
    look_again();
    return false;
  }

  // Takes from D what a polynomial of the metal's path explains; returns its root mean square.
  double calibrate() {
    evidence_with(0.01);
    double curve[4], size[2];
    backend.fit_powers(context, {rays, metal.data(), found.data(), weight.data(), trace.data(), 2, 6, curve});
    backend.ray_calibrate(context, {rays, trace.data(), static_cast<float>(curve[0]), static_cast<float>(curve[1]),
                                    metal.data(), work.data(), found.data()});
    backend.quantiles(context, {rays, work.data(), trace.data(), true, 0, {}, size});
    return size[1];
  }

  // Tissue paths of all rays, into `result`.
  void tissue_from_metal(Fit& fit) {
    zero(smooth);
    double width = 0.015;
    if (fit.edge == EdgeRays::subray) {
      fit.calibration = calibrate();
      for (const auto& [views, bins, prior_width] : kCascade) {
        evidence_with(0.01);
        smoothen(weight, views, bins);
        smoothen(evidence, views, bins);
        backend.ray_spread(context, {rays, static_cast<float>(1 / (prior_width * prior_width)), weight.data(),
                                     evidence.data(), smooth.data()});
      }
      keep(rays, where.data(), smooth);
      double typical[3];
      backend.quantiles(context, {rays, smooth.data(), trace.data(), true, 1, {0.5}, typical});
      width = std::clamp(0.5 * 1.4826 * typical[0], 0.006, 0.04);
    }
    backend.ray_blend(context, {rays, where.data(), static_cast<float>(width), prior.data(), smooth.data(),
                                found.data(), variance.data(), result.data()});
  }

  // Metal and tissue in turn, from the tissue paths of NMAR in `prior`. The tissue's rays end in `result`, their FBP in `image`.
  Fit solve(EdgeRays edge) {
    const int iterations = o.iterations > 0 ? o.iterations : kIterations;
    const bool is_physical = edge == EdgeRays::subray;
    Fit fit;
    for (int k = 0; k < iterations; k++) {
      if (k > 0) prior_from_image();
      if (k < kSearches)
        fit = identify(edge);
      else if (is_physical)
        observe_tissue(fit);  // the outline as it has been mended
      else
        fit = try_material(edge, fit.material);
      if (is_physical && k < kSearches) mend_leaks(fit);
      double gain = 1;
      for (int step = 0; is_physical && step < kOutlineSteps && gain > 0.2; step++)
        if (!mend_outline(fit, gain)) gain /= 2;
      tissue_from_metal(fit);
      reconstruct(result.data(), image.data());
    }
    return fit;
  }

  Fit solve_either() {
    Scratch<float> physical = floats(rays), physical_image = floats(pixels);
    Scratch<uint8_t> physical_mask = bytes(pixels);
    const Fit subray = solve(EdgeRays::subray);
    std::swap(result, physical);
    std::swap(image, physical_image);
    metal_rays.export_mask(physical_mask.data());
    beam = &o.beam;
    prior_from_support();
    const Fit div4 = solve(EdgeRays::div4);
    metal_rays.export_mask(mask.data());
    const bool is_calmer = rougher(support.data(), image.data(), physical_image.data()) < 0;
    const bool is_dense =
        std::fabs(std::log(div4.density)) < 0.12;  // short grazing paths ask for wrong densities elsewhere
    if (div4.residual < subray.residual / 2 && is_calmer && is_dense) return div4;
    std::swap(result, physical);
    std::swap(image, physical_image);
    std::swap(mask, physical_mask);
    return subray;
  }

  // How much rougher a is than b near the metal: ln of the ratio of mean gradients, 1 to 12 pixels from it, in the body.
  double rougher(const uint8_t* metal_mask, const float* a, const float* b) {
    Scratch<uint8_t> near = bytes(pixels), ring = bytes(pixels);
    Scratch<float> outside = floats(pixels);
    dilate(metal_mask, 1, near.data());
    dilate(metal_mask, 13, ring.data());
    backend.select(context, {pixels, near.data(), nullptr, b, 0, 0, outside.data()});
    backend.select(context, {pixels, ring.data(), outside.data(), nullptr, 0, 0, scrap.data()});
    backend.threshold(context, {pixels, scrap.data(), static_cast<float>(o.mu_water / 2), true, ring.data()});
    double of_a[2], of_b[2];
    backend.mean_gradient(context, {g.grid.rows, g.grid.columns, a, ring.data(), of_a});
    backend.mean_gradient(context, {g.grid.rows, g.grid.columns, b, ring.data(), of_b});
    return std::log(of_a[0] / of_b[0]);
  }

  double pixels_of(const uint8_t* metal_mask) const {
    int64_t box[5];
    backend.bounds(context, {g.grid.rows, g.grid.columns, metal_mask, box});
    return double(box[4]);
  }

  // How much of the inversion is given, the rest being NMAR, by signals that need no truth.
  double trusted_share(const Fit& fit, double roughness, double metal_pixels) const {
    const auto ramp = [](double value, double sure, double lost) {  // NaN is lost
      return value < lost ? std::min(1.0, (lost - value) / (lost - sure)) : 0.0;
    };
    const double large = std::clamp((metal_pixels * o.photons - kSmall) / (kLarge - kSmall), 0.0, 1.0);
    const double share = std::min({ramp(fit.residual, 0.08, 0.25), ramp(std::fabs(std::log(fit.density)), 0.2, 0.3),
                                   ramp(fit.calibration, 0.25, 0.45), ramp(roughness, 0.5, 1),
                                   o.photons < kFewPhotons ? 0.5 + 0.5 * large : 1.0});
    return share < 0.15 ? 0 : share > 0.85 ? 1 : share;
  }

  SliceVerdict run(float* output, uint8_t* metal_out) {
    SliceVerdict said = {double(Verdict::none), kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, 0, kNaN, kNaN};
    if (given)
      copy(given, mask.data(), pixels);
    else
      said.threshold_hu = find_metal_of_slice(context, backend, {g, args.plan, o.mu_water, 1, sinogram, mask.data()},
                                              sinogram, mask.data());
    if (!metal_rays.enclose(mask.data())) {
      context.fill_zero(metal_out, pixels);
      reconstruct(sinogram, output);
      combine(pixels, {output}, {1}, output, 0);
      return said;
    }
    Scratch<uint8_t> nmar_mask = bytes(pixels), first_mask = bytes(pixels);
    Scratch<float> nmar_image = floats(o.guarded ? pixels : 0), improved = floats(o.guarded ? pixels : 0);
    copy(mask.data(), first_mask.data(), pixels);
    dilate(mask.data(), given ? 0 : 1, nmar_mask.data());
    dilate(mask.data(), given && o.edge == EdgeRays::div4 ? 0 : 2, support.data());
    metal_rays.enclose(support.data());
    if (o.guarded) {
      prior_from_nmar(nmar_mask.data(), nmar_image.data());
      reconstruct(prior.data(), improved.data());
      refine(prior.data(), improved.data(), std::min(2, refinements()));
    }
    prior_from_support();
    metal_trace(context, backend, g, 1, support.data(), where.data());
    Fit fit;
    if (o.edge == EdgeRays::automatic) {
      fit = solve_either();
    } else {
      fit = solve(o.edge);
      metal_rays.export_mask(mask.data());
    }
    copy(image.data(), output, pixels * static_cast<int64_t>(sizeof(float)));
    refine(result.data(), output, refinements());
    if (fit.edge == EdgeRays::subray) take_ring(o.guarded ? nmar_image.data() : wide_nmar.data(), output);
    said.share = 1;
    if (!o.guarded && std::isnan(fit.residual)) {  // no ray sees the metal, or none lets light through
      said.share = 0;
      combine(pixels, {wide_nmar.data()}, {1}, output);
    }
    if (o.guarded) {
      said.roughness = rougher(first_mask.data(), output, improved.data());
      said.share = trusted_share(fit, said.roughness, pixels_of(mask.data()));
      combine(pixels, {output, nmar_image.data()}, {said.share, 1 - said.share}, output);
      if (said.share == 0) combine(pixels, {nmar_image.data()}, {1}, output);  // also where the inversion is not finite
    }
    const Verdict verdict = said.share == 1 ? Verdict::full : said.share == 0 ? Verdict::nmar : Verdict::blend;
    if (verdict == Verdict::nmar) std::swap(mask, first_mask);
    copy(mask.data(), metal_out, pixels);
    said.verdict = double(verdict);
    said.edge = double(fit.edge);
    said.material = fit.material;
    said.density = fit.density;
    said.residual = fit.residual;
    said.calibration = fit.calibration;
    said.metal_pixels = pixels_of(metal_out);
    return said;
  }
};

}  // namespace

Needs polychromatic_mar_needs() {
  return Needs(&Backend::combine, &Backend::select, &Backend::threshold, &Backend::morphology, &Backend::bounds,
               &Backend::gaussian, &Backend::resample, &Backend::joseph_project, &Backend::metal_path,
               &Backend::mean_path, &Backend::linearize, &Backend::tissue_split, &Backend::inversion,
               &Backend::ray_variance, &Backend::ray_calibrate, &Backend::ray_evidence, &Backend::ray_spread,
               &Backend::ray_blend, &Backend::quantiles, &Backend::fit_powers, &Backend::find_leak,
               &Backend::remove_leak, &Backend::mean_gradient) +
         fbp_needs() + metal_trace_needs() + metal_in_sinograms_needs() + find_metal_needs();
}

void polychromatic_mar(const Context& context, const Backend& backend, const PolychromaticMarArgs& args) {
  const int64_t rays = args.geometry.rays(), pixels = args.geometry.grid.pixels();
  for (int64_t s = 0; s < args.slices; s++) {
    Slice slice{context, backend, args, args.sinograms + s * rays, args.masks ? args.masks + s * pixels : nullptr};
    args.verdicts[args.first + s] = slice.run(args.images + s * pixels, args.metal + s * pixels);
  }
}

}  // namespace sino
