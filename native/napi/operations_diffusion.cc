// Steps of diffusion samplers, as JavaScript calls them.
#include <cmath>
#include <set>

#include "native/napi/job.h"
#include "native/napi/options.h"
#include "native/recon/diffusion_step.h"

namespace sino {

namespace {

constexpr int64_t kMost = int64_t(1) << 48;

struct Noise {
  RandomSource source;
  int64_t first;
};
Noise noise_of(Arguments& a) {
  const auto seed = static_cast<uint64_t>(a.integer("seed", 0, (int64_t(1) << 53) - 1));
  const auto stream = static_cast<uint32_t>(a.integer("stream", 0, 0xFFFFFFFFll));
  const int64_t first = a.integer("first", 0, (int64_t(1) << 53) - 1);
  require(first % 4 == 0, Code::out_of_range, "Expected a multiple of 4 for first.");
  return {{seed, stream}, first};
}

float coefficient(double value) {
  const float rounded = static_cast<float>(value);
  require(std::isfinite(rounded), Code::out_of_range, "Expected finite coefficients of a step.");
  return rounded;
}

// Arrays of which some are overwritten: `NAMEInto` says which input the result NAME replaces.
class StepArrays {
 public:
  StepArrays(Arguments& a, int64_t count, std::initializer_list<const char*> results) : a_(a), count_(count) {
    for (const char* result : results)
      if (a.has(into(result).c_str()))
        require(replaced_.insert(a.text(into(result).c_str())).second, Code::out_of_range,
                "Expected two results of a step in different arrays.");
  }
  const float* input(const std::string& name) {
    return inputs_[name] = replaced_.count(name) ? a_.output<float>(name.c_str(), count_)
                                                 : const_cast<float*>(a_.input<float>(name.c_str(), count_));
  }
  // After all inputs are read.
  float* result(const std::string& name) {
    if (!a_.has(into(name).c_str())) return a_.output<float>(name.c_str(), count_);
    const auto found = inputs_.find(a_.text(into(name).c_str()));
    require(found != inputs_.end(), Code::out_of_range, "Expected a result to replace one of the step's inputs.");
    return found->second;
  }
  bool has(const std::string& name) const { return a_.has(name.c_str()) || a_.has(into(name).c_str()); }

 private:
  static std::string into(const std::string& name) { return name + "Into"; }
  Arguments& a_;
  int64_t count_;
  std::set<std::string> replaced_;
  std::map<std::string, float*> inputs_;
};

Work sampling_step(Arguments& a, int64_t* total) {
  SamplingStepArgs args{};
  args.count = *total = a.integer("count", 0, kMost);
  const auto [source, first] = noise_of(a);
  args.source = source, args.first = first;
  StepArrays arrays(a, args.count, {"row0", "row1", "row2", "clean"});
  args.sample = arrays.input("sample");
  args.output = a.has("output") ? arrays.input("output") : args.sample;
  args.from_sample = coefficient(a.number("fromSample"));
  args.from_output = a.has("output") ? coefficient(a.number("fromOutput")) : 0;
  args.low = static_cast<float>(a.number("low")), args.high = static_cast<float>(a.number("high"));
  require(args.low <= args.high, Code::out_of_range, "Expected low ≤ high.");
  args.term_count = static_cast<int>(a.integer("terms", 0, kStepTerms));
  for (int t = 0; t < args.term_count; t++) args.terms[t] = arrays.input("term" + std::to_string(t));
  if (a.has("variance")) {
    args.variance = a.input<float>("variance", args.count);
    args.log_scale = coefficient(a.number("logScale")), args.log_slope = coefficient(a.number("logSlope"));
  }
  // [row][sample, output, clean, noise, terms…]
  const std::vector<double> rows = a.numbers("rows");
  const size_t width = 4 + args.term_count;
  require(rows.size() % width == 0 && rows.size() <= kStepRows * width, Code::shape,
          "Expected at most 3 rows of coefficients, each of sample, output, clean, noise and the terms.");
  args.row_count = static_cast<int>(rows.size() / width);
  for (int r = 0; r < args.row_count; r++) {
    const double* c = rows.data() + r * width;
    StepRow& row = args.rows[r];
    row.sample = coefficient(c[0]), row.output = a.has("output") ? coefficient(c[1]) : 0;
    row.clean = coefficient(c[2]), row.noise = coefficient(c[3]);
    for (int t = 0; t < args.term_count; t++) row.terms[t] = coefficient(c[4 + t]);
    row.target = arrays.result("row" + std::to_string(r));
    args.noisy = args.noisy || row.noise != 0;
  }
  if (arrays.has("clean")) args.clean = arrays.result("clean");
  return {[=](const Context& context, const Backend& backend) mutable -> Numbers {
            int64_t non_finite = 0;
            args.non_finite = &non_finite;
            backend.sampling_step.run(context, args);
            return {{"nonFinite", double(non_finite)}};
          },
          Needs(&Backend::sampling_step)};
}

// The numbers of a fusion.
DualDomainStepArgs fusion_of(Arguments& a) {
  DualDomainStepArgs args{};
  const auto [source, first] = noise_of(a);
  args.source = source, args.first = first;
  args.low = static_cast<float>(a.number("low")), args.high = static_cast<float>(a.number("high"));
  require(args.low <= args.high, Code::out_of_range, "Expected low ≤ high.");
  args.scale = coefficient(a.number("scale")), args.shift = coefficient(a.number("shift"));
  args.delta = coefficient(a.number("delta")), args.delta_measured = coefficient(a.number("deltaMeasured"));
  args.keep = coefficient(a.number("keep"));
  args.signal = coefficient(a.number("signal")), args.noise = coefficient(a.number("noise"));
  return args;
}

Work dual_domain_step(Arguments& a, int64_t* total) {
  DualDomainStepArgs args = fusion_of(a);
  args.count = *total = a.integer("count", 0, kMost);
  StepArrays arrays(a, args.count, {"result"});
  args.clean = arrays.input("clean"), args.consistent = arrays.input("consistent");
  args.measured = arrays.input("measured"), args.base = arrays.input("base");
  args.output = arrays.result("result");
  return {[=](const Context& context, const Backend& backend) mutable -> Numbers {
            int64_t non_finite = 0;
            args.non_finite = &non_finite;
            backend.dual_domain_step.run(context, args);
            return {{"nonFinite", double(non_finite)}};
          },
          Needs(&Backend::dual_domain_step)};
}

Work diffusion_step(Arguments& a, int64_t*) {
  using Fbp = DiffusionStepArgs::Fbp;
  const auto plan = plan_of(a);
  const Geometry& g = plan->geometry;
  const int64_t rays = g.rays(), pixels = g.grid.pixels();
  const std::string route = a.text("fbp");
  const auto maybe = [&](const char* name, int64_t count) {
    return a.has(name) ? a.input<float>(name, count) : nullptr;
  };
  DiffusionStepArgs args{*plan};
  args.fourier_projection = a.text("project") == "projectFourier";
  args.fbp = route == "fbpFourier" ? Fbp::fourier : route == "fbpRebinned" ? Fbp::rebinned : Fbp::direct;
  args.from_sample = a.number("fromSample"), args.from_output = a.number("fromOutput");
  args.fusion = fusion_of(a);
  args.scale = a.number("scale"), args.shift = a.number("shift");
  require(args.scale != 0, Code::out_of_range, "Expected a scale other than 0.");
  args.replaces = a.flag("replaces");
  args.refinements = static_cast<int>(a.integer("refinements", 0, 100));
  args.sample = a.input<float>("sample", pixels), args.said = a.input<float>("said", pixels);
  args.target = a.input<float>("target", rays), args.anchor = a.input<float>("anchor", pixels);
  args.trace = a.input<uint8_t>("trace", rays), args.trust = maybe("trust", rays);
  args.known = maybe("known", pixels);
  if (args.known) args.known_rays = a.input<float>("knownRays", rays), args.beside = a.input<uint8_t>("beside", rays);
  args.measured = a.input<float>("measured", pixels), args.base = a.input<float>("base", pixels);
  args.output = a.output<float>("result", pixels);
  return {[=](const Context& job, const Backend& backend) mutable -> Numbers {
            int64_t clean_bad = 0, bad = 0;
            args.clean_bad = &clean_bad, args.bad = &bad;
            in_slabs(plan->context(job), args, [&](const Context& context, const DiffusionStepArgs& there) {
              sino::diffusion_step(context, backend, there);
            });
            return {{"cleanNonFinite", double(clean_bad)}, {"nonFinite", double(bad)}};
          },
          diffusion_step_needs(args), steps_of(g, (2 + 2 * args.refinements) * g.views())};
}

}  // namespace

void add_diffusion_operations(std::map<std::string, Reader>& readers) {
  readers["samplingStep"] = sampling_step;
  readers["dualDomainStep"] = dual_domain_step;
  readers["diffusionStep"] = diffusion_step;
}

}  // namespace sino
