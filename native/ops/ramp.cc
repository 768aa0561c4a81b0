#include "native/ops/ramp.h"

#include <cmath>
#include <complex>

#include "native/core/error.h"

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;

// Discrete Fourier transform of an even sequence (real, even) of 2^a or 3·2^a numbers in double, only for tables.
class EvenTransform {
 public:
  explicit EvenTransform(int64_t length) : roots_(length), values_(length), length_(length) {
    for (int64_t k = 0; k < length; k++) roots_[k] = std::polar(1.0, -2 * kPi * k / length);
  }
  std::vector<double> operator()(const std::vector<double>& x) {
    split(x.data(), 1, values_.data());
    std::vector<double> result(length_);
    for (int64_t f = 0; f < length_; f++) result[f] = values_[f].real();
    return result;
  }

 private:
  // of length/stride numbers, every stride-th of x: the textbook's recursion over the smallest prime factor
  void split(const double* x, int64_t stride, std::complex<double>* y) const {
    const int64_t n = length_ / stride, radix = n % 2 == 0 ? 2 : 3, part = n / radix;
    if (n == 1) {
      *y = *x;
      return;
    }
    for (int64_t r = 0; r < radix; r++) split(x + r * stride, radix * stride, y + r * part);
    for (int64_t f = 0; f < part; f++) {
      std::complex<double> terms[3];
      for (int64_t r = 0; r < radix; r++) terms[r] = y[f + r * part] * roots_[r * f * stride];
      for (int64_t q = 0; q < radix; q++) {
        y[f + q * part] = terms[0];
        for (int64_t r = 1; r < radix; r++) y[f + q * part] += terms[r] * roots_[r * q % radix * part * stride];
      }
    }
  }

  std::vector<std::complex<double>> roots_, values_;
  int64_t length_;
};

double window_at(Window window, double f) {  // f = frequency / cut-off, 0…1
  switch (window) {
    case Window::ram_lak:
      return 1;
    case Window::shepp_logan:
      return f == 0 ? 1 : std::sin(kPi * f / 2) / (kPi * f / 2);
    case Window::cosine:
      return std::cos(kPi * f / 2);
    case Window::hamming:
      return 0.54 + 0.46 * std::cos(kPi * f);
    case Window::hann:
      return 0.5 + 0.5 * std::cos(kPi * f);
  }
  return 1;
}

}  // namespace

std::vector<float> ramp_response(int64_t bins, Window window, double cutoff, double arc_pitch) {
  if (!(cutoff > 0 && cutoff <= 1))
    throw Error(Code::out_of_range, "Expected a filter cut-off above 0 and at most 1 (the Nyquist frequency).");
  int64_t wide = 32;
  while (wide < 2 * bins - 1) wide *= 2;
  std::vector<double> taps(wide, 0.0);
  taps[0] = 0.25;
  for (int64_t k = 1; k < bins; k += 2) {
    const double s = arc_pitch == 0 ? kPi * k : kPi * std::sin(k * arc_pitch) / arc_pitch;
    taps[k] = taps[wide - k] = -1 / (s * s);
  }
  EvenTransform transform(wide);
  std::vector<double> response = transform(taps);
  for (int64_t k = 0; k < wide; k++) {
    const double f = 2.0 * std::min(k, wide - k) / wide;  // 1 = Nyquist
    response[k] = f > cutoff ? 0 : response[k] * window_at(window, f / cutoff) / wide;
  }
  const int64_t length = wide / 4 * 3 >= 2 * bins - 1 ? wide / 4 * 3 : wide;
  if (length < wide) {  // the same filter on a shorter transform
    const std::vector<double> filter = transform(response);
    std::vector<double> wrapped(length, 0.0);
    wrapped[0] = filter[0] / length;
    for (int64_t k = 1; k < bins; k++) wrapped[k] = wrapped[length - k] = filter[k] / length;
    response = EvenTransform(length)(wrapped);
  }
  return {response.begin(), response.end()};
}

}  // namespace sino
