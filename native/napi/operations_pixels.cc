// The per-pixel operations, as JavaScript calls them.
#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "native/napi/job.h"

namespace sino {

namespace {

constexpr int64_t kMost = int64_t(1) << 48;        // far beyond memory, and products of counts are checked
constexpr int64_t kMostAcross = int64_t(1) << 24;  // rows or columns: counts of them are exact in float

int64_t count_of(Arguments& a, const char* name) { return a.integer(name, 0, kMost); }

StoredType stored_type(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
      return StoredType::i8;
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      return StoredType::u8;
    case napi_int16_array:
      return StoredType::i16;
    case napi_uint16_array:
      return StoredType::u16;
    case napi_int32_array:
      return StoredType::i32;
    case napi_uint32_array:
      return StoredType::u32;
    default:
      throw Error(Code::arg_type, "Expected integers of 8, 16 or 32 bits for stored.");
  }
}

int width_of(StoredType type) { return type <= StoredType::u8 ? 8 : type <= StoredType::u16 ? 16 : 32; }

struct Scaling {
  std::vector<double> slopes, intercepts;
};
std::shared_ptr<Scaling> scaling_of(Arguments& a, int64_t slices, bool invertible) {
  auto scaling = std::make_shared<Scaling>(Scaling{a.numbers("slopes"), a.numbers("intercepts")});
  require(int64_t(scaling->slopes.size()) == slices && int64_t(scaling->intercepts.size()) == slices, Code::shape,
          "Expected one slope and one intercept per slice.");
  for (int64_t i = 0; i < slices; i++)
    require(std::isfinite(scaling->slopes[i]) && std::isfinite(scaling->intercepts[i]) &&
                (!invertible || scaling->slopes[i] != 0),
            Code::out_of_range, "Expected finite slopes and intercepts, and no slope of zero to store with.");
  return scaling;
}

Work rescale(Arguments& a, int64_t* total) {
  const int64_t slices = count_of(a, "slices"), pixels = count_of(a, "pixels"), count = checked_product(slices, pixels);
  napi_typedarray_type found;
  const void* stored = a.any_input("stored", count, &found);
  const StoredType type = stored_type(found);
  const int bits = static_cast<int>(a.integer("bits", 1, width_of(type)));
  auto scaling = scaling_of(a, slices, false);
  float* values = a.output<float>("values", count);
  *total = count;
  return {[=](const Context& context, const Backend& backend) -> Numbers {
            backend.rescale.run(context, {stored, type, bits, slices, pixels, scaling->slopes.data(),
                                          scaling->intercepts.data(), values});
            return {};
          },
          Needs(&Backend::rescale)};
}

Work store(Arguments& a, int64_t* total) {
  const int64_t slices = count_of(a, "slices"), pixels = count_of(a, "pixels"), count = checked_product(slices, pixels);
  const float* values = a.input<float>("values", count);
  const int bits = static_cast<int>(a.integer("bits", 1, 16));
  auto scaling = scaling_of(a, slices, true);
  napi_typedarray_type found;
  void* stored = a.any_output("stored", count, &found);
  require(found == napi_int16_array || found == napi_uint16_array, Code::arg_type,
          "Expected an Int16Array or a Uint16Array for stored.");
  *total = count;
  return {[=](const Context& context, const Backend& backend) -> Numbers {
            int64_t clipped = 0;
            backend.store.run(context, {values, found == napi_int16_array, bits, slices, pixels, scaling->slopes.data(),
                                        scaling->intercepts.data(), stored, &clipped});
            return {{"clipped", double(clipped)}};
          },
          Needs(&Backend::store)};
}

Work combine(Arguments& a, int64_t* total) {
  const int64_t count = count_of(a, "count");
  CombineArgs args{count, {}, a.numbers("weights"), a.number("offset"), a.number("low"), a.number("high"), nullptr};
  for (size_t k = 0; k < args.weights.size(); k++)
    args.terms.push_back(a.input<float>(("term" + std::to_string(k)).c_str(), count));
  args.output = a.output<float>("output", count);
  *total = count;
  return one(&Backend::combine, args);
}

Work threshold(Arguments& a, int64_t* total) {
  const int64_t count = *total = count_of(a, "count");
  const ThresholdArgs args{count, a.input<float>("input", count), static_cast<float>(a.number("level")),
                           a.flag("above"), a.output<uint8_t>("mask", count)};
  return one(&Backend::threshold, args);
}

Work non_zero(Arguments& a, int64_t* total) {
  const int64_t count = *total = count_of(a, "count");
  const NonZeroArgs args{count, a.input<float>("input", count), a.output<uint8_t>("mask", count)};
  return one(&Backend::non_zero, args);
}

Work select(Arguments& a, int64_t* total) {
  const int64_t count = *total = count_of(a, "count");
  SelectArgs args{count, a.input<uint8_t>("mask", count), nullptr, nullptr, 0, 0, nullptr};
  if (a.has("aValue"))
    args.a_value = static_cast<float>(a.number("aValue"));
  else
    args.a = a.input<float>("a", count);
  if (a.has("bValue"))
    args.b_value = static_cast<float>(a.number("bValue"));
  else
    args.b = a.input<float>("b", count);
  args.output = a.output<float>("output", count);
  return one(&Backend::select, args);
}

Work statistics(Arguments& a, int64_t* total) {
  const int64_t count = *total = count_of(a, "count");
  const float* input = a.input<float>("input", count);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
            Statistics s{0, NAN, NAN, 0};
            backend.statistics.run(context, {count, input, &s});
            return {
                {"nonFinite", double(s.non_finite)}, {"minimum", s.minimum}, {"maximum", s.maximum}, {"sum", s.sum}};
          },
          Needs(&Backend::statistics)};
}

Work interpolate(Arguments& a, int64_t* total) {
  const int64_t slices = count_of(a, "slices"), views = count_of(a, "views"), bins = count_of(a, "bins");
  const int64_t count = checked_product(checked_product(slices, views), bins);
  const float* sinograms = a.input<float>("sinograms", count);
  const uint8_t* trace = a.input<uint8_t>("trace", count);
  const float* prior = a.has("prior") ? a.input<float>("prior", count) : nullptr;
  float* output = a.output<float>("output", count);
  *total = checked_product(slices, views);
  return {[=](const Context& context, const Backend& backend) -> Numbers {
            int64_t full_views = 0;
            backend.interpolate.run(context, {slices, views, bins, sinograms, trace, prior, output, &full_views});
            return {{"fullViews", double(full_views)}};
          },
          Needs(&Backend::interpolate)};
}

struct Planes {
  int64_t slices, rows, columns, count;
};
Planes planes_of(Arguments& a) {
  Planes p{count_of(a, "slices"), a.integer("rows", 0, kMostAcross), a.integer("columns", 0, kMostAcross), 0};
  p.count = checked_product(p.slices, p.rows * p.columns);
  return p;
}

Work distance(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  DistanceArgs args{p.slices, p.rows, p.columns, a.flag("volume"), {}, nullptr, nullptr, nullptr};
  const std::vector<double> spacing = a.numbers("spacing");
  require(spacing.size() == 3, Code::shape, "Expected three spacings: slice, row, column.");
  for (int axis = 0; axis < 3; axis++) {
    require(spacing[axis] > 0 && std::isfinite(spacing[axis]), Code::out_of_range, "Expected positive spacings.");
    args.spacing[axis] = spacing[axis];
  }
  args.mask = a.input<uint8_t>("mask", p.count);
  args.distances = a.output<float>("distances", p.count);
  if (a.has("indices")) args.indices = a.output<int32_t>("indices", checked_product(p.count, args.volume ? 3 : 2));
  *total = p.slices * p.rows;
  return one(&Backend::distance, args);
}

Work morphology(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  const std::string shape = a.text("shape");
  MorphologyArgs args{p.slices,        p.rows,      p.columns,         a.input<uint8_t>("mask", p.count),
                      a.flag("erode"), Reach::disk, a.number("reach"), a.output<uint8_t>("result", p.count)};
  require(shape == "disk" || shape == "cross" || shape == "box", Code::out_of_range,
          "Expected shape \"disk\", \"cross\" or \"box\".");
  require(args.reach >= 0, Code::out_of_range, "Expected a reach of at least 0.");
  if (shape != "disk") args.shape = shape == "cross" ? Reach::cross : Reach::box;
  *total = p.slices * p.rows;
  return one(&Backend::morphology, args);
}

ComponentsArgs components_args(Arguments& a, const Planes& p, std::initializer_list<int> connectivities) {
  ComponentsArgs args{};
  args.slices = p.slices, args.rows = p.rows, args.columns = p.columns;
  args.connectivity = static_cast<int>(a.integer("connectivity", 4, 26));
  bool known = false;
  for (int c : connectivities) known = known || c == args.connectivity;
  require(known, Code::out_of_range, "Expected connectivity 4 or 8 in two dimensions, 6, 18 or 26 in three.");
  args.mask = a.input<uint8_t>("mask", p.count);
  return args;
}

Work label_components(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  ComponentsArgs args = components_args(a, p, {4, 8, 6, 18, 26});
  args.labels = a.output<int32_t>("labels", p.count);
  *total = p.slices * p.rows;
  return {[=](const Context& context, const Backend& backend) mutable -> Numbers {
            int64_t count = 0;
            args.count = &count;
            backend.label_components.run(context, args);
            return {{"count", double(count)}};
          },
          Needs(&Backend::label_components)};
}

Work component_sizes(Arguments& a, int64_t*) {
  ComponentSizesArgs args{count_of(a, "pixels"), nullptr, a.integer("count", 0, INT32_MAX), nullptr};
  args.labels = a.input<int32_t>("labels", args.pixels);
  args.sizes = a.output<int32_t>("sizes", args.count);
  return one(&Backend::component_sizes, args);
}

Work keep_components(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  ComponentsArgs args = components_args(a, p, {4, 8, 6, 18, 26});
  args.least = a.integer("least", 0, kMost);
  args.result = a.output<uint8_t>("result", p.count);
  *total = p.slices * p.rows;
  return {[=](const Context& context, const Backend& backend) mutable -> Numbers {
            int64_t count = 0;
            args.count = &count;
            backend.keep_components.run(context, args);
            return {{"count", double(count)}};
          },
          Needs(&Backend::keep_components)};
}

Work fill_holes(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  ComponentsArgs args = components_args(a, p, {4, 6});
  args.result = a.output<uint8_t>("result", p.count);
  *total = p.slices * p.rows;
  return one(&Backend::fill_holes, args);
}

Work gaussian(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  GaussianArgs args{p.slices, p.rows, p.columns, a.number("sigmaRow"), a.number("sigmaColumn"), 0, 0, nullptr, nullptr};
  require(args.sigma_row >= 0 && std::isfinite(args.sigma_row) && args.sigma_column >= 0 &&
              std::isfinite(args.sigma_column),
          Code::out_of_range, "Expected sigmas of at least 0.");
  args.radius_row = a.integer("radiusRow", 0, 1 << 16);
  args.radius_column = a.integer("radiusColumn", 0, 1 << 16);
  args.input = a.input<float>("input", p.count);
  args.output = a.output<float>("output", p.count);
  *total = p.slices * p.rows;
  return one(&Backend::gaussian, args);
}

Resampling resampling_named(const std::string& name) {
  if (name == "nearest") return Resampling::nearest;
  if (name == "linear") return Resampling::linear;
  if (name == "cubic") return Resampling::cubic;
  if (name == "area") return Resampling::area;
  if (name == "lanczos") return Resampling::lanczos;
  throw Error(Code::out_of_range,
              "Expected method nearest, linear, cubic, area or lanczos but received \"" + name + "\".");
}

Work resample(Arguments& a, int64_t* total) {
  const Planes p = planes_of(a);
  ResampleArgs args{p.slices,
                    p.rows,
                    p.columns,
                    a.integer("outRows", 0, kMostAcross),
                    a.integer("outColumns", 0, kMostAcross),
                    resampling_named(a.text("method")),
                    nullptr,
                    nullptr};
  const int64_t count = checked_product(p.slices, args.out_rows * args.out_columns);
  require(count == 0 || p.count > 0, Code::shape, "An image without pixels cannot be resampled.");
  args.input = a.input<float>("input", p.count);
  args.output = a.output<float>("output", count);
  *total = p.slices * args.out_rows;
  return one(&Backend::resample, args);
}

Work tissue_thresholds(Arguments& a, int64_t* total) {
  TissueThresholdsArgs args{
      count_of(a, "slices"), count_of(a, "pixels"), a.number("muWater"), nullptr, nullptr, nullptr};
  require(args.mu_water > 0 && std::isfinite(args.mu_water), Code::out_of_range, "Expected a positive muWater.");
  args.images = a.input<float>("images", checked_product(args.slices, args.pixels));
  args.water = a.output<double>("water", args.slices);
  args.bone = a.output<double>("bone", args.slices);
  *total = args.slices;
  return one(&Backend::tissue_thresholds, args);
}

Work tissue_prior(Arguments& a, int64_t* total) {
  TissuePriorArgs args{count_of(a, "slices"),
                       count_of(a, "pixels"),
                       static_cast<float>(a.number("muWater")),
                       nullptr,
                       nullptr,
                       nullptr,
                       nullptr};
  const int64_t count = checked_product(args.slices, args.pixels);
  args.water = a.input<double>("water", args.slices);
  args.bone = a.input<double>("bone", args.slices);
  args.images = a.input<float>("images", count);
  args.prior = a.output<float>("prior", count);
  *total = count;
  return one(&Backend::tissue_prior, args);
}

}  // namespace

void add_pixel_operations(std::map<std::string, Reader>& readers) {
  readers["rescale"] = rescale;
  readers["store"] = store;
  readers["combine"] = combine;
  readers["threshold"] = threshold;
  readers["nonZero"] = non_zero;
  readers["select"] = select;
  readers["statistics"] = statistics;
  readers["interpolate"] = interpolate;
  readers["distance"] = distance;
  readers["morphology"] = morphology;
  readers["labelComponents"] = label_components;
  readers["componentSizes"] = component_sizes;
  readers["keepComponents"] = keep_components;
  readers["fillHoles"] = fill_holes;
  readers["gaussian"] = gaussian;
  readers["resample"] = resample;
  readers["tissueThresholds"] = tissue_thresholds;
  readers["tissuePrior"] = tissue_prior;
}

}  // namespace sino
