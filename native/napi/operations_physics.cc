// Forward physics, noise and image metrics, as JavaScript calls them.
#include <algorithm>
#include <cmath>

#include "native/napi/job.h"

namespace sino {

namespace {

constexpr int64_t kMost = int64_t(1) << 40;

int64_t count_of(Arguments& a, const char* name) { return a.integer(name, 0, kMost); }

RandomSource random_source(Arguments& a) {
  const auto seed = static_cast<uint64_t>(a.integer("seed", 0, (int64_t(1) << 53) - 1));
  return {seed, static_cast<uint32_t>(a.integer("stream", 0, 0xFFFFFFFFll))};
}

Work tissue_split(Arguments& a, int64_t* total) {
  TissueSplitArgs args{};
  args.count = count_of(a, "count");
  args.scale = static_cast<float>(a.number("scale"));
  args.shift = static_cast<float>(a.number("shift"));
  args.low = static_cast<float>(a.number("low"));
  args.high = static_cast<float>(a.number("high"));
  require(args.high > args.low, Code::out_of_range, "Expected the upper split threshold above the lower one.");
  args.input = a.input<float>("input", args.count);
  args.mu = a.output<float>("mu", args.count);
  args.water = a.output<float>("water", args.count);
  args.bone = a.output<float>("bone", args.count);
  *total = args.count;
  return one(&Backend::tissue_split, args);
}

Work metal_path(Arguments& a, int64_t* total) {
  MetalPathArgs args{};
  args.lines = count_of(a, "lines");
  args.bins = a.integer("bins", 1, 1 << 16);
  args.attenuation = static_cast<float>(a.number("attenuation"));
  const std::string edge = a.text("edge");
  require(edge == "none" || edge == "div4", Code::out_of_range, "Expected edge \"none\" or \"div4\".");
  args.edge = edge == "div4" ? Edge::div4 : Edge::none;
  const int64_t count = checked_product(args.lines, args.bins);
  args.lengths = a.input<float>("lengths", count);
  args.paths = a.output<float>("paths", count);
  args.trace = a.output<uint8_t>("trace", count);
  *total = args.lines;
  return one(&Backend::metal_path, args);
}

// Copies of the tables, in the form that kernels take, alive as long as the job.
struct EnergyTables {
  std::vector<float> weights, ratios, least_most;
};

std::shared_ptr<EnergyTables> energy_tables(Arguments& a, int materials) {
  const std::vector<double> weights = a.numbers("weights"), ratios = a.numbers("ratios");
  const int64_t energies = static_cast<int64_t>(weights.size());
  require(energies >= 1 && energies <= kMaxEnergies, Code::out_of_range, "Expected 1 to 1024 energies.");
  require(static_cast<int64_t>(ratios.size()) == materials * energies, Code::shape,
          "Expected one attenuation ratio per material and energy.");
  double sum = 0;
  for (double w : weights) {
    require(w >= 0 && std::isfinite(w), Code::out_of_range, "Spectrum weights must be finite and not negative.");
    sum += w;
  }
  require(sum > 0, Code::out_of_range, "The spectrum has no photons.");
  auto tables = std::make_shared<EnergyTables>();
  for (double w : weights) tables->weights.push_back(static_cast<float>(w / sum));
  for (double r : ratios) {
    require(r >= 0 && std::isfinite(r), Code::out_of_range, "Attenuation ratios must be finite and not negative.");
    tables->ratios.push_back(static_cast<float>(r));
  }
  for (int m = 0; m < materials; m++) {
    const auto first = tables->ratios.begin() + m * energies;
    const auto [least, most] = std::minmax_element(first, first + energies);
    tables->least_most.push_back(*least);
    tables->least_most.push_back(*most);
  }
  return tables;
}

Work polychromatic(Arguments& a, int64_t* total) {
  PolychromaticArgs args{};
  args.rays = count_of(a, "rays");
  args.materials = static_cast<int>(a.integer("materials", 1, kMaxMaterials));
  const auto tables = energy_tables(a, args.materials);
  args.energies = static_cast<int>(tables->weights.size());
  for (int m = 0; m < args.materials; m++)
    args.paths[m] = a.input<float>(("path" + std::to_string(m)).c_str(), args.rays);
  args.weights = tables->weights.data();
  args.total = 0;
  for (float w : tables->weights) args.total += w;
  args.ratios = tables->ratios.data();
  args.least_most = tables->least_most.data();
  args.output = a.output<float>("output", args.rays);
  *total = args.rays;
  return {[=](const Context& context, const Backend& backend) -> Numbers {
            (void)tables;  // kept alive: args points into it
            backend.polychromatic.run(context, args);
            return {};
          },
          Needs(&Backend::polychromatic)};
}

Work water_correction(Arguments& a, int64_t* total) {
  WaterCorrectionArgs args{};
  args.count = count_of(a, "count");
  const std::vector<double> coefficients = a.numbers("coefficients");
  require(!coefficients.empty() && coefficients.size() <= kMaxCorrectionOrder, Code::out_of_range,
          "Expected 1 to 8 coefficients.");
  args.order = static_cast<int>(coefficients.size());
  std::copy(coefficients.begin(), coefficients.end(), args.coefficients);
  args.input = a.input<float>("input", args.count);
  args.output = a.output<float>("output", args.count);
  *total = args.count;
  return one(&Backend::water_correction, args);
}

Work photon_noise(Arguments& a, int64_t* total) {
  PhotonNoiseArgs args{};
  args.source = random_source(a);
  args.first = a.integer("first", 0, int64_t(1) << 52);
  args.count = count_of(a, "count");
  args.photons = a.number("photons");
  args.scatter = a.number("scatter");
  require(args.photons >= 1 && args.photons <= 1e15, Code::out_of_range, "Expected 1 to 1e15 photons per ray.");
  require(args.scatter >= 0 && args.scatter <= 1e15, Code::out_of_range,
          "Expected 0 to 1e15 scattered photons per ray.");
  args.line_integrals = a.input<float>("input", args.count);
  args.noisy = a.output<float>("output", args.count);
  *total = args.count;
  return one(&Backend::photon_noise, args);
}

RandomArgs random_args(Arguments& a) {
  RandomArgs args{random_source(a), a.integer("first", 0, int64_t(1) << 52), count_of(a, "count"), nullptr};
  require(args.first % 4 == 0, Code::out_of_range, "Expected a multiple of 4 as first element.");
  return args;
}

Work normal_noise(Arguments& a, int64_t* total) {
  RandomArgs args = random_args(a);
  args.output = a.output<float>("output", args.count);
  *total = args.count;
  return one(&Backend::normal_noise, args);
}

Work random_bits(Arguments& a, int64_t* total) {
  RandomArgs args = random_args(a);
  args.output = a.output<int32_t>("output", args.count);
  *total = args.count;
  return one(&Backend::random_bits, args);
}

Work mean_intensity(Arguments& a, int64_t* total) {
  MeanIntensityArgs args{};
  args.lines = count_of(a, "lines");
  args.bins = a.integer("bins", 1, 1 << 16);
  args.parts = a.integer("parts", 1, kMaxRays);
  args.inputs = static_cast<int>(a.integer("inputs", 1, kMaxRays));
  const int64_t count = checked_product(args.lines, args.bins), all = checked_product(count, args.parts);
  for (int i = 0; i < args.inputs; i++)
    args.line_integrals[i] = a.input<float>(("input" + std::to_string(i)).c_str(), all);
  args.output = a.output<float>("output", count);
  *total = args.lines;
  return one(&Backend::mean_intensity, args);
}

Work detector_response(Arguments& a, int64_t* total) {
  DetectorArgs args{};
  args.lines = count_of(a, "lines");
  args.bins = a.integer("bins", 1, 1 << 16);
  const auto kernel = std::make_shared<std::vector<double>>(a.numbers("kernel"));
  args.reach = static_cast<int64_t>(kernel->size() / 2);
  require(kernel->size() % 2 == 1 && args.reach <= kMaxReach, Code::out_of_range,
          "Expected a detector kernel with an odd number of weights, at most 8193.");
  for (double h : *kernel)
    require(h >= 0 && std::isfinite(h), Code::out_of_range, "Detector weights must be finite and not negative.");
  args.kernel = kernel->data();
  args.floor = a.number("floor");
  require(args.floor >= 0 && std::isfinite(args.floor), Code::out_of_range,
          "Constant scatter must be finite and not negative.");
  if (a.has("air")) args.air = a.input<float>("air", args.bins);
  const int64_t count = checked_product(args.lines, args.bins);
  args.line_integrals = a.input<float>("input", count);
  args.output = a.output<float>("output", count);
  *total = args.lines;
  return {[=](const Context& context, const Backend& backend) -> Numbers {
            (void)kernel;  // kept alive: args points into it
            backend.detector_response.run(context, args);
            return {};
          },
          Needs(&Backend::detector_response)};
}

DoseArgs dose_args(Arguments& a) {
  DoseArgs args{};
  args.source = random_source(a);
  args.first = a.integer("first", 0, int64_t(1) << 52);
  args.bins = a.integer("bins", 1, 1 << 16);
  args.count = count_of(a, "count");
  require(args.count % args.bins == 0, Code::shape, "Expected whole lines of bins.");
  args.photons = a.number("photons");
  args.electronic = a.number("electronic");
  require(args.photons >= 1 && args.photons <= 1e15, Code::out_of_range, "Expected 1 to 1e15 photons per ray.");
  require(args.electronic >= 0 && args.electronic <= 1e15, Code::out_of_range,
          "Expected electronic noise from 0 to 1e15 photons.");
  if (a.has("air")) args.air = a.input<float>("air", args.bins);
  args.line_integrals = a.input<float>("input", args.count);
  args.output = a.output<float>("output", args.count);
  return args;
}

Work detected_photons(Arguments& a, int64_t* total) {
  DoseArgs args = dose_args(a);
  args.scatter = a.number("scatter");
  require(args.scatter >= 0 && args.scatter <= 1e15, Code::out_of_range,
          "Expected 0 to 1e15 scattered photons per ray.");
  *total = args.count;
  return one(&Backend::detected_photons, args);
}

Work lower_dose(Arguments& a, int64_t* total) {
  DoseArgs args = dose_args(a);
  args.fraction = a.number("fraction");
  require(args.fraction > 0 && args.fraction <= 1, Code::out_of_range,
          "Expected a fraction of the dose above 0, at most 1.");
  *total = args.count;
  return one(&Backend::lower_dose, args);
}

struct Mask {
  const uint8_t* data = nullptr;
  int64_t slices = 1;
};

Mask mask_of(Arguments& a, int64_t slices, int64_t pixels) {
  if (!a.has("mask")) return {};
  Mask mask;
  mask.slices = a.integer("maskSlices", 1, std::max<int64_t>(1, slices));
  require(mask.slices == 1 || mask.slices == slices, Code::shape,
          "Expected one mask for all slices, or one per slice.");
  mask.data = a.input<uint8_t>("mask", checked_product(mask.slices, pixels));
  return mask;
}

Work metrics_window(Arguments& a, int64_t* total) {
  WindowArgs args{};
  args.slices = count_of(a, "slices");
  args.pixels = count_of(a, "pixels");
  const int64_t count = checked_product(args.slices, args.pixels);
  args.low = static_cast<float>(a.number("low"));
  args.high = static_cast<float>(a.number("high"));
  require(args.high > args.low, Code::out_of_range, "Expected the upper end of the window above the lower one.");
  args.levels = static_cast<int>(a.integer("levels", 0, 65535));
  const Mask mask = mask_of(a, args.slices, args.pixels);
  args.mask = mask.data;
  args.mask_slices = mask.slices;
  args.input = a.input<float>("input", count);
  args.output = a.output<float>("output", count);
  *total = count;
  return one(&Backend::metrics_window, args);
}

Work metrics_differences(Arguments& a, int64_t* total) {
  DifferenceArgs args{};
  args.slices = count_of(a, "slices");
  args.rows = a.integer("rows", 1, 1 << 24);
  args.columns = a.integer("columns", 1, 1 << 24);
  const int64_t pixels = checked_product(args.rows, args.columns), count = checked_product(args.slices, pixels);
  const Mask mask = mask_of(a, args.slices, pixels);
  args.mask = mask.data;
  args.mask_slices = mask.slices;
  args.a = a.input<float>("a", count);
  args.b = a.input<float>("b", count);
  args.sums = a.output<double>("sums", checked_product(args.slices, kDifferenceSums));
  *total = args.slices * args.rows;
  return one(&Backend::metrics_differences, args);
}

Work metrics_decimate(Arguments& a, int64_t* total) {
  DecimateArgs args{};
  args.slices = count_of(a, "slices");
  args.rows = a.integer("rows", 1, 1 << 24);
  args.columns = a.integer("columns", 1, 1 << 24);
  args.factor = a.integer("factor", 1, std::min(args.rows, args.columns));
  const int64_t f = args.factor, rows = (args.rows + f - 1) / f, columns = (args.columns + f - 1) / f;
  args.input = a.input<float>("input", checked_product(args.slices, checked_product(args.rows, args.columns)));
  args.output = a.output<float>("output", checked_product(args.slices, checked_product(rows, columns)));
  *total = args.slices * rows;
  return one(&Backend::metrics_decimate, args);
}

Work metrics_ssim(Arguments& a, int64_t* total) {
  SsimArgs args{};
  args.slices = count_of(a, "slices");
  args.uniform = a.flag("uniform");
  const int side = ssim_side(args.uniform);
  args.rows = a.integer("rows", side, 1 << 24);
  args.columns = a.integer("columns", side, 1 << 24);
  const int64_t count = checked_product(args.slices, checked_product(args.rows, args.columns));
  args.c1 = a.number("c1");
  args.c2 = a.number("c2");
  args.a = a.input<float>("a", count);
  args.b = a.input<float>("b", count);
  args.values = a.output<double>("values", args.slices);
  *total = args.slices * (args.rows - side + 1);
  return one(&Backend::metrics_ssim, args);
}

}  // namespace

void add_physics_operations(std::map<std::string, Reader>& readers) {
  readers["tissueSplit"] = tissue_split;
  readers["metalPath"] = metal_path;
  readers["polychromatic"] = polychromatic;
  readers["waterCorrection"] = water_correction;
  readers["photonNoise"] = photon_noise;
  readers["normalNoise"] = normal_noise;
  readers["randomBits"] = random_bits;
  readers["meanIntensity"] = mean_intensity;
  readers["detectorResponse"] = detector_response;
  readers["detectedPhotons"] = detected_photons;
  readers["lowerDose"] = lower_dose;
  readers["metricsWindow"] = metrics_window;
  readers["metricsDifferences"] = metrics_differences;
  readers["metricsDecimate"] = metrics_decimate;
  readers["metricsSsim"] = metrics_ssim;
}

}  // namespace sino
