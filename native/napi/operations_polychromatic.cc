// Polychromatic metal artefact reduction, and the operations it is made of, as JavaScript calls them.
#include <algorithm>
#include <cmath>

#include "native/napi/job.h"
#include "native/napi/options.h"
#include "native/recon/polychromatic_mar.h"

namespace sino {

namespace {

std::vector<float> ratios_of(const std::vector<double>& all, size_t energies, size_t index) {
  std::vector<float> ratios;
  for (size_t e = 0; e < energies; e++) {
    const double r = all[index * energies + e];
    require(r >= 0 && std::isfinite(r), Code::out_of_range, "Attenuation ratios must be finite and not negative.");
    ratios.push_back(static_cast<float>(r));
  }
  return ratios;
}

Spectrum beam_of(const std::vector<double>& weights, size_t energies, const std::vector<double>& correction) {
  require(energies >= 1 && energies <= kMaxEnergies && weights.size() == energies, Code::out_of_range,
          "Expected 1 to 1024 energies, the same in all spectra.");
  require(correction.size() >= 1 && correction.size() <= kMaxCorrectionOrder, Code::out_of_range,
          "Expected 1 to 8 coefficients of the water correction.");
  double sum = 0;
  for (double w : weights) {
    require(w >= 0 && std::isfinite(w), Code::out_of_range, "Spectrum weights must be finite and not negative.");
    sum += w;
  }
  require(sum > 0, Code::out_of_range, "The spectrum has no photons.");
  Spectrum beam{{}, correction};
  for (double w : weights) beam.weights.push_back(static_cast<float>(w / sum));
  return beam;
}

PolychromaticMarOptions options_of(Arguments& a) {
  PolychromaticMarOptions o;
  const std::string edge = a.text("edge");
  require(edge == "auto" || edge == "div4" || edge == "subray", Code::out_of_range,
          "Expected edge \"auto\", \"div4\" or \"subray\".");
  o.edge = edge == "auto" ? EdgeRays::automatic : edge == "div4" ? EdgeRays::div4 : EdgeRays::subray;
  o.guarded = a.flag("guarded");
  o.iterations = static_cast<int>(a.integer("iterations", 0, 10));
  o.refinements = static_cast<int>(a.integer("refinements", -1, 10));
  o.photons = a.number("photons");
  o.scatter = a.number("scatter");
  o.mu_water = a.number("muWater");
  o.low = a.number("low");
  o.high = a.number("high");
  require(o.photons > 0 && o.scatter >= 0 && o.mu_water > 0 && o.high > o.low, Code::out_of_range,
          "Expected positive photons and muWater, scatter that is not negative, and high above low.");
  const std::vector<double> weights = a.numbers("weights"), ratios = a.numbers("ratios"),
                            attenuations = a.numbers("attenuations"), tolerances = a.numbers("tolerances");
  const size_t energies = weights.size(), metals = attenuations.size();
  o.beam = beam_of(weights, energies, a.numbers("waterCorrection"));
  o.scanner = a.has("scannerWeights")
                  ? beam_of(a.numbers("scannerWeights"), energies, a.numbers("scannerWaterCorrection"))
                  : o.beam;
  require(metals >= 1 && tolerances.size() == metals && ratios.size() == (2 + metals) * energies, Code::shape,
          "Expected ratios of water, bone and every metal, and a density for each.");
  o.water = ratios_of(ratios, energies, 0);
  o.bone = ratios_of(ratios, energies, 1);
  for (size_t m = 0; m < metals; m++) {
    require(attenuations[m] > 0 && tolerances[m] >= 0 && tolerances[m] < 1, Code::out_of_range,
            "Expected positive attenuations and tolerances of densities below 1.");
    o.candidates.push_back({ratios_of(ratios, energies, 2 + m), attenuations[m], tolerances[m]});
  }
  return o;
}

// Of each slice: projections and back-projections, many of them of the metal's box alone.
constexpr double kTimesSeen = 30;

Work polychromatic(Arguments& a, int64_t* total) {
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  auto options = std::make_shared<PolychromaticMarOptions>(options_of(a));
  const FbpOptions fbp = fbp_options(a);
  const int64_t slices = slices_of(a);
  const int64_t rays = checked_product(slices, geometry->rays()),
                pixels = checked_product(slices, geometry->grid.pixels());
  const float* sinograms = a.input<float>("sinograms", rays);
  const uint8_t* masks = a.has("masks") ? a.input<uint8_t>("masks", pixels) : nullptr;
  float* images = a.output<float>("images", pixels);
  uint8_t* metal = a.output<uint8_t>("metal", pixels);
  double* verdicts = a.output<double>("verdicts", slices * kVerdictNumbers);
  *total = 0;
  return {[=](const Context& job, const Backend& backend) -> Numbers {
            const FbpPlan plan = fbp_plan(*geometry, fbp);
            const PolychromaticMarArgs all{*geometry, plan,      *options,
                                           slices,    sinograms, masks,
                                           images,    metal,     reinterpret_cast<SliceVerdict*>(verdicts)};
            in_slabs(job, all, [&](const Context& context, const PolychromaticMarArgs& slab) {
              polychromatic_mar(context, backend, slab);
            });
            return {};
          },
          polychromatic_mar_needs(), kTimesSeen * double(slices) * steps_of(*geometry, geometry->views())};
}

constexpr int64_t kMost = int64_t(1) << 40;

int64_t count_of(Arguments& a, const char* name = "count") { return a.integer(name, 0, kMost); }

Work linearize(Arguments& a, int64_t*) {
  const std::vector<double> c = a.numbers("coefficients");
  require(c.size() >= 1 && c.size() <= kMaxCorrectionOrder && c[0] > 0, Code::out_of_range,
          "Expected 1 to 8 coefficients of the water correction, the first one positive.");
  LinearizeArgs args{count_of(a), static_cast<int>(c.size()), {}, a.number("scatter"), a.number("least"), nullptr,
                     nullptr};
  std::copy(c.begin(), c.end(), args.coefficients);
  args.input = a.input<float>("input", args.count);
  args.output = a.output<float>("output", args.count);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    backend.linearize(context, args);
    return {};
  }};
}

struct InversionTables {
  std::vector<float> weights, ratios, least_most;
};

Work inversion(Arguments& a, int64_t*) {
  InversionArgs args{};
  args.rays = count_of(a);
  args.materials = static_cast<int>(a.integer("materials", 2, kMaxMaterials));
  args.subrays = static_cast<int>(a.integer("subrays", 1, kMaxSubrays));
  args.unknown = static_cast<int>(a.integer("unknown", 0, args.materials - 1));
  require(args.unknown < args.materials - 1 || args.subrays == 1, Code::out_of_range,
          "The unknown material cannot be the one with sub-rays.");
  args.steps = static_cast<int>(a.integer("steps", 1, 100));
  const std::vector<double> weights = a.numbers("weights"), ratios = a.numbers("ratios");
  const size_t energies = weights.size();
  require(energies >= 1 && energies <= kMaxEnergies && ratios.size() == energies * args.materials, Code::shape,
          "Expected 1 to 1024 energies and one attenuation ratio per material and energy.");
  auto tables = std::make_shared<InversionTables>();
  tables->weights.assign(weights.begin(), weights.end());
  for (int m = 0; m < args.materials; m++) {
    const std::vector<float> r = ratios_of(ratios, energies, m);
    tables->ratios.insert(tables->ratios.end(), r.begin(), r.end());
    tables->least_most.push_back(*std::min_element(r.begin(), r.end()));
    tables->least_most.push_back(*std::max_element(r.begin(), r.end()));
  }
  args.energies = static_cast<int>(energies);
  args.weights = tables->weights.data();
  for (float w : tables->weights) args.total += w;
  args.ratios = tables->ratios.data();
  args.least_most = tables->least_most.data();
  for (int m = 0; m < args.materials; m++)
    args.paths[m] =
        a.input<float>(("path" + std::to_string(m)).c_str(), args.rays * (m + 1 == args.materials ? args.subrays : 1));
  args.measured = a.input<float>("measured", args.rays);
  args.where = a.has("where") ? a.input<uint8_t>("where", args.rays) : nullptr;
  args.least = static_cast<float>(a.number("lowest"));
  args.most = static_cast<float>(a.number("highest"));
  args.path = a.output<float>("path", args.rays);
  args.slope = a.output<float>("slope", args.rays);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    (void)tables;  // kept alive: args points into it
    backend.inversion(context, args);
    return {};
  }};
}

Work mean_path(Arguments& a, int64_t*) {
  MeanPathArgs args{};
  args.rays = count_of(a);
  args.subrays = static_cast<int>(a.integer("subrays", 1, kMaxSubrays));
  args.paths = a.input<float>("paths", checked_product(args.rays, args.subrays));
  args.mean = a.output<float>("mean", args.rays);
  args.trace = a.output<uint8_t>("trace", args.rays);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    backend.mean_path(context, args);
    return {};
  }};
}

Work ray_variance(Arguments& a, int64_t*) {
  RayVarianceArgs args{};
  args.views = count_of(a, "views");
  args.bins = a.integer("bins", 1, 1 << 16);
  const auto part = [&](const char* name) { return static_cast<float>(a.number(name)); };
  args.model = {part("photons"),    part("scatter"), part("scatterError"), part("crosstalk"),
                part("metalError"), part("edge"),    part("clear")};
  const int64_t rays = checked_product(args.views, args.bins);
  args.where = a.input<uint8_t>("where", rays);
  args.measured = a.input<float>("measured", rays);
  args.slope = a.input<float>("slope", rays);
  args.metal = a.input<float>("metal", rays);
  args.variance = a.output<float>("variance", rays);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    backend.ray_variance(context, args);
    return {};
  }};
}

// One round of calibration, evidence, spreading and blending, without smoothing between them.
Work ray_trust(Arguments& a, int64_t*) {
  const int64_t rays = count_of(a);
  const std::vector<double> n = a.numbers("numbers");
  require(n.size() == 5, Code::shape, "Expected 5 numbers: linear, square, floor, prior, width.");
  const uint8_t* where = a.input<uint8_t>("where", rays);
  const float *variance = a.input<float>("variance", rays), *metal = a.input<float>("metal", rays),
              *prior = a.input<float>("prior", rays);
  float *found = a.output<float>("found", rays), *smooth = a.output<float>("smooth", rays),
        *weight = a.output<float>("weight", rays), *evidence = a.output<float>("evidence", rays),
        *correction = a.output<float>("correction", rays), *output = a.output<float>("output", rays);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    backend.ray_calibrate(context, {rays, where, float(n[0]), float(n[1]), metal, correction, found});
    backend.ray_evidence(context, {rays, where, float(n[2]), variance, found, smooth, weight, evidence});
    backend.ray_spread(context, {rays, float(n[3]), weight, evidence, smooth});
    backend.ray_blend(context, {rays, where, float(n[4]), prior, smooth, found, variance, output});
    return {};
  }};
}

Work find_leak(Arguments& a, int64_t*) {
  FindLeakArgs args{};
  args.views = count_of(a, "views");
  args.bins = a.integer("bins", 1, 1 << 16);
  args.rounds = static_cast<int>(a.integer("rounds", 1, 100));
  const int64_t rays = checked_product(args.views, args.bins);
  args.where = a.input<uint8_t>("where", rays);
  args.trace = a.input<uint8_t>("trace", rays);
  args.measured = a.input<float>("measured", rays);
  args.found = a.input<float>("found", rays);
  args.slope = a.input<float>("slope", rays);
  args.metal = a.input<float>("metal", rays);
  args.variance = a.input<float>("variance", rays);
  args.result = a.output<double>("result", kLeakTerms);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    backend.find_leak(context, args);
    return {};
  }};
}

Work remove_leak(Arguments& a, int64_t*) {
  RemoveLeakArgs args{};
  args.views = count_of(a, "views");
  args.bins = a.integer("bins", 1, 1 << 16);
  const int64_t rays = checked_product(args.views, args.bins);
  args.share = a.number("share");
  args.floor = a.number("floor");
  args.least = a.number("least");
  require(args.share >= 0 && args.share < 0.5 && args.least > 0, Code::out_of_range,
          "Expected a share from 0 to below one half, and a positive least transmission.");
  args.where = a.input<uint8_t>("where", rays);
  args.measured = a.input<float>("measured", rays);
  args.output = a.output<float>("output", rays);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    backend.remove_leak(context, args);
    return {};
  }};
}

Work quantiles(Arguments& a, int64_t*) {
  QuantilesArgs args{};
  args.count = count_of(a);
  const std::vector<double> ranks = a.numbers("ranks");
  require(ranks.size() <= kMaxQuantiles, Code::out_of_range, "Expected at most 4 ranks.");
  args.quantiles = static_cast<int>(ranks.size());
  for (size_t q = 0; q < ranks.size(); q++) {
    require(ranks[q] >= 0 && ranks[q] <= 1, Code::out_of_range, "Expected ranks from 0 to 1.");
    args.ranks[q] = ranks[q];
  }
  args.input = a.input<float>("input", args.count);
  args.where = a.has("where") ? a.input<uint8_t>("where", args.count) : nullptr;
  args.magnitudes = a.flag("magnitudes");
  args.result = a.output<double>("result", args.quantiles + 2);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    backend.quantiles(context, args);
    return {};
  }};
}

Work fit_powers(Arguments& a, int64_t*) {
  FitPowersArgs args{};
  args.count = count_of(a);
  args.x = a.input<float>("x", args.count);
  args.y = a.input<float>("y", args.count);
  args.weights = a.has("weights") ? a.input<float>("weights", args.count) : nullptr;
  args.where = a.input<uint8_t>("where", args.count);
  args.order = static_cast<int>(a.integer("order", 1, 2));
  args.rounds = static_cast<int>(a.integer("rounds", 1, 100));
  args.result = a.output<double>("result", args.order + 2);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    backend.fit_powers(context, args);
    return {};
  }};
}

Work mean_gradient(Arguments& a, int64_t*) {
  const int64_t rows = count_of(a, "rows"), columns = a.integer("columns", 1, 1 << 16);
  const int64_t pixels = checked_product(rows, columns);
  const float* input = a.input<float>("input", pixels);
  const uint8_t* where = a.input<uint8_t>("where", pixels);
  double* result = a.output<double>("result", 2);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    backend.mean_gradient(context, {rows, columns, input, where, result});
    return {};
  }};
}

Work bounds(Arguments& a, int64_t*) {
  const int64_t rows = count_of(a, "rows"), columns = a.integer("columns", 1, 1 << 16);
  const uint8_t* mask = a.input<uint8_t>("mask", checked_product(rows, columns));
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    int64_t box[5];
    backend.bounds(context, {rows, columns, mask, box});
    return {{"top", double(box[0])},
            {"bottom", double(box[1])},
            {"left", double(box[2])},
            {"right", double(box[3])},
            {"pixels", double(box[4])}};
  }};
}

Work metal_mask(Arguments& a, int64_t*) {
  MetalMaskArgs args{};
  args.count = count_of(a);
  args.input = a.input<float>("input", args.count);
  args.labels = a.input<int32_t>("labels", args.count);
  args.groups = a.integer("groups", 0, kMost);
  args.least = static_cast<float>(a.number("least"));
  args.share = static_cast<float>(a.number("share"));
  args.alone = static_cast<float>(a.number("alone"));
  args.mask = a.output<uint8_t>("mask", args.count);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
    double threshold;
    MetalMaskArgs filled = args;
    filled.threshold = &threshold;
    backend.metal_mask(context, filled);
    return {{"threshold", threshold}};
  }};
}

}  // namespace

void add_polychromatic_operations(std::map<std::string, Reader>& readers) {
  readers["polychromaticMar"] = polychromatic;
  readers["linearize"] = linearize;
  readers["inversion"] = inversion;
  readers["meanPath"] = mean_path;
  readers["rayVariance"] = ray_variance;
  readers["rayTrust"] = ray_trust;
  readers["findLeak"] = find_leak;
  readers["removeLeak"] = remove_leak;
  readers["quantiles"] = quantiles;
  readers["fitPowers"] = fit_powers;
  readers["meanGradient"] = mean_gradient;
  readers["bounds"] = bounds;
  readers["metalMask"] = metal_mask;
}

}  // namespace sino
