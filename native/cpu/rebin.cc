// rebin on the CPU: a task is kViewsPerTask parallel views, whose g (736 bins × 32 views × 4 B = 94 kB, twice) stays in L2
// between the two sums.
#include "native/ops/rebin.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"

namespace sino::cpu {

namespace {
constexpr int64_t kViewsPerTask = 32;

RebinSums sums_of(const RebinHalf& half, const std::vector<RebinStrip>& strips) {
  return {strips.data(), static_cast<int64_t>(strips.size()), half.weights.data(), half.mirrored};
}
}  // namespace

void rebin(const Context& context, const RebinArgs& args) {
  const SimdKernels& simd = simd_kernels();
  const RebinPlan& plan = args.plan;
  const int64_t stride = plan.bins + 2 * kRebinMargin, places = static_cast<int64_t>(plan.row_of.size());
  const int64_t tasks = (plan.parallel_views + kViewsPerTask - 1) / kViewsPerTask;
  const RebinSums over_bins[2] = {sums_of(plan.halves[0], plan.halves[0].bins),
                                  sums_of(plan.halves[1], plan.halves[1].bins)};
  context.parallel_for(args.slices * tasks, 1, [&](int64_t begin, int64_t end) {
    Scratch<float> memory = context.scratch<float>(2 * kViewsPerTask * stride);
    std::memset(memory.data(), 0, sizeof(float) * memory.size());
    float* const g[2] = {memory.data() + kRebinMargin, memory.data() + kRebinMargin + kViewsPerTask * stride};
    std::vector<const float*> rows(places);
    for (int64_t task = begin; task < end && !context.job.cancelled; task++) {
      const int64_t slice = task / tasks, first = task % tasks * kViewsPerTask;
      const int64_t views = std::min(kViewsPerTask, plan.parallel_views - first);
      const float* sinogram = args.sinograms + slice * plan.views * plan.bins;
      for (int64_t i = 0; i < places; i++) rows[i] = sinogram + plan.row_of[i] * plan.bins;
      for (int h : {0, 1})
        simd.rebin_views(rows.data() + plan.first_place + first, sums_of(plan.halves[h], plan.halves[h].views),
                         plan.bins, views, g[h], stride);
      const int64_t done = first * plan.parallel_bins;
      simd.rebin_bins(over_bins, g, stride, plan.shares.empty() ? nullptr : plan.shares.data() + done,
                      plan.parallel_bins, views,
                      args.parallel + slice * plan.parallel_views * plan.parallel_bins + done);
      context.job.advance(views);
    }
  });
}

}  // namespace sino::cpu
