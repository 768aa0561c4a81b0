// ramp on the CPU: twice as many rows at once as a register has lanes go through one FFT (kernels.inl).
#include <cmath>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"

namespace sino::cpu {

void ramp_filter(const Context& context, const FilterArgs& args) {
  const SimdKernels& simd = simd_kernels();
  const FilterPlan& plan = args.plan;
  const int64_t n = plan.length;
  std::vector<int32_t> order(n);
  std::vector<float> response(n), twiddles(2 * n);
  fft_order(n, order.data());
  for (int64_t k = 0; k < n; k++) {
    response[k] = plan.response[order[k]];
    twiddles[2 * k] = static_cast<float>(std::cos(2 * M_PI * k / n));
    twiddles[2 * k + 1] = static_cast<float>(-std::sin(2 * M_PI * k / n));
  }
  const int64_t rows = args.slices * plan.views, at_once = 2 * simd.width;
  const int64_t batches = (rows + at_once - 1) / at_once;
  context.parallel_for(batches, 1, [&](int64_t begin, int64_t end) {
    Scratch<float> work = context.scratch<float>(2 * n * simd.width);
    const float* source[32];
    const float* ray_weights[32];
    float* target[32];
    float view_weights[32];
    for (int64_t batch = begin; batch < end; batch++) {
      const int64_t first = batch * at_once, count = std::min(at_once, rows - first);
      for (int64_t r = 0; r < count; r++) {
        const int64_t view = (first + r) % plan.views;
        source[r] = args.sinograms + (first + r) * plan.bins;
        target[r] = args.filtered + (first + r) * plan.bins;
        ray_weights[r] = plan.ray_weights.data() + (plan.weights_per_view ? view * plan.bins : 0);
        view_weights[r] = plan.view_weights[view];
      }
      simd.filter_rows(source, plan.ray_weights.empty() ? nullptr : ray_weights, view_weights, target,
                       static_cast<int>(count), plan.bins, n, response.data(), twiddles.data(), work.data());
      context.job.advance(count);
    }
  });
}

}  // namespace sino::cpu
