// metrics: how far apart two images are, slice by slice.
//
// Quantity.
//   window       y = clamp((x − low)/(high − low), 0, 1), rounded to a whole number of 1/levels where levels > 0 (255 = what
//                an 8-bit file keeps; halves go to the even neighbour), and 0 where the mask is not 0.
//   differences  of d = a − b over pixels outside the mask: count, Σd, Σ|d|, Σd², max|d|, min b, max b.
//   decimate     means of f×f pixels, one per f×f (Wang's automatic down-sampling before SSIM).
//   ssim         mean over all windows that fit of (2µaµb + C1)(2σab + C2)/((µa² + µb² + C1)(σa² + σb² + C2)),
//                C = (K·range)², with Gaussian weights (11×11, σ 1.5) and population variances (Z. Wang, A. C. Bovik,
//                H. R. Sheikh, E. P. Simoncelli, "Image quality assessment", IEEE TIP 13(4), 2004), or with equal weights
//                (7×7) and sample variances, times 49/48, as scikit-image has it unasked.
// Order. [slice, row, column]; a mask has one slice for all, or as many as the images. One iteration is one row.
// Edges. SSIM uses whole windows only, so images must be as large as one; decimate mirrors the last rows and columns where f
//   does not divide. NaN spreads into the result.
// Precision. float32 in, double sums: per row, then rows in order, so results do not depend on threads. SSIM's variances are
//   differences of near-equal numbers and stay in double. Twins agree to 1e-12 relative.
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct WindowArgs {
  int64_t slices, pixels;
  float low, high;
  int levels;           // 0 = not quantised
  const uint8_t* mask;  // null = none
  int64_t mask_slices;  // 1 or slices
  const float* input;
  float* output;
};

enum DifferenceSum { kCount, kSigned, kAbsolute, kSquared, kLargest, kReferenceLow, kReferenceHigh, kDifferenceSums };

struct DifferenceArgs {
  int64_t slices, rows, columns;
  const uint8_t* mask;
  int64_t mask_slices;
  const float *a, *b;
  double* sums;  // [slices, kDifferenceSums]
};

struct DecimateArgs {
  int64_t slices, rows, columns, factor;
  const float* input;
  float* output;  // [slices, ⌈rows/factor⌉, ⌈columns/factor⌉]
};

struct SsimArgs {
  int64_t slices, rows, columns;
  double c1, c2;
  bool uniform;  // the window's weights
  const float *a, *b;
  double* values;  // [slices]
};

struct GaussianWindow {
  static constexpr int taps = 11;
  static constexpr double spread = 1;  // variances are taken times
  static double weight(int i) { return std::exp(-(i - 5) * (i - 5) / (2 * 1.5 * 1.5)); }
};
struct UniformWindow {
  static constexpr int taps = 7;
  static constexpr double spread = 49.0 / 48;
  static double weight(int) { return 1; }
};
inline int ssim_side(bool uniform) { return uniform ? UniformWindow::taps : GaussianWindow::taps; }

// Also what a row of one slice leaves behind: moments of both images under the window.
enum SsimMoment { kMeanA, kMeanB, kSquareA, kSquareB, kProduct, kSsimMoments };

SINO_HD inline float windowed(const WindowArgs& args, float x, bool masked) {
  if (masked) return 0;
  const float t = (x - args.low) / (args.high - args.low), y = t < 0 ? 0 : t > 1 ? 1 : t;
  return args.levels > 0 ? rintf(y * args.levels) / args.levels : y;
}

SINO_HD inline int64_t mirrored(int64_t i, int64_t n) { return i < n ? i : n > 1 ? 2 * n - 1 - i : 0; }

SINO_HD inline double ssim_of(const double* m, double c1, double c2, double spread) {
  const double ab = m[kMeanA] * m[kMeanB], aa = m[kMeanA] * m[kMeanA], bb = m[kMeanB] * m[kMeanB];
  const double covariance = spread * (m[kProduct] - ab), variances = spread * (m[kSquareA] - aa + m[kSquareB] - bb);
  return (2 * ab + c1) * (2 * covariance + c2) / ((aa + bb + c1) * (variances + c2));
}

// Along one axis, of sum 1.
template <class Window>
struct SsimTaps {
  double weight[Window::taps];
};
template <class Window>
SsimTaps<Window> ssim_taps() {
  SsimTaps<Window> taps;
  double sum = 0;
  for (int i = 0; i < Window::taps; i++) sum += taps.weight[i] = Window::weight(i);
  for (double& weight : taps.weight) weight /= sum;
  return taps;
}

}  // namespace sino
