// ramp on the CPU: twice as many rows at once as a register has lanes go through one FFT (kernels/filter.inl).
#include <atomic>
#include <cmath>
#include <complex>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"
#include "native/runtime/prepared.h"

namespace sino::cpu {

namespace {

// RowFilter's tables for a plan.
class RowTables {
 public:
  explicit RowTables(const FilterPlan& plan) : bins_(plan.bins), length_(plan.length) {
    std::vector<std::complex<double>> turning(plan.length);
    std::complex<double> turned = 1;
    const std::complex<double> one = std::polar(1.0, 2 * M_PI / plan.length);
    for (auto& t : turning) t = turned, turned *= one;  // errs by 1e-16 per step, far below a float

    const int64_t half = plan.length / 2, first_radix = radix_of(half), part = half / first_radix;
    for (int64_t k = 0; k < part; k++)
      for (int64_t m = 0; m < first_radix; m++) push(turns_, turning[k + m * part]);
    for (int64_t span = half; span > 8; span /= radix_of(span))
      for (int64_t k = 0; k < span / radix_of(span); k++)
        for (int64_t m = 1; m < radix_of(span); m++) push(roots_, turning[k * m * (plan.length / span)]);
    for (int64_t odd : {0, 1}) push_responses(plan, half, odd, 2);
  }
  RowFilter filter() const { return {bins_, length_, turns_.data(), roots_.data(), response_.data()}; }

 private:
  static int64_t radix_of(int64_t span) { return span % 3 == 0 ? 3 : span > 8 ? 4 : span; }
  static void push(std::vector<float>& angles, std::complex<double> turn) {
    angles.push_back(static_cast<float>(turn.real()));
    angles.push_back(static_cast<float>(turn.imag()));
  }
  // A block of `span` points holds every step-th frequency from the first on; after a step of radix r its part d holds
  // every r-th of those, from the d-th on.
  void push_responses(const FilterPlan& plan, int64_t span, int64_t first, int64_t step) {
    if (span == 1) return response_.push_back(plan.response[first]);
    const int64_t radix = radix_of(span);
    for (int64_t d = 0; d < radix; d++) push_responses(plan, span / radix, first + d * step, radix * step);
  }

  int64_t bins_, length_;
  std::vector<float> turns_, roots_, response_;
};

}  // namespace

void ramp_filter(const Context& context, const FilterArgs& args) {
  const SimdKernels& simd = simd_kernels();
  const FilterPlan& plan = args.plan;
  const auto tables = prepared_table<RowTables>(args.prepared, [&] { return RowTables(plan); });
  // Two neighbouring views are the real and the imaginary part of one lane, and so round together: both of one slice, lest
  // a slice's last bits depend on what it came with.
  const int64_t pairs_of_slice = (plan.views + 1) / 2, pairs = args.slices * pairs_of_slice;
  const int64_t batches = (pairs + simd.width - 1) / simd.width;
  const int64_t tasks = std::min<int64_t>(batches, context.pool.threads());
  std::atomic<int64_t> next{0};
  context.parallel_for(tasks, 1, [&](int64_t, int64_t) {
    // one work space for as many batches as this thread gets hold of
    Scratch<float> work = context.scratch<float>(2 * plan.length * simd.width);
    const float* ray_weights[32];
    float view_weights[32];
    for (int64_t batch = next++; batch < batches && !context.job.cancelled; batch = next++) {
      const float* source[32] = {};
      float* target[32] = {};
      int64_t rows = 0;
      for (int64_t i = 0; i < std::min<int64_t>(2 * simd.width, 2 * (pairs - batch * simd.width)); i++) {
        const int64_t pair = batch * simd.width + i / 2, slice = pair / pairs_of_slice;
        const int64_t view = 2 * (pair % pairs_of_slice) + i % 2, place = i / 2 + i % 2 * simd.width;
        if (view == plan.views) continue;
        const int64_t first_bin = (slice * plan.views + view) * plan.bins;
        source[place] = args.sinograms + first_bin;
        target[place] = args.filtered + first_bin;
        ray_weights[place] = plan.ray_weights.data() + (plan.weights_per_view ? view * plan.bins : 0);
        view_weights[place] = plan.view_weights[view];
        rows++;
      }
      simd.filter_rows(tables->filter(),
                       {source, plan.ray_weights.empty() ? nullptr : ray_weights, view_weights, target}, work.data());
      context.job.advance(rows);
    }
  });
}

}  // namespace sino::cpu
