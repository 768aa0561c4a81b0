// bias_field on the CPU: everything happens on the coarse grid of every shrink-th voxel; the field of the volume is read off the splines.
#include "native/ops/bias_field.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "native/cpu/cpu.h"
#include "native/core/small_fft.h"

namespace sino::cpu {

namespace {

using Complex = SmallFft::Complex;
constexpr double kPi = 3.14159265358979323846, kNoise = 0.01;

// Weights of the control points at every shrink-th of n places; one control point where there is one place.
struct Axis {
  int64_t controls, taps;
  std::vector<int64_t> first;
  std::vector<std::array<double, 4>> weights;
  Axis(int64_t n, int64_t shrink, int64_t cells) : controls(n > 1 ? cells + 3 : 1), taps(n > 1 ? 4 : 1) {
    for (int64_t i = 0; i < n; i += shrink) {
      if (n == 1) {
        first.push_back(0), weights.push_back({1, 0, 0, 0});
        continue;
      }
      const double at = double(cells) * double(i) / double(n - 1);
      const int64_t cell = std::min(static_cast<int64_t>(at), cells - 1);
      const double t = at - double(cell), s = 1 - t;
      first.push_back(cell);
      weights.push_back(
          {s * s * s / 6, (3 * t * t * t - 6 * t * t + 4) / 6, (3 * s * s * s - 6 * s * s + 4) / 6, t * t * t / 6});
    }
  }
  int64_t size() const { return static_cast<int64_t>(first.size()); }
};

// A cubic B-spline over the volume, or the places of one.
struct Spline {
  Axis z, y, x;
  Spline(const BiasFieldArgs& a, const int64_t (&shrink)[3], int64_t finer)
      : z(a.slices, shrink[0], a.mesh[0] * finer),
        y(a.rows, shrink[1], a.mesh[1] * finer),
        x(a.columns, shrink[2], a.mesh[2] * finer) {}
  int64_t controls() const { return z.controls * y.controls * x.controls; }

  // The controls that give the values of the set points, weighted by how much each point says about each control.
  std::vector<double> fit(const Context& context, const std::vector<float>& values,
                          const std::vector<uint8_t>& set) const {
    const int64_t count = controls(), slices = z.size();
    std::vector<std::vector<double>> sums(slices);
    context.parallel_for(slices, 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; k++) {
        sums[k].assign(2 * count, 0);
        for (int64_t j = 0; j < y.size(); j++)
          for (int64_t i = 0; i < x.size(); i++) {
            const int64_t p = (k * y.size() + j) * x.size() + i;
            if (set[p]) add(k, j, i, values[p], sums[k].data());
          }
      }
    });
    std::vector<double> result(count);
    for (int64_t c = 0; c < count; c++) {
      double top = 0, bottom = 0;
      for (const std::vector<double>& part : sums) top += part[c], bottom += part[count + c];
      result[c] = bottom > 0 ? top / bottom : 0;
    }
    return result;
  }

  // Calls visit(place, value) for every place of a slice, in order.
  template <typename Visit>
  void evaluate(const std::vector<double>& controls, int64_t k, const Visit& visit) const {
    std::vector<double> plane(y.controls * x.controls), line(x.controls);
    for (int64_t c = 0; c < y.controls * x.controls; c++) {
      plane[c] = 0;
      for (int64_t t = 0; t < z.taps; t++)
        plane[c] += z.weights[k][t] * controls[(z.first[k] + t) * y.controls * x.controls + c];
    }
    for (int64_t j = 0; j < y.size(); j++) {
      for (int64_t c = 0; c < x.controls; c++) {
        line[c] = 0;
        for (int64_t t = 0; t < y.taps; t++) line[c] += y.weights[j][t] * plane[(y.first[j] + t) * x.controls + c];
      }
      for (int64_t i = 0; i < x.size(); i++) {
        double value = 0;
        for (int64_t t = 0; t < x.taps; t++) value += x.weights[i][t] * line[x.first[i] + t];
        visit((k * y.size() + j) * x.size() + i, value);
      }
    }
  }

 private:
  void add(int64_t k, int64_t j, int64_t i, double value, double* sums) const {
    const auto square_of = [](const Axis& axis, int64_t at) {
      double sum = 0;
      for (int64_t t = 0; t < axis.taps; t++) sum += axis.weights[at][t] * axis.weights[at][t];
      return sum;
    };
    const double all = square_of(z, k) * square_of(y, j) * square_of(x, i);
    const int64_t count = controls();
    for (int64_t a = 0; a < z.taps; a++)
      for (int64_t b = 0; b < y.taps; b++)
        for (int64_t c = 0; c < x.taps; c++) {
          const double w = z.weights[k][a] * y.weights[j][b] * x.weights[i][c];
          const int64_t at = ((z.first[k] + a) * y.controls + y.first[j] + b) * x.controls + x.first[i] + c;
          sums[at] += w * w * w * value / all;
          sums[count + at] += w * w;
        }
  }
};

// The mean of the sharpened values behind each bin.
struct Sharpened {
  double low, width;
  std::vector<double> mean;
  double at(double value) const {
    const double bin = (value - low) / width;
    const auto b = std::min(static_cast<int64_t>(std::max(bin, 0.0)), static_cast<int64_t>(mean.size()) - 2);
    return mean[b] + (bin - double(b)) * (mean[b + 1] - mean[b]);
  }
};

Sharpened sharpened(const BiasFieldArgs& args, const std::vector<float>& values, const std::vector<uint8_t>& set) {
  double low = INFINITY, high = -INFINITY;
  for (size_t p = 0; p < values.size(); p++)
    if (set[p]) low = std::min<double>(low, values[p]), high = std::max<double>(high, values[p]);
  Sharpened result{low, (high - low) / (args.bins - 1), std::vector<double>(args.bins)};
  if (!(result.width > 0)) {
    result.width = 1;
    std::fill(result.mean.begin(), result.mean.end(), low);
    return result;
  }
  int64_t n = 2;
  while (n < 2 * args.bins) n *= 2;
  const int64_t offset = (n - args.bins) / 2;
  std::vector<Complex> histogram(n), blur(n), top(n), work(2 * n);
  for (size_t p = 0; p < values.size(); p++) {
    if (!set[p]) continue;
    const double bin = (values[p] - low) / result.width;
    const auto b = std::min(static_cast<int64_t>(bin), int64_t(args.bins) - 2);
    histogram[offset + b] += 1 - (bin - double(b));
    histogram[offset + b + 1] += bin - double(b);
  }
  const double fwhm = args.fwhm / result.width, rate = 4 * std::log(2.0) / (fwhm * fwhm);
  for (int64_t k = 0; k < n; k++) {
    const double d = double(std::min(k, n - k));
    blur[k] = 2 * std::sqrt(std::log(2.0) / kPi) / fwhm * std::exp(-d * d * rate);
  }
  const SmallFft fft(n);
  fft.transform(blur.data(), 1, false, work.data());
  fft.transform(histogram.data(), 1, false, work.data());
  for (int64_t k = 0; k < n; k++) histogram[k] *= std::conj(blur[k]) / (std::norm(blur[k]) + kNoise) / double(n);
  fft.transform(histogram.data(), 1, true, work.data());
  for (int64_t k = 0; k < n; k++) {
    histogram[k] = std::max(histogram[k].real(), 0.0);
    top[k] = histogram[k] * (low + double(k - offset) * result.width);
  }
  for (std::vector<Complex>* side : {&histogram, &top}) {
    fft.transform(side->data(), 1, false, work.data());
    for (int64_t k = 0; k < n; k++) (*side)[k] *= blur[k];
    fft.transform(side->data(), 1, true, work.data());
  }
  for (int b = 0; b < args.bins; b++) {
    const double bottom = histogram[offset + b].real();
    result.mean[b] = bottom > 0 ? top[offset + b].real() / bottom : low + b * result.width;
  }
  return result;
}

}  // namespace

void bias_field(const Context& context, const BiasFieldArgs& args) {
  const int64_t rows = args.rows, columns = args.columns, voxels = args.slices * rows * columns;
  if (voxels == 0) return;
  const auto used = [&](int64_t p) {
    return (!args.mask || args.mask[p]) && args.input[p] > 0 && std::isfinite(args.input[p]);
  };
  std::vector<float> logs, field, corrected;
  std::vector<uint8_t> set;
  for (int64_t k = 0; k < args.slices; k += args.shrink[0])
    for (int64_t j = 0; j < rows; j += args.shrink[1])
      for (int64_t i = 0; i < columns; i += args.shrink[2]) {
        const int64_t p = (k * rows + j) * columns + i;
        set.push_back(used(p));
        logs.push_back(set.back() ? std::log(args.input[p]) : 0.0f);
      }
  const int64_t count = static_cast<int64_t>(logs.size());
  const double inside = static_cast<double>(std::count(set.begin(), set.end(), uint8_t(1)));
  require(inside > 0, Code::out_of_range, "Expected positive values, within the mask if there is one: there are none.");
  field.assign(count, 0);
  corrected = logs;
  std::vector<std::vector<double>> controls;
  for (int level = 0; level < args.levels; level++) {
    const Spline spline(args, args.shrink, int64_t(1) << level);
    controls.emplace_back(spline.controls(), 0.0);
    for (int step = 0; step < args.iterations; step++) {
      context.check();
      const Sharpened means = sharpened(args, corrected, set);
      std::vector<float> residual(count);
      for (int64_t p = 0; p < count; p++)
        if (set[p]) residual[p] = static_cast<float>(corrected[p] - means.at(corrected[p]));
      const std::vector<double> change = spline.fit(context, residual, set);
      for (size_t c = 0; c < change.size(); c++) controls.back()[c] += change[c];
      double sum = 0, squares = 0;
      for (int64_t k = 0; k < spline.z.size(); k++)
        spline.evaluate(change, k, [&](int64_t p, double value) {
          field[p] += static_cast<float>(value);
          corrected[p] = logs[p] - field[p];
          if (!set[p]) return;
          sum += std::exp(value), squares += std::exp(2 * value);
        });
      const double mean = sum / inside, variance = std::max(0.0, squares / inside - mean * mean);
      if (std::sqrt(variance) < args.tolerance * mean) break;
    }
  }
  double mean = 0;
  for (int64_t p = 0; p < count; p++)
    if (set[p]) mean += field[p] / inside;
  const int64_t every[3] = {1, 1, 1};
  std::fill_n(args.field, voxels, static_cast<float>(-mean));
  for (int level = 0; level < args.levels; level++) {
    const Spline spline(args, every, int64_t(1) << level);
    context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; k++)
        spline.evaluate(controls[level], k, [&](int64_t p, double v) { args.field[p] += static_cast<float>(v); });
    });
  }
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin * rows * columns; p < end * rows * columns; p++) {
      args.field[p] = std::exp(args.field[p]);
      args.output[p] = args.input[p] / args.field[p];
    }
  });
}

}  // namespace sino::cpu
