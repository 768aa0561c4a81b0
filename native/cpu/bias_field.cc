// bias_field on the CPU: everything happens on the coarse grid of every shrink-th voxel; the field of the volume is read off the splines.
#include "native/ops/bias_field.h"

#include <algorithm>
#include <cmath>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

// A cubic B-spline over the volume, or the places of one.
struct Spline {
  SplineAxis z, y, x;
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
        plane[c] += z.weights[kSplineTaps * k + t] * controls[(z.first[k] + t) * y.controls * x.controls + c];
    }
    for (int64_t j = 0; j < y.size(); j++) {
      for (int64_t c = 0; c < x.controls; c++) {
        line[c] = 0;
        for (int64_t t = 0; t < y.taps; t++)
          line[c] += y.weights[kSplineTaps * j + t] * plane[(y.first[j] + t) * x.controls + c];
      }
      for (int64_t i = 0; i < x.size(); i++) {
        double value = 0;
        for (int64_t t = 0; t < x.taps; t++) value += x.weights[kSplineTaps * i + t] * line[x.first[i] + t];
        visit((k * y.size() + j) * x.size() + i, value);
      }
    }
  }

 private:
  void add(int64_t k, int64_t j, int64_t i, double value, double* sums) const {
    const auto square_of = [](const SplineAxis& axis, int64_t at) {
      double sum = 0;
      for (int64_t t = 0; t < axis.taps; t++)
        sum += axis.weights[kSplineTaps * at + t] * axis.weights[kSplineTaps * at + t];
      return sum;
    };
    const double all = square_of(z, k) * square_of(y, j) * square_of(x, i);
    const int64_t count = controls();
    for (int64_t a = 0; a < z.taps; a++)
      for (int64_t b = 0; b < y.taps; b++)
        for (int64_t c = 0; c < x.taps; c++) {
          const double w =
              z.weights[kSplineTaps * k + a] * y.weights[kSplineTaps * j + b] * x.weights[kSplineTaps * i + c];
          const int64_t at = ((z.first[k] + a) * y.controls + y.first[j] + b) * x.controls + x.first[i] + c;
          sums[at] += w * w * w * value / all;
          sums[count + at] += w * w;
        }
  }
};

// What values are, less what they would be without a field.
std::vector<float> residuals(const BiasFieldArgs& args, const std::vector<float>& values,
                             const std::vector<uint8_t>& set) {
  double low = INFINITY, high = -INFINITY;
  for (size_t p = 0; p < values.size(); p++)
    if (set[p]) low = std::min<double>(low, values[p]), high = std::max<double>(high, values[p]);
  const BiasBins bins(low, high, args.bins);
  std::vector<double> histogram(args.bins);
  for (size_t p = 0; p < values.size(); p++) {
    if (!set[p]) continue;
    const double place = bins.place(values[p]);
    const int64_t b = bins.first(place);
    histogram[b] += 1 - (place - double(b));
    histogram[b + 1] += place - double(b);
  }
  const std::vector<double> means =
      high > low ? sharpened_means(args, bins, histogram) : std::vector<double>(args.bins, low);
  std::vector<float> result(values.size());
  for (size_t p = 0; p < values.size(); p++)
    if (set[p]) result[p] = static_cast<float>(values[p] - bins.mean(means.data(), values[p]));
  return result;
}

}  // namespace

void bias_field(const Context& context, const BiasFieldArgs& args) {
  const int64_t rows = args.rows, columns = args.columns, voxels = args.slices * rows * columns;
  if (voxels == 0) return;
  std::vector<float> logs, field, corrected;
  std::vector<uint8_t> set;
  for (int64_t k = 0; k < args.slices; k += args.shrink[0])
    for (int64_t j = 0; j < rows; j += args.shrink[1])
      for (int64_t i = 0; i < columns; i += args.shrink[2]) {
        const int64_t p = (k * rows + j) * columns + i;
        set.push_back(bias_uses(args, p));
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
      const std::vector<double> change = spline.fit(context, residuals(args, corrected, set), set);
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
