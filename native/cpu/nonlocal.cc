// nonlocal on the CPU: slices with margins, bands of rows on all threads.
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
  Margins padded(context, args.rows, args.columns, args.search + args.patch);
  for (int64_t s = 0; s < args.slices; s++) {
    padded.fill(context, args.input + s * pixels, reflected);
    const double sigma = factor_of(args.sigmas, s), h = factor_of(args.h, s);
    const auto inverse = static_cast<float>(1 / std::fmax(h * h, 1e-30)),
               spread = static_cast<float>(args.spread > 0 ? 1 / (2 * args.spread * args.spread) : 0);
    context.parallel_for((args.rows + kBandRows - 1) / kBandRows, 1, [&](int64_t begin, int64_t end) {
      Scratch<float> work = context.scratch<float>(nonlocal_work(kBandRows, args.columns, args.patch, width));
      for (int64_t band = begin; band < end && !context.job.cancelled; band++) {
        const int64_t y = band * kBandRows, rows = std::min(kBandRows, args.rows - y);
        simd_kernels().nonlocal_band({padded.at(y, 0), padded.stride(), rows, args.columns, args.search, args.patch,
                                      weights.data(), static_cast<float>(2 * sigma * sigma), inverse, spread,
                                      work.data(), args.output + s * pixels + y * args.columns});
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
