#include "native/ops/bias_field.h"

#include <algorithm>
#include <cmath>

#include "native/core/small_fft.h"

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846, kNoise = 0.01;

}  // namespace

SplineAxis::SplineAxis(int64_t n, int64_t shrink, int64_t cells)
    : controls(n > 1 ? cells + kSplineTaps - 1 : 1), taps(n > 1 ? kSplineTaps : 1) {
  for (int64_t i = 0; i < n; i += shrink) {
    if (n == 1) {
      first.push_back(0), weights.insert(weights.end(), {1, 0, 0, 0});
      continue;
    }
    const double at = double(cells) * double(i) / double(n - 1);
    const int64_t cell = std::min(static_cast<int64_t>(at), cells - 1);
    const double t = at - double(cell), s = 1 - t;
    first.push_back(cell);
    weights.insert(weights.end(), {s * s * s / 6, (3 * t * t * t - 6 * t * t + 4) / 6,
                                   (3 * s * s * s - 6 * s * s + 4) / 6, t * t * t / 6});
  }
}

std::vector<double> sharpened_means(const BiasFieldArgs& args, const BiasBins& bins,
                                    const std::vector<double>& histogram) {
  using Complex = SmallFft::Complex;
  int64_t n = 2;
  while (n < 2 * bins.count) n *= 2;
  const int64_t offset = (n - bins.count) / 2;
  std::vector<Complex> values(n), blur(n), top(n), work(2 * n);
  std::copy(histogram.begin(), histogram.end(), values.begin() + offset);
  const double fwhm = args.fwhm / bins.width, rate = 4 * std::log(2.0) / (fwhm * fwhm);
  for (int64_t k = 0; k < n; k++) {
    const double d = double(std::min(k, n - k));
    blur[k] = 2 * std::sqrt(std::log(2.0) / kPi) / fwhm * std::exp(-d * d * rate);
  }
  const SmallFft fft(n);
  fft.transform(blur.data(), 1, false, work.data());
  fft.transform(values.data(), 1, false, work.data());
  for (int64_t k = 0; k < n; k++) values[k] *= std::conj(blur[k]) / (std::norm(blur[k]) + kNoise) / double(n);
  fft.transform(values.data(), 1, true, work.data());
  for (int64_t k = 0; k < n; k++) {
    values[k] = std::max(values[k].real(), 0.0);
    top[k] = values[k] * (bins.low + double(k - offset) * bins.width);
  }
  for (std::vector<Complex>* side : {&values, &top}) {
    fft.transform(side->data(), 1, false, work.data());
    for (int64_t k = 0; k < n; k++) (*side)[k] *= blur[k];
    fft.transform(side->data(), 1, true, work.data());
  }
  std::vector<double> means(bins.count);
  for (int64_t b = 0; b < bins.count; b++) {
    const double bottom = values[offset + b].real();
    means[b] = bottom > 0 ? top[offset + b].real() / bottom : bins.low + double(b) * bins.width;
  }
  return means;
}

}  // namespace sino
