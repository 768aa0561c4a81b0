// Projection, back-projection, filter and FBP, as JavaScript calls them. Without a plan of the caller's, each call makes one for
// itself, so there is one way through.
#include "native/napi/job.h"
#include "native/napi/options.h"
#include "native/recon/checks.h"

namespace sino {

namespace {

Work project(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "images", "sinograms");
  *total = call.views();
  return [=](const Context& job) -> Numbers {
    Plan& plan = *call.plan;
    call.backend.joseph_project(plan.context(job),
                                {plan.geometry, call.slices, call.input, call.output, &plan.prepared});
    return {};
  };
}

Work project_transpose(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "sinograms", "images");
  *total = call.views();
  return [=](const Context& job) -> Numbers {
    Plan& plan = *call.plan;
    call.backend.joseph_transpose(plan.context(job),
                                  {plan.geometry, call.slices, call.input, call.output, &plan.prepared});
    return {};
  };
}

Work backproject_weighted(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "filtered", "images");
  *total = call.views();
  return [=](const Context& job) -> Numbers {
    Plan& plan = *call.plan;
    call.backend.backproject(plan.context(job), {plan.geometry, call.slices, call.input, call.output, &plan.prepared});
    return {};
  };
}

Work filter(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "sinograms", "filtered");
  *total = call.views();
  return [=](const Context& job) -> Numbers {
    const Context context = call.plan->context(job);
    require_finite(context, call.input, call.slices * call.geometry().rays(), "sinograms");
    const FbpPlan& plan = call.plan->fbp();
    require(plan.measured_bins == plan.geometry.bins, Code::unsupported,
            "A detector pushed sideways needs views wider than it is; reconstruct it with fbp in one call.");
    call.backend.ramp_filter(context, {plan.filter, call.slices, call.input, call.output, plan.prepared.get()});
    return {};
  };
}

Work reconstruct(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "sinograms", "images");
  *total = 2 * call.views();
  return [=](const Context& job) -> Numbers {
    const Context context = call.plan->context(job);
    require_finite(context, call.input, call.slices * call.geometry().rays(), "sinograms");
    fbp(context, call.backend, call.plan->fbp(), call.slices, call.input, call.output);
    return {};
  };
}

Work reconstruct_rebinned(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "sinograms", "images");
  const int64_t views = parallel_scan_of(call.geometry()).geometry.views();  // refuses what cannot be rebinned, at once
  *total = 3 * call.slices * views;
  return [=](const Context& job) -> Numbers {
    const Context context = call.plan->context(job);
    require_finite(context, call.input, call.slices * call.geometry().rays(), "sinograms");
    fbp_rebinned(context, call.backend, call.plan->rebinned(), call.slices, call.input, call.output);
    return {};
  };
}

Work rebin(Arguments& a, int64_t* total) {
  const Backend& backend = backend_for(a.text("device"));
  const auto plan = plan_of(a);
  const int64_t slices = slices_of(a), rays = checked_product(slices, plan->geometry.rays());
  const Geometry parallel = parallel_scan_of(plan->geometry).geometry;
  const float* sinograms = a.input<float>("sinograms", rays);
  float* output = a.output<float>("parallel", checked_product(slices, parallel.rays()));
  *total = slices * parallel.views();
  return [=, &backend](const Context& context) -> Numbers {
    require_finite(context, sinograms, rays, "sinograms");
    backend.rebin(context, {plan->rebinned().rebin, slices, sinograms, output});
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
  readers["fbpRebinned"] = reconstruct_rebinned;
  readers["rebin"] = rebin;
}

}  // namespace sino
