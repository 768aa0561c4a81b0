// total_variation on the CPU: slice after slice, so that its arrays stay in the cache; bands of rows on all threads. A band works out x
// of one row more than it owns. A volume is larger than any cache: all of x first, then the dual, in place.
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
                            d.next_y + at, {});
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

class Volume {
 public:
  Volume(const Context& context, const TotalVariationArgs& args)
      : context_(context),
        args_(args),
        weight_(static_cast<float>(args.weights[0])),
        ratio_(static_cast<float>(args.ratio)),
        pixels_(args.rows * args.columns),
        count_(args.slices * pixels_),
        memory_(context.scratch<float>(7 * count_)) {
    std::fill_n(memory_.data(), 6 * count_, 0.0f);
  }

  void solve() {
    NesterovMomentum momentum;
    for (int k = 0; k < args_.iterations && weight_ > 0; k++) {
      primal(dual(0), x());
      ascend(static_cast<float>(momentum.next()));
    }
    primal(dual(3), args_.output);
  }

 private:
  // q along columns, rows, slices, then p likewise.
  float* dual(int which) { return memory_.data() + which * count_; }
  float* x() { return memory_.data() + 6 * count_; }

  TotalVariationRow row_at(const float* dual, const float* z, int64_t at, int64_t r) const {
    return {args_.columns, r == 0,    r + 1 == args_.rows, weight_, args_.low, args_.high, z,
            nullptr,       dual + at, dual + count_ + at};
  }

  template <typename Row>  // called with (slice, row, element)
  void each_row(const Row& row) {
    const int64_t grain = std::max<int64_t>(1, kBandPixels / args_.columns);
    context_.parallel_for(args_.slices * args_.rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) row(i / args_.rows, i % args_.rows, i * args_.columns);
    });
  }

  // The part of ∇ᵀ across slices goes into z, the rest is a slice's.
  void primal(const float* dual, float* x) {
    const float* across = dual + 2 * count_;
    each_row([&](int64_t s, int64_t r, int64_t at) {
      const float *z = args_.input + at, *here = across + at, *before = here - pixels_;
      float* line = x + at;
      const float scale = weight_ * ratio_;
      if (s == 0)
        for (int64_t i = 0; i < args_.columns; i++) line[i] = z[i] + scale * here[i];
      else
        for (int64_t i = 0; i < args_.columns; i++) line[i] = z[i] - scale * (before[i] - here[i]);
      simd_kernels().variation_primal(row_at(dual, line, at, r), line);
    });
  }

  void ascend(float momentum) {
    float *q = dual(0), *p = dual(3);
    each_row([&](int64_t s, int64_t r, int64_t at) {
      const float* line = x() + at;
      const VariationDepth depth = {s + 1 < args_.slices ? line + pixels_ : nullptr, ratio_, p + 2 * count_ + at,
                                    q + 2 * count_ + at};
      simd_kernels().variation_dual_volume(row_at(q, line, at, r), line,
                                           r + 1 < args_.rows ? line + args_.columns : nullptr, momentum, p + at,
                                           p + count_ + at, q + at, q + count_ + at, depth);
    });
    if (args_.reports) context_.job.advance(args_.slices * args_.rows);
  }

  const Context& context_;
  const TotalVariationArgs& args_;
  const float weight_, ratio_;
  const int64_t pixels_, count_;
  Scratch<float> memory_;
};

}  // namespace

void total_variation(const Context& context, const TotalVariationArgs& args) {
  const int64_t pixels = args.rows * args.columns;
  if (args.slices * pixels == 0) return;
  if (args.volume) return Volume(context, args).solve();
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
