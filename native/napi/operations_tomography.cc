// Projection, back-projection, filter and FBP, as JavaScript calls them.
#include "native/backend/backend.h"
#include "native/napi/job.h"
#include "native/napi/options.h"
#include "native/recon/checks.h"
#include "native/recon/fbp.h"

namespace sino {

namespace {

Work project(Arguments& a, int64_t* total) {
  const Backend& backend = backend_for(a.text("device"));
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  const int64_t slices = slices_of(a);
  const float* images = a.input<float>("images", checked_product(slices, geometry->grid.pixels()));
  float* sinograms = a.output<float>("sinograms", checked_product(slices, geometry->rays()));
  *total = slices * geometry->views();
  return [=, &backend](const Context& context) -> Numbers {
    backend.joseph_project(context, {*geometry, slices, images, sinograms});
    return {};
  };
}

Work project_transpose(Arguments& a, int64_t* total) {
  const Backend& backend = backend_for(a.text("device"));
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  const int64_t slices = slices_of(a);
  const float* sinograms = a.input<float>("sinograms", checked_product(slices, geometry->rays()));
  float* images = a.output<float>("images", checked_product(slices, geometry->grid.pixels()));
  *total = slices * geometry->views();
  return [=, &backend](const Context& context) -> Numbers {
    backend.joseph_transpose(context, {*geometry, slices, sinograms, images});
    return {};
  };
}

Work backproject_weighted(Arguments& a, int64_t* total) {
  const Backend& backend = backend_for(a.text("device"));
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  const int64_t slices = slices_of(a);
  const float* sinograms = a.input<float>("sinograms", checked_product(slices, geometry->rays()));
  float* images = a.output<float>("images", checked_product(slices, geometry->grid.pixels()));
  *total = slices * geometry->views();
  return [=, &backend](const Context& context) -> Numbers {
    backend.backproject(context, {*geometry, slices, sinograms, images});
    return {};
  };
}

Work filter(Arguments& a, int64_t* total) {
  const Backend& backend = backend_for(a.text("device"));
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  const FbpOptions options = fbp_options(a);
  const int64_t slices = slices_of(a);
  const float* sinograms = a.input<float>("sinograms", checked_product(slices, geometry->rays()));
  float* filtered = a.output<float>("filtered", checked_product(slices, geometry->rays()));
  *total = slices * geometry->views();
  return [=, &backend](const Context& context) -> Numbers {
    require_finite(context, sinograms, slices * geometry->rays(), "sinograms");
    const FbpPlan plan = fbp_plan(*geometry, options);
    require(plan.measured_bins == plan.geometry.bins, Code::unsupported,
            "A detector pushed sideways needs views wider than it is; reconstruct it with fbp in one call.");
    backend.ramp_filter(context, {plan.filter, slices, sinograms, filtered});
    return {};
  };
}

Work reconstruct(Arguments& a, int64_t* total) {
  const Backend& backend = backend_for(a.text("device"));
  auto geometry = std::make_shared<Geometry>(a.geometry("geometry"));
  const FbpOptions options = fbp_options(a);
  const int64_t slices = slices_of(a);
  const float* sinograms = a.input<float>("sinograms", checked_product(slices, geometry->rays()));
  float* images = a.output<float>("images", checked_product(slices, geometry->grid.pixels()));
  *total = 2 * slices * geometry->views();
  return [=, &backend](const Context& context) -> Numbers {
    require_finite(context, sinograms, slices * geometry->rays(), "sinograms");
    fbp(context, backend, fbp_plan(*geometry, options), slices, sinograms, images);
    return {};
  };
}

}  // namespace

void add_tomography_operations(std::map<std::string, Reader>& readers) {
  readers["project"] = project;
  readers["projectTranspose"] = project_transpose;
  readers["backproject"] = backproject_weighted;
  readers["filter"] = filter;
  readers["fbp"] = reconstruct;
}

}  // namespace sino
