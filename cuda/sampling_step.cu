// sampling_step and dual_domain_step on CUDA: one pass over memory, a thread per four elements, which share a draw of Philox and move
// as one where addresses allow it. Draws are made while loads are under way: by count some 60 instructions per element with noise,
// where memory at 4 TB/s leaves an H200 time for 90 (not measured). Elements that are not finite are counted per thread, per block,
// then added to the one number.
#include "native/ops/sampling_step.h"

#include <algorithm>

#include "cuda/check.cuh"
#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kBlocks = 4;  // resident
using Formulas = StepFormulas<OneElement>;
using Quad = Pack<float, 4>;

// Four elements from number i on, `live` of which exist.
template <bool kPacks>
__device__ Quad load_quad(const float* p, int64_t i, int live) {
  if (kPacks && live == 4) return load<4>(p, i);
  Quad quad = {};
  for (int n = 0; n < 4; n++)
    if (n < live) quad.value[n] = p[i + n];
  return quad;
}
template <bool kPacks>
__device__ void store_quad(float* p, int64_t i, int live, const Quad& quad) {
  if (kPacks && live == 4) return store(p, i, quad);
  for (int n = 0; n < 4; n++)
    if (n < live) p[i + n] = quad.value[n];
}
__device__ bool is_finite(float x) { return x - x == 0.0f; }

// kPlain: one row, no earlier images, x̂0 not wanted.
template <bool kPlain>
struct Sample {
  SamplingStepArgs args;
  // Returns how many of the elements are not finite in some row.
  template <bool kPacks>
  __device__ int at(int64_t i, int live, Quad z) const {
    const Quad x = load_quad<kPacks>(args.sample, i, live), m = load_quad<kPacks>(args.output, i, live);
    Quad earlier[kStepTerms], clean, result[kStepRows];
#pragma unroll
    for (int t = 0; t < kStepTerms; t++)
      if (!kPlain && t < args.term_count) earlier[t] = load_quad<kPacks>(args.terms[t], i, live);
    if (args.variance) {
      const Quad v = load_quad<kPacks>(args.variance, i, live);
      for (int n = 0; n < 4; n++) z.value[n] *= Formulas::exponential(args.log_scale + args.log_slope * v.value[n]);
    }
    int bad = 0;
#pragma unroll
    for (int n = 0; n < 4; n++) {
      clean.value[n] = Formulas::clean_estimate(args, x.value[n], m.value[n]);
      bool finite = true;
#pragma unroll
      for (int r = 0; r < (kPlain ? 1 : kStepRows); r++) {
        if (!kPlain && r >= args.row_count) break;
        const StepRow& row = args.rows[r];
        float value = Formulas::step_row(row, x.value[n], m.value[n], clean.value[n]);
#pragma unroll
        for (int t = 0; t < kStepTerms; t++)
          if (!kPlain && t < args.term_count) value += row.terms[t] * earlier[t].value[n];
        value += row.noise * z.value[n];
        finite = finite && is_finite(value);
        result[r].value[n] = value;
      }
      bad += n < live && !finite;
    }
    if (!kPlain && args.clean) store_quad<kPacks>(args.clean, i, live, clean);
#pragma unroll
    for (int r = 0; r < (kPlain ? 1 : kStepRows); r++)
      if (kPlain || r < args.row_count) store_quad<kPacks>(args.rows[r].target, i, live, result[r]);
    return bad;
  }
};

struct DualDomain {
  DualDomainStepArgs args;
  template <bool kPacks>
  __device__ int at(int64_t i, int live, const Quad& z) const {
    const Quad clean = load_quad<kPacks>(args.clean, i, live), consistent = load_quad<kPacks>(args.consistent, i, live),
               measured = load_quad<kPacks>(args.measured, i, live), base = load_quad<kPacks>(args.base, i, live);
    Quad result;
    int bad = 0;
    for (int n = 0; n < 4; n++) {
      const float value =
          Formulas::dual_domain(args, clean.value[n], consistent.value[n], measured.value[n], base.value[n]) +
          args.noise * z.value[n];
      bad += n < live && !is_finite(value);
      result.value[n] = value;
    }
    store_quad<kPacks>(args.output, i, live, result);
    return bad;
  }
};

template <bool kNoisy, bool kPacks, typename Step>
__global__ void __launch_bounds__(kThreads, kBlocks) step_quads(Step step, unsigned long long* non_finite) {
  SHARED(int, of_warp, [kThreads / 32]);
  int bad = 0;
  for (int64_t i = 4 * (int64_t(blockIdx.x) * kThreads + threadIdx.x); i < step.args.count;
       i += 4 * int64_t(gridDim.x) * kThreads) {
    Quad z = {};
    if (kNoisy) {
      const PhiloxWords w = step.args.source.draw(static_cast<uint64_t>(step.args.first + i) / 4, 0);
      Formulas::normal_pair(w.word[0], w.word[1], z.value);
      Formulas::normal_pair(w.word[2], w.word[3], z.value + 2);
    }
    bad += step.template at<kPacks>(i, int(min(step.args.count - i, int64_t(4))), z);
  }
  bad = block_fold(bad, of_warp, Sum());
  if (threadIdx.x == 0 && bad > 0) atomicAdd(non_finite, static_cast<unsigned long long>(bad));
}

template <typename Step>
void step_over(cudaStream_t stream, const Step& step, bool noisy, bool packs, const char* name) {
  StreamMemory<unsigned long long> non_finite(stream, 1);
  non_finite.clear(1);
  if (step.args.count > 0) {
    const int64_t blocks = (step.args.count + 4 * kThreads - 1) / (4 * kThreads);
    const unsigned grid = unsigned(std::min<int64_t>(blocks, 1 << 20));
    const auto kernel = noisy ? (packs ? step_quads<true, true, Step> : step_quads<true, false, Step>)
                              : (packs ? step_quads<false, true, Step> : step_quads<false, false, Step>);
    LAUNCH(kernel, grid, kThreads, 0, stream)(step, non_finite.data());
    check_launch(name);
  }
  non_finite.download(reinterpret_cast<unsigned long long*>(step.args.non_finite), 1);
}

}  // namespace

void sampling_step(Stream stream, const SamplingStepArgs& args) {
  bool packs = moves_packs(1, args.count, args.sample, args.output, args.clean, args.variance);
  for (int t = 0; t < args.term_count; t++) packs = packs && moves_packs(1, args.count, args.terms[t]);
  for (int r = 0; r < args.row_count; r++) packs = packs && moves_packs(1, args.count, args.rows[r].target);
  if (args.row_count == 1 && args.term_count == 0 && !args.clean)
    step_over(stream, Sample<true>{args}, args.noisy, packs, "sampling_step");
  else
    step_over(stream, Sample<false>{args}, args.noisy, packs, "sampling_step");
}

void dual_domain_step(Stream stream, const DualDomainStepArgs& args) {
  const bool packs = moves_packs(1, args.count, args.clean, args.consistent, args.measured, args.base, args.output);
  step_over(stream, DualDomain{args}, args.noise != 0, packs, "dual_domain_step");
}

}  // namespace sino::cuda
