// nonlocal: a pixel as the mean of those in its neighbourhood that look like it, slice by slice; and how loud the noise is.
//
// Quantity.
//   nonlocal_means  out(x) = Σ_s w(x, s)·image(x + s)/Σ_s w(x, s), |s_row|, |s_column| ≤ search,
//                   w = exp(−max(d − 2·σ², 0)/h² − |s|²/2·spread²), d = Σ_k g(k_row)·g(k_column)·(image(x + k) − image(x + s + k))², |k| ≤ patch,
//                   g of sum 1: equal, or a Gaussian. A. Buades, B. Coll, J.-M. Morel, CVPR 2005; 2·σ² as in their IPOL article, 2011.
//                   depth > 0: the sum goes over as many slices to each side, where there are such; patches stay within their slices (A. Buades,
//                   B. Coll, J.-M. Morel, AVSS 2005, for films), s_slice counts `apart` pixels, and 2·σ² is σ_here² + σ_there².
//                   With patch = 0, σ = 0, h² = 2·σ_value² and spread = σ_space it is the bilateral filter (Tomasi & Manduchi, ICCV 1998).
//   noise_level     σ = median |m|/0.6745 over the pixels whose neighbourhood fits and where m ≠ 0, m = [1 −2 1]ᵀ[1 −2 1]/6 applied to the
//                   image, which a plane does not excite (J. Immerkær, CVIU 64, 1996): white noise of standard deviation σ gives m the same.
//                   Correlated noise, as reconstruction makes it, is underrated. NaN where nothing is left.
// Order. [slice, row, column] float32. An iteration is a band of rows under one shift: squares of differences row by row, weighted down a ring
//   of rows, then along; 4·patch + 25 flops per pixel and shift, from the cache.
// Edges. Mirrored about the border pixel, which is not repeated. NaN spreads over search + patch.
// Precision. float32, weights to 1e-7; twins agree to 1e-5 of the span, in noise_level to the bit.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "native/core/hd.h"

namespace sino {

struct NonLocalArgs {
  int64_t slices, rows, columns;
  int search, patch;
  double patch_sigma;          // of g; 0: equal weights
  double spread;               // 0: none
  std::vector<double> sigmas;  // one, or one per slice
  std::vector<double> h;       // likewise
  const float* input;
  float* output;
  int depth = 0;     // slices to each side that are looked at too; on the CPU alone
  double apart = 1;  // from slice to slice, pixels
};

struct NoiseLevelArgs {
  int64_t slices, rows, columns;
  const float* input;
  double* sigmas;  // [slices]
};

constexpr int kMostSearch = 64, kMostPatch = 16;

// Place of index i of n, mirrored about the first and the last.
SINO_HD inline int64_t reflected(int64_t i, int64_t n) {
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1), at = ((i % period) + period) % period;
  return at < n ? at : period - at;
}

constexpr double kNoiseMedian = 0.6744897501960817;  // of |x| where x is normal with σ = 1

// |m| at a pixel that has neighbours to all sides. Sums of a few float32 and powers of two are exact in double.
SINO_HD inline double noise_mask(const float* at, int64_t columns) {
  const auto second = [](const float* r) { return (double(r[-1]) + r[1]) - 2.0 * r[0]; };
  return fabs(second(at - columns) - 2 * second(at) + second(at + columns)) / 6;
}

inline std::vector<float> patch_weights(int patch, double sigma) {
  std::vector<double> g(2 * patch + 1);
  double sum = 0;
  for (int k = -patch; k <= patch; k++)
    sum += g[k + patch] = sigma > 0 ? std::exp(-double(k) * k / (2 * sigma * sigma)) : 1;
  std::vector<float> weights(g.size());
  for (size_t k = 0; k < g.size(); k++) weights[k] = static_cast<float>(g[k] / sum);
  return weights;
}

// A band of rows of one slice beside another slice (or itself), for kernels.
struct NonLocalBand {
  const float* image;  // the band's first pixel, with margins of search + patch to all sides
  const float* other;  // the same place of the slice that it is compared with
  bool first, last;    // of the slices: sums start at 0; the output is written
  float away;          // distance of the slices, squared
  int64_t stride;
  int64_t rows, columns;
  int search, patch;
  const float* weights;     // g, [2·patch + 1]
  float variance, inverse;  // σ² of both slices, 1/h²
  float spread;             // 1/(2·spread²)
  float* work;              // nonlocal_work(…) floats
  float* output;
};
inline int64_t nonlocal_line(int64_t columns, int patch, int width) {
  return (columns + 2 * patch + width - 1) / width * width + width;
}
inline int64_t nonlocal_work(int64_t rows, int64_t columns, int patch, int width) {
  return (2 * rows + 2 * patch + 2) * nonlocal_line(columns, patch, width);
}

}  // namespace sino
