#include "native/ops/ramp.h"

#include <cmath>
#include <complex>

#include "native/core/error.h"

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;

// Textbook recursion in double, only for tables.
void fft(std::vector<std::complex<double>>& x) {
  const size_t n = x.size();
  if (n == 1) return;
  std::vector<std::complex<double>> even(n / 2), odd(n / 2);
  for (size_t i = 0; i < n / 2; i++) even[i] = x[2 * i], odd[i] = x[2 * i + 1];
  fft(even), fft(odd);
  for (size_t k = 0; k < n / 2; k++) {
    const std::complex<double> t = std::polar(1.0, -2 * kPi * k / n) * odd[k];
    x[k] = even[k] + t;
    x[k + n / 2] = even[k] - t;
  }
}

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
  int64_t n = 4;
  while (n < 2 * bins - 1) n *= 2;
  std::vector<std::complex<double>> h(n, 0.0);
  h[0] = 0.25;
  for (int64_t k = 1; k < bins; k += 2) {
    const double s = arc_pitch == 0 ? kPi * k : kPi * std::sin(k * arc_pitch) / arc_pitch;
    h[k] = h[n - k] = -1 / (s * s);
  }
  fft(h);
  std::vector<float> response(n);
  for (int64_t k = 0; k < n; k++) {
    const double f = 2.0 * std::min(k, n - k) / n;  // 1 = Nyquist
    response[k] = f > cutoff ? 0.0f : static_cast<float>(h[k].real() * window_at(window, f / cutoff) / n);
  }
  return response;
}

}  // namespace sino
