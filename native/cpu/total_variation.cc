// total_variation on the CPU: slice after slice, so that its arrays stay in the cache; bands of rows on all threads. A band works out x
// of one row more than it owns.
#include "native/ops/total_variation.h"

#include <algorithm>
#include <utility>

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"
#include "native/ops/axpy.h"

namespace sino::cpu {

namespace {

constexpr int64_t kBandPixels = 1 << 14;

struct Dual {
  float *px, *py;  // in place
  float *qx, *qy, *next_x, *next_y;
};

struct Slice {
  const Context& context;
  const TotalVariationArgs& args;
  float weight;
  const float* z;
  const int64_t pixels = args.rows * args.columns, columns = args.columns;

  TotalVariationRow row_at(const float* qx, const float* qy, int64_t r) const {
    const int64_t at = r * columns;
    return {columns,
            r == 0,
            r + 1 == args.rows,
            weight,
            args.low,
            args.high,
            z + at,
            args.curvature ? args.curvature + at : nullptr,
            qx + at,
            qy + at};
  }

  void step(const Dual& d, float momentum) const {
    const SimdKernels& simd = simd_kernels();
    const int64_t grain = std::max<int64_t>(1, kBandPixels / columns);
    context.parallel_for(args.rows, grain, [&](int64_t begin, int64_t end) {
      Scratch<float> lines = context.scratch<float>(2 * columns);
      float *x = lines.data(), *below = x + columns;
      simd.variation_primal(row_at(d.qx, d.qy, begin), x);
      for (int64_t r = begin; r < end; r++, std::swap(x, below)) {
        const TotalVariationRow row = row_at(d.qx, d.qy, r);
        if (!row.last) simd.variation_primal(row_at(d.qx, d.qy, r + 1), below);
        const int64_t at = r * columns;
        simd.variation_dual(row, x, row.last ? nullptr : below, momentum, d.px + at, d.py + at, d.next_x + at,
                            d.next_y + at);
      }
    });
    if (args.reports) context.job.advance(args.rows);
  }

  void finish(const Dual& d, float* output) const {
    context.parallel_for(args.rows, std::max<int64_t>(1, kBandPixels / columns), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++)
        simd_kernels().variation_primal(row_at(d.px, d.py, r), output + r * columns);
    });
  }
};

}  // namespace

void total_variation(const Context& context, const TotalVariationArgs& args) {
  const int64_t pixels = args.rows * args.columns;
  if (args.slices * pixels == 0) return;
  Scratch<float> memory = context.scratch<float>((args.dual ? 4 : 6) * pixels);
  for (int64_t s = 0; s < args.slices; s++) {
    const double weight = factor_of(args.weights, s);
    const Slice slice{context, args, static_cast<float>(weight), args.input + s * pixels};
    float* m = memory.data();
    float* p = args.dual ? args.dual + s * 2 * pixels : m + 4 * pixels;
    Dual dual = {p, p + pixels, m, m + pixels, m + 2 * pixels, m + 3 * pixels};
    if (!args.dual) std::fill_n(p, 2 * pixels, 0.0f);
    std::copy_n(p, 2 * pixels, dual.qx);
    NesterovMomentum momentum;
    for (int k = 0; k < args.iterations && weight > 0; k++) {
      slice.step(dual, static_cast<float>(momentum.next()));
      std::swap(dual.qx, dual.next_x), std::swap(dual.qy, dual.next_y);
    }
    slice.finish(dual, args.output + s * pixels);
  }
}

}  // namespace sino::cpu
