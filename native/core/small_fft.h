// Fourier transforms of a few hundred to a few thousand values in double, where speed is not the point: decimation by two while the
// length is even, the plain sum for what is left.
#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <vector>

namespace sino {

class SmallFft {
 public:
  using Complex = std::complex<double>;
  explicit SmallFft(int64_t n) : n_(n), roots_(n) {
    constexpr double kPi = 3.14159265358979323846;
    for (int64_t k = 0; k < n; k++) roots_[k] = std::polar(1.0, -2 * kPi * double(k) / double(n));
  }
  const std::vector<Complex>& roots() const { return roots_; }  // e^{−2πi·k/n}

  // values[k·step] ← Σ_j values[j·step]·e^{∓2πi·jk/n}; the inverse is not scaled. `work` holds 2·n values.
  void transform(Complex* values, int64_t step, bool inverse, Complex* work) const {
    for (int64_t k = 0; k < n_; k++) work[k] = inverse ? std::conj(values[k * step]) : values[k * step];
    recurse(work, work + n_, n_, 1);
    for (int64_t k = 0; k < n_; k++) values[k * step] = inverse ? std::conj(work[k]) : work[k];
  }
  // Both axes of an n × n array.
  void transform_square(Complex* values) const {
    std::vector<Complex> work(2 * n_);
    for (int64_t k = 0; k < n_; k++) transform(values + k * n_, 1, false, work.data());
    for (int64_t k = 0; k < n_; k++) transform(values + k, n_, false, work.data());
  }

 private:
  static Complex times(Complex a, Complex b) {  // without the library's care for infinities
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
  }
  // In place; `spare` as large. roots_ are those of the whole length, every stride-th of this one's.
  void recurse(Complex* x, Complex* spare, int64_t n, int64_t stride) const {
    if (n == 1) return;
    if (n % 2 == 1) {
      for (int64_t k = 0; k < n; k++) {
        Complex sum = 0;
        for (int64_t j = 0; j < n; j++) sum += times(x[j], roots_[j * k % n * stride]);
        spare[k] = sum;
      }
      for (int64_t k = 0; k < n; k++) x[k] = spare[k];
      return;
    }
    const int64_t half = n / 2;
    for (int64_t k = 0; k < half; k++) spare[k] = x[2 * k], spare[half + k] = x[2 * k + 1];
    recurse(spare, x, half, 2 * stride);
    recurse(spare + half, x + half, half, 2 * stride);
    for (int64_t k = 0; k < half; k++) {
      const Complex odd = times(spare[half + k], roots_[k * stride]);
      x[k] = spare[k] + odd;
      x[half + k] = spare[k] - odd;
    }
  }
  int64_t n_;
  std::vector<Complex> roots_;
};

}  // namespace sino
