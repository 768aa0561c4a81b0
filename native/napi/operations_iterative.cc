// Iterative reconstruction and what it is made of, as JavaScript calls it.
#include <cmath>
#include <limits>

#include "native/napi/job.h"
#include "native/napi/options.h"
#include "native/recon/iterative.h"

namespace sino {

namespace {

constexpr int64_t kMost = int64_t(1) << 40;

float bound(Arguments& a, const char* name, double fallback) {
  const double value = a.number(name, fallback);
  require(!std::isnan(value), Code::out_of_range, "Expected numbers for low and high.");
  return static_cast<float>(value);
}

void require_factors(const std::vector<double>& factors, int64_t slices) {
  require(factors.size() == 1 || static_cast<int64_t>(factors.size()) == slices, Code::shape,
          "Expected one factor, or one per slice.");
}

Work axpy(Arguments& a, int64_t*) {
  const int64_t slices = slices_of(a), length = a.integer("length", 0, kMost), count = checked_product(slices, length);
  AxpyArgs args{slices,
                length,
                a.numbers("a"),
                a.has("x") ? a.input<float>("x", count) : nullptr,
                a.numbers("b"),
                a.has("weights") ? a.input<float>("weights", length) : nullptr,
                a.has("y") ? a.input<float>("y", count) : nullptr,
                bound(a, "low", -INFINITY),
                bound(a, "high", INFINITY),
                a.output<float>("output", count),
                nullptr};
  require_factors(args.a, slices);
  require_factors(args.b, slices);
  double* squares = a.output<double>("squares", slices);
  return {[=](const Context& context, const Backend& backend) mutable -> Numbers {
            args.squares = squares;
            backend.axpy.run(context, args);
            return {};
          },
          Needs(&Backend::axpy)};
}

Work total_variation(Arguments& a, int64_t* total) {
  TotalVariationArgs args{slices_of(a),
                          a.integer("rows", 0, 1 << 24),
                          a.integer("columns", 0, 1 << 24),
                          a.numbers("weights"),
                          nullptr,
                          bound(a, "low", -INFINITY),
                          bound(a, "high", INFINITY),
                          static_cast<int>(a.integer("iterations", 1, 1 << 20)),
                          nullptr,
                          nullptr,
                          nullptr,
                          true,
                          a.flag("volume"),
                          a.number("ratio")};
  const int64_t count = checked_product(args.slices, checked_product(args.rows, args.columns));
  require_factors(args.weights, args.slices);
  for (double w : args.weights)
    require(w >= 0 && std::isfinite(w), Code::out_of_range, "Expected weights that are finite and not negative.");
  require(!args.volume || args.weights.size() == 1, Code::shape, "Expected one weight for a volume.");
  require(args.ratio >= 0 && std::isfinite(args.ratio), Code::out_of_range, "Expected a ratio that is not negative.");
  args.input = a.input<float>("input", count);
  args.output = a.output<float>("output", count);
  *total = checked_product(args.slices * args.rows, args.iterations);
  return one(&Backend::total_variation, args);
}

IterativeOptions iterative_options(Arguments& a, const Geometry& g) {
  IterativeOptions o;
  const std::string method = a.text("method");
  require(method == "sart" || method == "cgls" || method == "tv", Code::out_of_range,
          "Expected method sart, cgls or tv.");
  o.method = method == "sart" ? IterativeMethod::sart : method == "cgls" ? IterativeMethod::cgls : IterativeMethod::tv;
  o.fourier = a.flag("fourier");
  o.iterations = static_cast<int>(a.integer("iterations", 0, 1 << 20));
  o.subsets = a.integer("subsets", 1, std::max<int64_t>(1, g.views()));
  o.relaxation = a.number("relaxation", 1);
  o.tolerance = a.number("tolerance", 0);
  o.low = bound(a, "low", -INFINITY);
  o.high = bound(a, "high", INFINITY);
  o.weight = a.number("weight", 0);
  o.weight_steps = static_cast<int>(a.integer("weightSteps", 1, 1 << 16));
  require(o.relaxation > 0 && o.relaxation < 2, Code::out_of_range, "Expected a relaxation between 0 and 2.");
  require(o.tolerance >= 0 && o.weight >= 0 && std::isfinite(o.weight), Code::out_of_range,
          "Expected a tolerance and a weight that are not negative.");
  require(o.low <= o.high, Code::out_of_range, "Expected low ≤ high.");
  require(!o.fourier || o.subsets == 1, Code::unsupported, "The Fourier route takes all views at once.");
  return o;
}

Work reconstruct(Arguments& a, int64_t* total) {
  PlannedCall call(a, "sinograms", "images");
  const Geometry& g = call.geometry();
  const IterativeOptions o = iterative_options(a, g);
  const int64_t pixels = g.grid.pixels(), slices = call.arrays.slices;
  const float* start = a.has("start") ? a.input<float>("start", checked_product(slices, pixels)) : nullptr;
  const uint8_t* mask = a.has("mask") ? a.input<uint8_t>("mask", pixels) : nullptr;
  double* residuals = a.output<double>("residuals", checked_product(slices, o.iterations));
  *total = iterative_work(o, slices, g.views());
  return {[=](const Context& job, const Backend& backend) -> Numbers {
            Plan& plan = *call.plan;
            const std::vector<ViewSubset> subsets = view_subsets(plan.geometry, o.subsets);
            std::vector<float> kept(mask ? pixels : 0);
            for (int64_t i = 0; mask && i < pixels; i++) kept[i] = mask[i] ? 1 : 0;
            const IterativeArgs args{
                slices, 0, call.arrays.input, start, mask ? kept.data() : nullptr, call.arrays.output, residuals};
            in_slabs(plan.context(job),
                     IterativeArrays{args, plan.geometry.rays(), pixels, iterative_memory(o, plan.geometry)},
                     [&](const Context& context, const IterativeArrays& slab) {
                       iterate(context, backend, plan, o, subsets, slab.args);
                     });
            return {};
          },
          iterative_needs(o), steps_of(g, 2 * o.iterations * call.views())};
}

}  // namespace

void add_iterative_operations(std::map<std::string, Reader>& readers) {
  readers["axpy"] = axpy;
  readers["totalVariation"] = total_variation;
  readers["iterate"] = reconstruct;
}

}  // namespace sino
