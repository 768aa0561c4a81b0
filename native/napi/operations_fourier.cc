// The Fourier route of projection, transpose and FBP, as JavaScript calls it.
#include "native/backend/backend.h"
#include "native/napi/job.h"
#include "native/napi/options.h"
#include "native/recon/checks.h"
#include "native/recon/fbp_fourier.h"

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
    backend.fourier_project(context, {*fourier_plan(*geometry, {}), slices, images, sinograms});
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
    backend.fourier_transpose(context, {*fourier_plan(*geometry, {}), slices, sinograms, images});
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
  *total = slices * geometry->views();
  return [=, &backend](const Context& context) -> Numbers {
    require_finite(context, sinograms, slices * geometry->rays(), "sinograms");
    fbp_fourier(context, backend, fbp_plan(*geometry, options), slices, sinograms, images);
    return {};
  };
}

}  // namespace

void add_fourier_operations(std::map<std::string, Reader>& readers) {
  readers["projectFourier"] = project;
  readers["projectTransposeFourier"] = project_transpose;
  readers["fbpFourier"] = reconstruct;
}

}  // namespace sino
