// image_quality on the CPU. The transforms are small and double: recursion by two where the size is even, the plain sum else.
#include "native/ops/image_quality.h"

#include <algorithm>
#include <cmath>
#include <complex>

#include "native/cpu/cpu.h"
#include "native/cpu/small_fft.h"

namespace sino::cpu {

namespace {

constexpr double kPi = 3.14159265358979323846;

// Least squares of `terms` monomials; normal equations of a square are well conditioned when x and y run from −1 to 1.
class Trend {
 public:
  Trend(int64_t size, int order) : size_(size), terms_(order == 0 ? 1 : order == 1 ? 3 : 6) {
    double normal[6][6] = {};
    for (int64_t y = 0; y < size; y++)
      for (int64_t x = 0; x < size; x++) {
        double m[6];
        monomials(y, x, m);
        for (int i = 0; i < terms_; i++)
          for (int j = 0; j < terms_; j++) normal[i][j] += m[i] * m[j];
      }
    invert(normal);
  }
  void remove(const float* region, int64_t stride, std::complex<double>* out) const {
    double right[6] = {}, c[6] = {}, m[6];
    for (int64_t y = 0; y < size_; y++)
      for (int64_t x = 0; x < size_; x++) {
        monomials(y, x, m);
        for (int i = 0; i < terms_; i++) right[i] += m[i] * region[y * stride + x];
      }
    for (int i = 0; i < terms_; i++)
      for (int j = 0; j < terms_; j++) c[i] += inverse_[i][j] * right[j];
    for (int64_t y = 0; y < size_; y++)
      for (int64_t x = 0; x < size_; x++) {
        monomials(y, x, m);
        double value = region[y * stride + x];
        for (int i = 0; i < terms_; i++) value -= c[i] * m[i];
        out[y * size_ + x] = value;
      }
  }

 private:
  void monomials(int64_t row, int64_t column, double* m) const {
    const double half = std::max<double>(double(size_ - 1) / 2, 1), y = row / half - 1, x = column / half - 1;
    const double all[6] = {1, x, y, x * x, x * y, y * y};
    std::copy_n(all, 6, m);
  }
  // Gauss-Jordan; terms that a small region cannot tell apart are left out.
  void invert(double (&a)[6][6]) {
    for (int i = 0; i < 6; i++) inverse_[i][i] = 1;
    for (int k = 0; k < terms_; k++) {
      if (!(std::fabs(a[k][k]) > 1e-9 * double(size_ * size_))) {
        for (int j = 0; j < 6; j++) inverse_[k][j] = a[k][j] = 0;
        continue;
      }
      const double pivot = a[k][k];
      for (int j = 0; j < terms_; j++) a[k][j] /= pivot, inverse_[k][j] /= pivot;
      for (int i = 0; i < terms_; i++) {
        if (i == k) continue;
        const double factor = a[i][k];
        for (int j = 0; j < terms_; j++) a[i][j] -= factor * a[k][j], inverse_[i][j] -= factor * inverse_[k][j];
      }
    }
  }
  const int64_t size_;
  const int terms_;
  double inverse_[6][6] = {};
};

// Centroid of squared differences along a line of n pixels, within `reach` of `near`; how much there was.
struct Centroid {
  double place, weight;
};
Centroid edge_of(const float* line, int64_t step, int64_t n, double near, double reach) {
  double sum = 0, moment = 0;
  for (int64_t i = 0; i + 1 < n; i++) {
    const double at = i + 0.5, d = double(line[(i + 1) * step]) - line[i * step];
    if (std::fabs(at - near) > reach) continue;
    sum += d * d;
    moment += d * d * at;
  }
  return {sum > 0 ? moment / sum : near, sum};
}

struct Line {
  double at, slope;  // place = at + slope·line
};
Line line_through(const float* image, int64_t lines, int64_t line_step, int64_t n, int64_t step, const Line* near,
                  double reach) {
  double m[3] = {}, b[2] = {};
  for (int64_t k = 0; k < lines; k++) {
    const Centroid c =
        edge_of(image + k * line_step, step, n, near ? near->at + near->slope * k : n / 2.0, near ? reach : double(n));
    m[0] += c.weight, m[1] += c.weight * k, m[2] += c.weight * k * k;
    b[0] += c.weight * c.place, b[1] += c.weight * k * c.place;
  }
  const double determinant = m[0] * m[2] - m[1] * m[1];
  if (!(determinant > 1e-12 * m[0] * m[2])) return {m[0] > 0 ? b[0] / m[0] : n / 2.0, 0};
  return {(b[0] * m[2] - b[1] * m[1]) / determinant, (b[1] * m[0] - b[0] * m[1]) / determinant};
}

void edge_line_of(const EdgeLineArgs& args, const float* image, double* out) {
  double across = 0, down = 0;  // squared differences along rows, along columns
  for (int64_t y = 0; y < args.rows; y++)
    for (int64_t x = 0; x < args.columns; x++) {
      const float* p = image + y * args.columns + x;
      if (x + 1 < args.columns) across += (double(p[1]) - p[0]) * (double(p[1]) - p[0]);
      if (y + 1 < args.rows) down += (double(p[args.columns]) - p[0]) * (double(p[args.columns]) - p[0]);
    }
  const bool by_rows = across >= down;
  const int64_t lines = by_rows ? args.rows : args.columns, n = by_rows ? args.columns : args.rows;
  const int64_t line_step = by_rows ? args.columns : 1, step = by_rows ? 1 : args.columns;
  Line line = line_through(image, lines, line_step, n, step, nullptr, 0);
  for (int round = 0; round < 3; round++) line = line_through(image, lines, line_step, n, step, &line, args.reach);
  const double middle = (lines - 1) / 2.0, place = line.at + line.slope * middle;
  const double size = std::sqrt(1 + line.slope * line.slope), along = 1 / size, beside = -line.slope / size;
  const double by_row[4] = {middle, place, along, beside}, by_column[4] = {place, middle, beside, along};
  std::copy_n(by_rows ? by_row : by_column, 4, out);
}

}  // namespace

void noise_power(const Context& context, const NoisePowerArgs& args) {
  const int64_t n = args.size, regions = static_cast<int64_t>(args.places.size() / 2),
                pixels = args.rows * args.columns;
  const Trend trend(n, args.order);
  const SmallFft fft(n);
  Scratch<double> powers = context.scratch<double>(std::max<int64_t>(args.slices, 1) * n * n);
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    std::vector<std::complex<double>> values(n * n), line(n);
    for (int64_t s = begin; s < end; s++) {
      double* power = powers.data() + s * n * n;
      std::fill_n(power, n * n, 0.0);
      for (int64_t k = 0; k < regions; k++) {
        context.check();
        trend.remove(args.input + s * pixels + args.places[2 * k] * args.columns + args.places[2 * k + 1], args.columns,
                     values.data());
        fft.transform_square(values.data());
        for (int64_t i = 0; i < n * n; i++) power[i] += std::norm(values[i]);
      }
    }
  });
  for (int64_t i = 0; i < n * n; i++) {
    double sum = 0;
    for (int64_t s = 0; s < args.slices; s++) sum += powers[s * n * n + i];
    args.power[i] = sum / (double(n * n) * double(std::max<int64_t>(1, args.slices * regions)));
  }
}

void edge_line(const Context& context, const EdgeLineArgs& args) {
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; s++)
      edge_line_of(args, args.input + s * args.rows * args.columns, args.lines + 4 * s);
  });
}

void edge_spread(const Context& context, const EdgeSpreadArgs& args) {
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; s++) {
      const double* edge = args.edges + 5 * s;
      double *sums = args.sums + s * args.bins, *counts = args.counts + s * args.bins;
      std::fill_n(sums, args.bins, 0.0), std::fill_n(counts, args.bins, 0.0);
      for (int64_t y = 0; y < args.rows; y++)
        for (int64_t x = 0; x < args.columns; x++) {
          const double dy = y - edge[0], dx = x - edge[1];
          const double distance = edge[4] > 0 ? std::hypot(dx, dy) - edge[4] : dx * edge[2] + dy * edge[3];
          const double bin = std::floor((distance + args.reach) / args.width);
          if (!(bin >= 0 && bin < double(args.bins))) continue;
          sums[int64_t(bin)] += args.input[(s * args.rows + y) * args.columns + x];
          counts[int64_t(bin)]++;
        }
    }
  });
}

void channel_response(const Context& context, const ChannelArgs& args) {
  const int64_t pixels = args.rows * args.columns;
  std::vector<double> channels(args.channels * pixels);
  for (int64_t i = 0; i < pixels; i++) {
    const double dy = i / args.columns - args.row, dx = i % args.columns - args.column;
    const double t = 2 * kPi * (dx * dx + dy * dy) / (args.width * args.width);
    double before = 0, laguerre = 1;
    for (int j = 0; j < args.channels; j++) {
      channels[j * pixels + i] = std::sqrt(2.0) / args.width * std::exp(-t / 2) * laguerre;
      const double next = ((2 * j + 1 - t) * laguerre - j * before) / (j + 1);
      before = laguerre, laguerre = next;
    }
  }
  context.parallel_for(args.slices * args.channels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; k++) {
      const float* image = args.input + k / args.channels * pixels;
      const double* channel = channels.data() + k % args.channels * pixels;
      double sum = 0;
      for (int64_t i = 0; i < pixels; i++) sum += channel[i] * image[i];
      args.responses[k] = sum;
    }
  });
}

}  // namespace sino::cpu
