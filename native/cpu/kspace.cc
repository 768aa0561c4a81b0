// kspace on the CPU: one transform of the slice where nothing turned; else a turned image per position, and of its transform only the
// lines that were measured there. Positions go to all threads, every line to its own place.
#include "native/ops/kspace.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "native/core/small_fft.h"
#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

using Complex = SmallFft::Complex;
constexpr double kPi = 3.14159265358979323846;

Complex phase(int64_t k, int64_t n, double shift) {
  const KspacePhase p = kspace_phase(k, n, shift);
  return {p.real, p.imaginary};
}

struct Slice {
  const KspaceArgs& args;
  const SmallFft &along, &down;  // of columns, of rows
  const int64_t rows = args.rows, columns = args.columns;

  void rows_of(Complex* values, bool inverse) const {
    std::vector<Complex> work(2 * columns);
    for (int64_t y = 0; y < rows; y++) along.transform(values + y * columns, 1, inverse, work.data());
  }
  void columns_of(Complex* values, bool inverse) const {
    std::vector<Complex> work(2 * rows);
    for (int64_t x = 0; x < columns; x++) down.transform(values + x, columns, inverse, work.data());
  }
  // x moves by slope·y, or y by slope·x, from the middle.
  void shear_rows(Complex* values, double slope) const {
    rows_of(values, false);
    for (int64_t y = 0; y < rows; y++)
      for (int64_t k = 0; k < columns; k++)
        values[y * columns + k] *= phase(k, columns, slope * (double(y) - double(rows - 1) / 2)) / double(columns);
    rows_of(values, true);
  }
  void shear_columns(Complex* values, double slope) const {
    columns_of(values, false);
    for (int64_t k = 0; k < rows; k++)
      for (int64_t x = 0; x < columns; x++)
        values[k * columns + x] *= phase(k, rows, slope * (double(x) - double(columns - 1) / 2)) / double(rows);
    columns_of(values, true);
  }
  std::vector<Complex> turned(const float* image, double degrees) const {
    std::vector<Complex> values(image, image + rows * columns);
    if (degrees == 0) return values;
    const KspaceShears shears = kspace_shears(degrees);
    shear_rows(values.data(), shears.rows);
    shear_columns(values.data(), shears.columns);
    shear_rows(values.data(), shears.rows);
    return values;
  }
  // Line `row` of the transform of values, moved.
  void line(const Complex* values, int64_t row, double moved_down, double moved_right, Complex* out) const {
    for (int64_t x = 0; x < columns; x++) out[x] = 0;
    for (int64_t y = 0; y < rows; y++) {
      const Complex turn = std::polar(1.0, -2 * kPi * double(row * y % rows) / double(rows));
      for (int64_t x = 0; x < columns; x++) {
        const Complex v = values[y * columns + x];
        out[x] +=
            Complex(v.real() * turn.real() - v.imag() * turn.imag(), v.real() * turn.imag() + v.imag() * turn.real());
      }
    }
    std::vector<Complex> work(2 * columns);
    along.transform(out, 1, false, work.data());
    const Complex vertical = phase(row, rows, moved_down);
    for (int64_t k = 0; k < columns; k++) out[k] *= vertical * phase(k, columns, moved_right);
  }
};

}  // namespace

void kspace(const Context& context, const KspaceArgs& args) {
  const int64_t rows = args.rows, columns = args.columns, pixels = rows * columns;
  if (args.slices * pixels == 0) return;
  const SmallFft along(columns), down(rows);
  const Slice slice{args, along, down};
  for (int64_t s = 0; s < args.slices; s++) {
    const float* image = args.input + s * pixels;
    std::vector<Complex> k(pixels);
    if (!args.turn) {
      std::copy_n(image, pixels, k.begin());
      slice.rows_of(k.data(), false);
      slice.columns_of(k.data(), false);
    } else {
      std::map<double, std::vector<int64_t>> lines_of;  // by angle
      for (int64_t v = 0; v < rows; v++) lines_of[args.turn[s * rows + v]].push_back(v);
      const std::vector<std::pair<double, std::vector<int64_t>>> positions(lines_of.begin(), lines_of.end());
      context.parallel_for(static_cast<int64_t>(positions.size()), 1, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; p++) {
          const std::vector<Complex> turned = slice.turned(image, positions[p].first);
          for (int64_t v : positions[p].second) {
            if (context.job.cancelled) return;
            const int64_t row = (v - rows / 2 + rows) % rows;
            slice.line(turned.data(), row, args.down[s * rows + v], args.right[s * rows + v], &k[row * columns]);
          }
        }
      });
    }
    for (int64_t y = 0; y < rows && args.mask; y++)
      for (int64_t x = 0; x < columns; x++) k[y * columns + x] *= args.mask[kspace_mask_place(args, y, x)];
    slice.columns_of(k.data(), true);
    slice.rows_of(k.data(), true);
    float* out = args.output + s * pixels;
    for (int64_t i = 0; i < pixels; i++) out[i] = static_cast<float>(std::abs(k[i]) / double(pixels));
    context.check();
    context.job.advance(rows);
  }
}

}  // namespace sino::cpu
