// sampling_step on the CPU: chunks of a quarter of a megabyte per array; the loops are in kernels/sampling_step.inl.
#include "native/ops/sampling_step.h"

#include <atomic>

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"

namespace sino::cpu {

namespace {

constexpr int64_t kChunk = 1 << 16;  // elements; whole groups of four of the widest vectors

bool is_finite(float x) { return x - x == 0.0f; }

// Runs kernel(begin, end) over all elements and counts those for which it said no and `finite` does.
template <typename Kernel, typename Finite>
void in_chunks(const Context& context, int64_t count, int64_t* non_finite, const Kernel& kernel, const Finite& finite) {
  std::atomic<int64_t> bad{0};
  context.parallel_for((count + kChunk - 1) / kChunk, 1, [&](int64_t first, int64_t last) {
    for (int64_t chunk = first; chunk < last; chunk++) {
      const int64_t begin = chunk * kChunk, end = begin + kChunk < count ? begin + kChunk : count;
      if (!kernel(begin, end))
        for (int64_t i = begin; i < end; i++) bad += !finite(i);
      context.job.advance(end - begin);
    }
  });
  *non_finite = bad;
}

}  // namespace

void sampling_step(const Context& context, const SamplingStepArgs& args) {
  const auto finite = [&](int64_t i) {
    for (int r = 0; r < args.row_count; r++)
      if (!is_finite(args.rows[r].target[i])) return false;
    return true;
  };
  const auto kernel = [&, run = simd_kernels().sampling_step](int64_t b, int64_t e) { return run(args, b, e); };
  in_chunks(context, args.count, args.non_finite, kernel, finite);
}

void dual_domain_step(const Context& context, const DualDomainStepArgs& args) {
  const auto kernel = [&, run = simd_kernels().dual_domain_step](int64_t b, int64_t e) { return run(args, b, e); };
  in_chunks(context, args.count, args.non_finite, kernel, [&](int64_t i) { return is_finite(args.output[i]); });
}

}  // namespace sino::cpu
