// rician: the signal behind the mean of a magnitude.
//
// Quantity. The magnitude of a complex signal a with Gaussian noise of standard deviation sigma in both parts has the mean
//   m(a) = sigma·√(π/2)·e^{−x}·((1 + 2x)·I₀(x) + 2x·I₁(x)),  x = a²/(4·sigma²),
//   never below sigma·√(π/2). input holds such means (averages, or what a denoiser makes of magnitudes), output the a ≥ 0 of each;
//   0 where the mean is below what noise alone gives. C. G. Koay, P. J. Basser, "Analytically exact correction scheme for signal
//   extraction from noisy magnitude MR signals", J. Magn. Reson. 179, 2006; here by Newton's method from the right, where the mean,
//   convex in a, makes it converge without steps back.
// Order. Flat arrays. With sigma = 0 nothing changes. NaN stays.
// Precision. Double inside; the Bessel functions to 2e-7 (Abramowitz & Stegun 9.8.1 to 9.8.4). Twins agree to 1e-6.
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct RicianArgs {
  int64_t count;
  double sigma;
  const float* input;
  float* output;
};

// e^{−x}·I₀(x) and e^{−x}·I₁(x), x ≥ 0
SINO_HD inline void scaled_bessel(double x, double* i0, double* i1) {
  if (x < 3.75) {
    const double t = x / 3.75, y = t * t, fall = exp(-x);
    *i0 = fall *
          (1 + y * (3.5156229 + y * (3.0899424 + y * (1.2067492 + y * (0.2659732 + y * (0.0360768 + y * 0.0045813))))));
    *i1 = fall * x *
          (0.5 + y * (0.87890594 +
                      y * (0.51498869 + y * (0.15084934 + y * (0.02658733 + y * (0.00301532 + y * 0.00032411))))));
    return;
  }
  const double y = 3.75 / x, root = 1 / sqrt(x);
  *i0 =
      root *
      (0.39894228 +
       y * (0.01328592 +
            y * (0.00225319 +
                 y * (-0.00157565 +
                      y * (0.00916281 + y * (-0.02057706 + y * (0.02635537 + y * (-0.01647633 + y * 0.00392377))))))));
  *i1 = root *
        (0.39894228 +
         y * (-0.03988024 +
              y * (-0.00362018 +
                   y * (0.00163801 + y * (-0.01031555 +
                                          y * (0.02282967 + y * (-0.02895312 + y * (0.01787654 - y * 0.00420059))))))));
}

SINO_HD inline float rician_signal(float mean, double sigma) {
  if (!(sigma > 0) || !(mean == mean)) return mean;
  constexpr double kNoiseAlone = 1.2533141373155003;  // √(π/2)
  const double m = static_cast<double>(mean) / sigma;
  if (m <= kNoiseAlone) return 0;
  double a = m;
  for (int step = 0; step < 40; step++) {
    const double x = a * a / 4;
    double i0, i1;
    scaled_bessel(x, &i0, &i1);
    const double excess = kNoiseAlone * ((1 + 2 * x) * i0 + 2 * x * i1) - m, slope = kNoiseAlone * a / 2 * (i0 + i1);
    const double next = a - excess / slope;
    if (!(next < a) || a - next < 1e-9 * m) break;
    a = next > 0 ? next : 0;
  }
  return static_cast<float>(a * sigma);
}

}  // namespace sino
