// Metal artefact reduction, as JavaScript calls it.
#include "native/napi/job.h"
#include "native/napi/options.h"
#include "native/recon/find_metal.h"

namespace sino {

namespace {

MarOptions mar_options(Arguments& a) {
  MarOptions options;
  const std::string method = a.text("method");
  if (method == "li")
    options.method = MarMethod::li;
  else if (method == "nmar")
    options.method = MarMethod::nmar;
  else
    throw Error(Code::out_of_range, "Expected method \"li\" or \"nmar\" but received \"" + method + "\".");
  options.passes = static_cast<int>(a.integer("passes", 1, 10));
  options.mu_water = a.number("muWater");
  require(options.mu_water > 0, Code::out_of_range, "Expected a positive muWater.");
  return options;
}

Work trace_of_mask(Arguments& a, int64_t* total) {
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  const int64_t slices = slices_of(a);
  const uint8_t* masks = a.input<uint8_t>("masks", checked_product(slices, geometry->grid.pixels()));
  uint8_t* trace = a.output<uint8_t>("trace", checked_product(slices, geometry->rays()));
  *total = slices * geometry->views();
  return {[=](const Context& job, const Backend& backend) -> Numbers {
            in_slabs(job, MetalTraceArrays{*geometry, slices, masks, trace},
                     [&](const Context& context, const MetalTraceArrays& t) {
                       metal_trace(context, backend, t.geometry, t.slices, t.masks, t.trace);
                     });
            return {};
          },
          metal_trace_needs(), steps_of(*geometry, *total)};
}

Work metal_in_sinograms(Arguments& a, int64_t* total) {
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  const double mu_water = a.number("muWater");
  require(mu_water > 0, Code::out_of_range, "Expected a positive muWater.");
  const int64_t slices = slices_of(a);
  const float* sinograms = a.input<float>("sinograms", checked_product(slices, geometry->rays()));
  uint8_t* masks = a.output<uint8_t>("masks", checked_product(slices, geometry->grid.pixels()));
  *total = 0;
  return {[=](const Context& job, const Backend& backend) -> Numbers {
            const FbpPlan plan = fbp_plan(*geometry, {});
            in_slabs(job, FindMetalArgs{*geometry, plan, mu_water, slices, sinograms, masks},
                     [&](const Context& context, const FindMetalArgs& args) { find_metal(context, backend, args); });
            return {};
          },
          find_metal_needs(), steps_of(*geometry, slices * geometry->views())};
}

Work correct_sinograms(Arguments& a, int64_t* total) {
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  const MarOptions options = mar_options(a);
  const FbpOptions fbp = fbp_options(a);
  const int64_t slices = slices_of(a);
  const int64_t rays = checked_product(slices, geometry->rays()),
                pixels = checked_product(slices, geometry->grid.pixels());
  const float* sinograms = a.input<float>("sinograms", rays);
  const uint8_t* trace = a.input<uint8_t>("trace", rays);
  const uint8_t* masks = a.has("masks") ? a.input<uint8_t>("masks", pixels) : nullptr;
  float* corrected = a.output<float>("corrected", rays);
  float* images = a.output<float>("images", pixels);
  *total = mar_sinogram_work(options, slices, geometry->views());
  return {[=](const Context& job, const Backend& backend) -> Numbers {
            const FbpPlan plan = fbp_plan(*geometry, fbp);
            int64_t full_views = 0;
            in_slabs(job,
                     MarSinogramArgs{*geometry, plan, options, slices, sinograms, trace, masks, corrected, images,
                                     &full_views},
                     [&](const Context& context, const MarSinogramArgs& args) {
                       reduce_metal_in_sinograms(context, backend, args);
                     });
            return {{"fullViews", double(full_views)}};
          },
          metal_in_sinograms_needs(), steps_of(*geometry, *total)};
}

Work correct_images(Arguments& a, int64_t* total) {
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  const MarOptions options = mar_options(a);
  const int64_t slices = slices_of(a);
  const int64_t pixels = checked_product(slices, geometry->grid.pixels());
  const float* images = a.input<float>("images", pixels);
  const uint8_t* support = a.input<uint8_t>("support", pixels);
  const uint8_t* metal = a.input<uint8_t>("metal", pixels);
  float* corrected = a.output<float>("corrected", pixels);
  *total = mar_image_work(options, slices, geometry->views());
  return {[=](const Context& job, const Backend& backend) -> Numbers {
            const FbpPlan plan = fbp_plan(*geometry, {});
            in_slabs(job, MarImageArgs{*geometry, plan, options, slices, images, support, metal, corrected},
                     [&](const Context& context, const MarImageArgs& args) {
                       reduce_metal_in_images(context, backend, args);
                     });
            return {};
          },
          metal_in_images_needs(), steps_of(*geometry, *total)};
}

// How many pixels of every slice a mask sets.
Work count_set(Arguments& a, int64_t*) {
  const int64_t slices = slices_of(a), pixels = a.integer("pixels", 0, int64_t(1) << 40);
  const uint8_t* masks = a.input<uint8_t>("masks", checked_product(slices, pixels));
  double* counts = a.output<double>("counts", slices);
  return {[=](const Context& context, const Backend&) -> Numbers {
    context.parallel_for(slices, 1, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; s++) {
        int64_t count = 0;
        for (int64_t i = s * pixels; i < (s + 1) * pixels; i++) count += masks[i] != 0;
        counts[s] = static_cast<double>(count);
      }
    });
    return {};
  }};
}

}  // namespace

void add_mar_operations(std::map<std::string, Reader>& readers) {
  readers["metalTrace"] = trace_of_mask;
  readers["metalInSinograms"] = metal_in_sinograms;
  readers["correctSinograms"] = correct_sinograms;
  readers["correctImages"] = correct_images;
  readers["countSet"] = count_set;
}

}  // namespace sino
