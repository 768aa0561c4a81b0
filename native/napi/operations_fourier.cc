// The Fourier route of projection, transpose and FBP, as JavaScript calls it.
#include "native/napi/job.h"
#include "native/napi/options.h"

namespace sino {

namespace {

// So many times cheaper than ray by ray (docs/conventions.md).
constexpr double kCheaper = 4;

using Transform = Operation<FourierArgs> Backend::*;

Work planned(const PlannedCall& call, Transform transform, const FourierPlan& (Plan::*tables)()) {
  return {[=](const Context& job, const Backend& backend) -> Numbers {
            in_slabs(call.plan->context(job), call.arrays, [&](const Context& context, const SliceArrays& s) {
              (backend.*transform)(context, {((*call.plan).*tables)(), s.slices, s.input, s.output});
            });
            return {};
          },
          Needs(transform), steps_of(call.geometry(), call.views()) / kCheaper};
}

Work project(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "images", "sinograms");
  *total = call.views();
  return planned(call, &Backend::fourier_project, &Plan::fourier);
}

Work project_transpose(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "sinograms", "images");
  *total = call.views();
  return planned(call, &Backend::fourier_transpose, &Plan::fourier);
}

Work reconstruct(Arguments& a, int64_t* total) {
  PlannedCall call(a, "sinograms", "images");
  *total = call.views();
  call.arrays.finite_input = "sinograms";
  return planned(call, &Backend::fourier_transpose, &Plan::fbp_fourier);
}

}  // namespace

void add_fourier_operations(std::map<std::string, Reader>& readers) {
  readers["projectFourier"] = project;
  readers["projectTransposeFourier"] = project_transpose;
  readers["fbpFourier"] = reconstruct;
}

}  // namespace sino
