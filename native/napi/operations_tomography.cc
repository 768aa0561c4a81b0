// Projection, back-projection, filter and FBP, as JavaScript calls them. Without a plan of the caller's, each call makes one for
// itself, so there is one way through.
#include "native/napi/job.h"
#include "native/napi/options.h"

namespace sino {

namespace {

// body(context, backend, plan, arrays) for each slab.
template <typename Body>
Work planned(const PlannedCall& call, const Needs& needs, const Body& body) {
  const auto run = [=](const Context& job, const Backend& backend) -> Numbers {
    Plan& plan = *call.plan;
    in_slabs(plan.context(job), call.arrays,
             [&](const Context& context, const SliceArrays& s) { body(context, backend, plan, s); });
    return {};
  };
  return {run, needs, steps_of(call.geometry(), call.views())};
}

Work project(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "images", "sinograms");
  *total = call.views();
  return planned(call, Needs(&Backend::joseph_project),
                 [](const Context& context, const Backend& backend, Plan& plan, const SliceArrays& s) {
                   backend.joseph_project(context, {plan.geometry, s.slices, s.input, s.output, &plan.prepared});
                 });
}

Work project_transpose(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "sinograms", "images");
  *total = call.views();
  return planned(call, Needs(&Backend::joseph_transpose),
                 [](const Context& context, const Backend& backend, Plan& plan, const SliceArrays& s) {
                   backend.joseph_transpose(context, {plan.geometry, s.slices, s.input, s.output, &plan.prepared});
                 });
}

Work backproject_weighted(Arguments& a, int64_t* total) {
  const PlannedCall call(a, "filtered", "images");
  *total = call.views();
  return planned(call, Needs(&Backend::backproject),
                 [](const Context& context, const Backend& backend, Plan& plan, const SliceArrays& s) {
                   backend.backproject(context, {plan.geometry, s.slices, s.input, s.output, &plan.prepared});
                 });
}

Work filter(Arguments& a, int64_t* total) {
  PlannedCall call(a, "sinograms", "filtered");
  *total = call.views();
  call.arrays.finite_input = "sinograms";
  Work work = planned(
      call, Needs(&Backend::ramp_filter),
      [](const Context& context, const Backend& backend, Plan& owner, const SliceArrays& s) {
        const FbpPlan& plan = owner.fbp();
        require(plan.measured_bins == plan.geometry.bins, Code::unsupported,
                "A detector pushed sideways needs views wider than it is; reconstruct it with fbp in one call.");
        backend.ramp_filter(context, {plan.filter, s.slices, s.input, s.output, plan.prepared.get()});
      });
  work.steps = 0;  // "auto" leaves it to the processor
  return work;
}

Work reconstruct(Arguments& a, int64_t* total) {
  PlannedCall call(a, "sinograms", "images");
  *total = 2 * call.views();
  call.arrays.finite_input = "sinograms";
  call.arrays.working_bytes = call.geometry().rays() * int64_t(sizeof(float));
  return planned(call, fbp_needs(),
                 [](const Context& context, const Backend& backend, Plan& plan, const SliceArrays& s) {
                   fbp(context, backend, plan.fbp(), s.slices, s.input, s.output);
                 });
}

Work reconstruct_rebinned(Arguments& a, int64_t* total) {
  PlannedCall call(a, "sinograms", "images");
  const int64_t views = parallel_scan_of(call.geometry()).geometry.views();  // refuses what cannot be rebinned, at once
  *total = 3 * call.arrays.slices * views;
  call.arrays.finite_input = "sinograms";
  call.arrays.working_bytes = 2 * call.geometry().rays() * int64_t(sizeof(float));
  return planned(call, fbp_rebinned_needs(),
                 [](const Context& context, const Backend& backend, Plan& plan, const SliceArrays& s) {
                   fbp_rebinned(context, backend, plan.rebinned(), s.slices, s.input, s.output);
                 });
}

Work rebin(Arguments& a, int64_t* total) {
  const auto plan = plan_of(a);
  const Geometry parallel = parallel_scan_of(plan->geometry).geometry;
  SliceArrays all{slices_of(a), nullptr, plan->geometry.rays(), nullptr, parallel.rays(), "sinograms"};
  all.input = a.input<float>("sinograms", checked_product(all.slices, all.input_size));
  all.output = a.output<float>("parallel", checked_product(all.slices, all.output_size));
  *total = all.slices * parallel.views();
  return {[=](const Context& job, const Backend& backend) -> Numbers {
            in_slabs(job, all, [&](const Context& context, const SliceArrays& s) {
              backend.rebin(context, {plan->rebinned().rebin, s.slices, s.input, s.output});
            });
            return {};
          },
          Needs(&Backend::rebin)};
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
