#include "native/recon/turned_lines.h"

#include <algorithm>
#include <cmath>

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr int kTable = 512;  // entries per cell, read with linear interpolation: 1e-6 of the window's top
using Complex = TurnedLines::Complex;

double bessel_i0(double x) {
  double sum = 1, term = 1;
  for (int k = 1; k < 200 && term > sum * 1e-17; k++) sum += term *= x * x / (4.0 * k * k);
  return sum;
}

inline Complex times(Complex a, Complex b) {  // without the library's care for infinities
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

Complex turned(double cycles) {
  const double angle = -2 * kPi * (cycles - std::floor(cycles));
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

// Least 2^a or 3·2^a that holds 1.5 times as many.
int64_t cells_for(int64_t count) {
  int64_t cells = 16;
  while (2 * cells < 3 * count) cells *= 2;
  return 2 * (cells / 4 * 3) >= 3 * count ? cells / 4 * 3 : cells;
}

// One pass of Stockham's transform of `length` rows of `width` values: spans of `length` values, of which `stride` are done together.
template <int kRadix>
void pass(int64_t span, int64_t width, const float* cosines, const float* sines, int64_t step, const float* re,
          const float* im, float* out_re, float* out_im) {
  const int64_t part = span / kRadix;
  for (int64_t p = 0; p < part; p++) {
    float c[kRadix], s[kRadix];
    for (int k = 0; k < kRadix; k++) c[k] = cosines[k * p * step], s[k] = sines[k * p * step];
    const float *a = re + p * width, *b = im + p * width;
    float *to_re = out_re + p * kRadix * width, *to_im = out_im + p * kRadix * width;
    const int64_t next = part * width;
    for (int64_t i = 0; i < width; i++) {
      float xr[kRadix], xi[kRadix];
      if constexpr (kRadix == 4) {
        const float r0 = a[i] + a[i + 2 * next], i0 = b[i] + b[i + 2 * next];
        const float r1 = a[i] - a[i + 2 * next], i1 = b[i] - b[i + 2 * next];
        const float r2 = a[i + next] + a[i + 3 * next], i2 = b[i + next] + b[i + 3 * next];
        const float r3 = a[i + next] - a[i + 3 * next], i3 = b[i + next] - b[i + 3 * next];
        xr[0] = r0 + r2, xi[0] = i0 + i2, xr[2] = r0 - r2, xi[2] = i0 - i2;
        xr[1] = r1 + i3, xi[1] = i1 - r3, xr[3] = r1 - i3, xi[3] = i1 + r3;
      } else if constexpr (kRadix == 3) {
        constexpr float kSine = 0.86602540378443864676f;
        const float r1 = a[i + next] + a[i + 2 * next], i1 = b[i + next] + b[i + 2 * next];
        const float r2 = kSine * (a[i + next] - a[i + 2 * next]), i2 = kSine * (b[i + next] - b[i + 2 * next]);
        const float r0 = a[i] - 0.5f * r1, i0 = b[i] - 0.5f * i1;
        xr[0] = a[i] + r1, xi[0] = b[i] + i1;
        xr[1] = r0 + i2, xi[1] = i0 - r2, xr[2] = r0 - i2, xi[2] = i0 + r2;
      } else {
        xr[0] = a[i] + a[i + next], xi[0] = b[i] + b[i + next];
        xr[1] = a[i] - a[i + next], xi[1] = b[i] - b[i + next];
      }
      for (int k = 0; k < kRadix; k++) {
        to_re[k * width + i] = xr[k] * c[k] - xi[k] * s[k];
        to_im[k * width + i] = xr[k] * s[k] + xi[k] * c[k];
      }
    }
  }
}

}  // namespace

TurnedLines::Axis::Axis(int64_t count, int64_t field)
    : count(count),
      field(field),
      cells(cells_for(count)),
      middle(double(field - 1) / 2 * double(count) / double(field)),
      even(count),
      cosines(cells),
      sines(cells) {
  const double finer = double(cells) / double(count);
  beta = kPi * std::sqrt(std::pow(kSpan / finer * (finer - 0.5), 2) - 0.8);
  const double top = bessel_i0(beta);
  table.resize(kTable * kSpan / 2 + 2, 0);
  for (int k = 0; k <= kTable * kSpan / 2; k++) {
    const double z = 2.0 * k / (kTable * kSpan);
    table[k] = static_cast<float>(bessel_i0(beta * std::sqrt(1 - z * z)) / top);
  }
  for (int64_t i = 0; i < count; i++) {
    const double a = beta * beta - std::pow(kPi * kSpan * double(i - count / 2) / double(cells), 2);
    const double root = std::sqrt(std::fabs(a));
    even[i] = static_cast<float>(top / (kSpan * (a > 0 ? std::sinh(root) : std::sin(root)) / root));
  }
  for (int64_t k = 0; k < cells; k++) {
    cosines[k] = static_cast<float>(std::cos(2 * kPi * double(k) / double(cells)));
    sines[k] = static_cast<float>(-std::sin(2 * kPi * double(k) / double(cells)));
  }
  for (int64_t rest = cells; rest > 1; rest /= radices.back())
    radices.push_back(rest % 3 == 0 ? 3 : rest % 4 == 0 ? 4 : 2);
}

double TurnedLines::Axis::weight(double distance) const {
  const double at = std::fabs(distance) * kTable;
  const int64_t low = static_cast<int64_t>(at);
  return low >= kTable * kSpan / 2 ? 0 : table[low] + (at - double(low)) * (table[low + 1] - table[low]);
}

TurnedLines::TurnedLines(int64_t rows, int64_t columns, int64_t field_rows, int64_t field_columns)
    : y_(rows, field_rows), x_(columns, field_columns), samples_(rows * columns), scaled_(rows * columns) {
  const int64_t cells = y_.cells * x_.cells;
  for (std::vector<float>* values : {&re_, &im_, &re2_, &im2_}) values->resize(cells);
}

void TurnedLines::place(const Position* positions) {
  const double per_y = double(y_.field) / double(y_.count), per_x = double(x_.field) / double(x_.count);
  for (int64_t row = 0; row < y_.count; row++) {
    const Position& at = positions[row];
    const double angle = at.turn * kPi / 180, cosine = std::cos(angle), sine = std::sin(angle);
    const double v = double(row - y_.count / 2);
    for (int64_t column = 0; column < x_.count; column++) {
      Sample& s = samples_[row * x_.count + column];
      const double u = double(column - x_.count / 2);
      const double k_y = v / double(y_.field), k_x = u / double(x_.field);  // cycles per pixel of the field
      const double q_y = (k_y * cosine + k_x * sine) * per_y, q_x = (k_x * cosine - k_y * sine) * per_x;
      s.q_y = static_cast<float>(q_y), s.q_x = static_cast<float>(q_x);
      s.phase =
          turned(k_y * at.down + k_x * at.right + v / double(y_.count) * y_.middle + u / double(x_.count) * x_.middle -
                 q_y * (y_.middle - double(y_.count / 2)) - q_x * (x_.middle - double(x_.count / 2)));
      const auto window = [](const Axis& axis, double q, float* weights) {
        const double cell = q * double(axis.cells);
        const double first = std::floor(cell) - kSpan / 2 + 1;
        for (int i = 0; i < kSpan; i++) weights[i] = static_cast<float>(axis.weight(cell - first - i));
        const int64_t low = static_cast<int64_t>(first) % axis.cells;
        return static_cast<int32_t>(low < 0 ? low + axis.cells : low);
      };
      s.cell_y = window(y_, q_y, s.y);
      s.cell_x = window(x_, q_x, s.x);
    }
  }
}

void TurnedLines::transform(const Axis& axis, int64_t width, bool back) {
  std::vector<float>&re = back ? im_ : re_, &im = back ? re_ : im_;
  std::vector<float>&re2 = back ? im2_ : re2_, &im2 = back ? re2_ : im2_;
  int64_t span = axis.cells, together = width;
  for (int radix : axis.radices) {
    const int64_t step = axis.cells / span;
    const auto run = [&](auto of) {
      of(span, together, axis.cosines.data(), axis.sines.data(), step, re.data(), im.data(), re2.data(), im2.data());
    };
    radix == 4 ? run(pass<4>) : radix == 3 ? run(pass<3>) : run(pass<2>);
    re.swap(re2), im.swap(im2);
    span /= radix, together *= radix;
  }
}

void TurnedLines::forward(const Values& image, Values& lines) {
  const int64_t rows = y_.count, columns = x_.count, cells_y = y_.cells, cells_x = x_.cells;
  std::fill(re_.begin(), re_.end(), 0.0f), std::fill(im_.begin(), im_.end(), 0.0f);
  for (int64_t y = 0; y < rows; y++) {
    const int64_t to = (y - rows / 2 + cells_y) % cells_y;
    for (int64_t x = 0; x < columns; x++) {
      const Complex value = image[y * columns + x] * (y_.even[y] * x_.even[x]);
      re_[to * columns + x] = value.real(), im_[to * columns + x] = value.imag();
    }
  }
  transform(y_, columns, false);
  std::fill(re2_.begin(), re2_.end(), 0.0f), std::fill(im2_.begin(), im2_.end(), 0.0f);
  for (int64_t x = 0; x < columns; x++) {
    const int64_t to = (x - columns / 2 + cells_x) % cells_x * cells_y;
    for (int64_t y = 0; y < cells_y; y++) re2_[to + y] = re_[y * columns + x], im2_[to + y] = im_[y * columns + x];
  }
  re_.swap(re2_), im_.swap(im2_);
  transform(x_, cells_y, false);
  lines.resize(samples_.size());
  for (size_t j = 0; j < samples_.size(); j++) {
    const Sample& s = samples_[j];
    float sum_re = 0, sum_im = 0;
    const bool wraps = s.cell_y + kSpan > cells_y;
    for (int a = 0; a < kSpan; a++) {
      const int64_t row = (s.cell_x + a < cells_x ? s.cell_x + a : s.cell_x + a - cells_x) * cells_y;
      float part_re = 0, part_im = 0;
      for (int b = 0; b < kSpan; b++) {
        const int64_t at = row + (wraps && s.cell_y + b >= cells_y ? s.cell_y + b - cells_y : s.cell_y + b);
        part_re += s.y[b] * re_[at], part_im += s.y[b] * im_[at];
      }
      sum_re += s.x[a] * part_re, sum_im += s.x[a] * part_im;
    }
    lines[j] = times({sum_re, sum_im}, s.phase);
  }
}

void TurnedLines::adjoint(const Values& lines, Values& image) {
  const int64_t rows = y_.count, columns = x_.count, cells_y = y_.cells, cells_x = x_.cells;
  std::fill(re_.begin(), re_.end(), 0.0f), std::fill(im_.begin(), im_.end(), 0.0f);
  for (size_t j = 0; j < samples_.size(); j++) {
    const Sample& s = samples_[j];
    const Complex value = times(lines[j], std::conj(s.phase));
    const bool wraps = s.cell_y + kSpan > cells_y;
    for (int a = 0; a < kSpan; a++) {
      const int64_t row = (s.cell_x + a < cells_x ? s.cell_x + a : s.cell_x + a - cells_x) * cells_y;
      const float value_re = s.x[a] * value.real(), value_im = s.x[a] * value.imag();
      for (int b = 0; b < kSpan; b++) {
        const int64_t at = row + (wraps && s.cell_y + b >= cells_y ? s.cell_y + b - cells_y : s.cell_y + b);
        re_[at] += s.y[b] * value_re, im_[at] += s.y[b] * value_im;
      }
    }
  }
  transform(x_, cells_y, true);
  for (int64_t x = 0; x < columns; x++) {
    const int64_t from = (x - columns / 2 + cells_x) % cells_x * cells_y;
    for (int64_t y = 0; y < cells_y; y++) re2_[y * columns + x] = re_[from + y], im2_[y * columns + x] = im_[from + y];
  }
  re_.swap(re2_), im_.swap(im2_);
  transform(y_, columns, true);
  image.resize(rows * columns);
  const float scale = 1.0f / static_cast<float>(rows * columns);
  for (int64_t y = 0; y < rows; y++) {
    const int64_t from = (y - rows / 2 + cells_y) % cells_y * columns;
    for (int64_t x = 0; x < columns; x++)
      image[y * columns + x] = Complex(re_[from + x], im_[from + x]) * (scale * y_.even[y] * x_.even[x]);
  }
}

void TurnedLines::gradient(const Values& image, const Values& lines, const Values& weights, Position* gradient) {
  const int64_t rows = y_.count, columns = x_.count;
  const auto times_place = [&](bool down, Values& out) {
    for (int64_t y = 0; y < rows; y++)
      for (int64_t x = 0; x < columns; x++)
        scaled_[y * columns + x] =
            image[y * columns + x] * static_cast<float>(down ? double(y) - y_.middle : double(x) - x_.middle);
    forward(scaled_, out);
  };
  times_place(true, lines_y_);
  times_place(false, lines_x_);
  const double per_y = double(y_.field) / double(rows), per_x = double(x_.field) / double(columns);
  for (int64_t row = 0; row < rows; row++) {
    double turn = 0, down = 0, right = 0;
    const double v = double(row - rows / 2) / double(y_.field);
    for (int64_t column = 0; column < columns; column++) {
      const size_t j = row * columns + column;
      const double u = double(column - columns / 2) / double(x_.field);
      const double moved = times(lines[j], std::conj(weights[j])).imag();
      down += v * moved, right += u * moved;
      // dq/dangle: q_y grows by q_x, q_x falls by q_y, each in cycles of its own axis
      const double q_y = samples_[j].q_y / per_y, q_x = samples_[j].q_x / per_x;
      turn += q_x * per_y * times(lines_y_[j], std::conj(weights[j])).imag() -
              q_y * per_x * times(lines_x_[j], std::conj(weights[j])).imag();
    }
    gradient[row].turn += 2 * kPi * turn * kPi / 180;
    gradient[row].down += 2 * kPi * down;
    gradient[row].right += 2 * kPi * right;
  }
}

}  // namespace sino
