// nonlocal on the CPU: slices with margins, as many at a time as are compared, bands of rows on all threads.
#include "native/ops/nonlocal.h"

#include <algorithm>
#include <limits>

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"
#include "native/cpu/margins.h"
#include "native/ops/axpy.h"

namespace sino::cpu {

namespace {

constexpr int64_t kBandRows = 32;

// A plane changes m by nothing, a float32 image of values up to `scale` by its rounding.
double noise_of(const float* image, int64_t rows, int64_t columns) {
  std::vector<float> sizes;
  for (int64_t y = 1; y + 1 < rows; y++)
    for (int64_t x = 1; x + 1 < columns; x++) {
      const double m = noise_mask(image + y * columns + x, columns);
      if (m > 0 && std::isfinite(m)) sizes.push_back(static_cast<float>(m));
    }
  if (sizes.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = sizes.begin() + static_cast<int64_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  return *middle / kNoiseMedian;
}

}  // namespace

void nonlocal_means(const Context& context, const NonLocalArgs& args) {
  const int64_t pixels = args.rows * args.columns;
  if (args.slices * pixels == 0) return;
  const int width = simd_kernels().width;
  const std::vector<float> weights = patch_weights(args.patch, args.patch_sigma);
  const int64_t depth = std::min<int64_t>(args.depth, args.slices - 1), kept = 2 * depth + 1;
  std::vector<Margins> padded;
  padded.reserve(kept);
  for (int64_t k = 0; k < kept; k++) padded.emplace_back(context, args.rows, args.columns, args.search + args.patch);
  int64_t filled = 0;
  for (int64_t s = 0; s < args.slices; s++) {
    const int64_t first = std::max<int64_t>(0, s - depth), last = std::min(args.slices - 1, s + depth);
    for (; filled <= last; filled++) padded[filled % kept].fill(context, args.input + filled * pixels, reflected);
    const double h = factor_of(args.h, s);
    const auto variance = [&](int64_t slice) { return factor_of(args.sigmas, slice) * factor_of(args.sigmas, slice); };
    const auto inverse = static_cast<float>(1 / std::fmax(h * h, 1e-30)),
               spread = static_cast<float>(args.spread > 0 ? 1 / (2 * args.spread * args.spread) : 0);
    context.parallel_for((args.rows + kBandRows - 1) / kBandRows, 1, [&](int64_t begin, int64_t end) {
      Scratch<float> work = context.scratch<float>(nonlocal_work(kBandRows, args.columns, args.patch, width));
      for (int64_t band = begin; band < end && !context.job.cancelled; band++) {
        const int64_t y = band * kBandRows, rows = std::min(kBandRows, args.rows - y);
        Margins& here = padded[s % kept];
        for (int64_t t = first; t <= last; t++) {
          const double away = static_cast<double>(t - s) * args.apart;
          simd_kernels().nonlocal_band({here.at(y, 0), padded[t % kept].at(y, 0), t == first, t == last,
                                        static_cast<float>(away * away), here.stride(), rows, args.columns, args.search,
                                        args.patch, weights.data(), static_cast<float>(variance(s) + variance(t)),
                                        inverse, spread, work.data(), args.output + s * pixels + y * args.columns});
        }
        context.job.advance(rows);
      }
    });
  }
}

void noise_level(const Context& context, const NoiseLevelArgs& args) {
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; s++) {
      args.sigmas[s] = noise_of(args.input + s * args.rows * args.columns, args.rows, args.columns);
      context.job.advance(args.rows);
    }
  });
}

}  // namespace sino::cpu
