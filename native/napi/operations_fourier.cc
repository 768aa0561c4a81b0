// The Fourier route of projection, transpose and FBP, as JavaScript calls it.
#include "native/napi/job.h"
#include "native/recon/checks.h"

namespace sino {

namespace {

Work project(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "images", "sinograms");
  *total = call.views();
  return [=](const Context& job) -> Numbers {
    call.backend.fourier_project(call.plan->context(job), {call.plan->fourier(), call.slices, call.input, call.output});
    return {};
  };
}

Work project_transpose(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "sinograms", "images");
  *total = call.views();
  return [=](const Context& job) -> Numbers {
    call.backend.fourier_transpose(call.plan->context(job),
                                   {call.plan->fourier(), call.slices, call.input, call.output});
    return {};
  };
}

Work reconstruct(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "sinograms", "images");
  *total = call.views();
  return [=](const Context& job) -> Numbers {
    const Context context = call.plan->context(job);
    require_finite(context, call.input, call.slices * call.geometry().rays(), "sinograms");
    call.backend.fourier_transpose(context, {call.plan->fbp_fourier(), call.slices, call.input, call.output});
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
