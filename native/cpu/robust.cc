// robust on the CPU: what is set is collected once, then ranked by nth_element.
#include "native/ops/robust.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

double rank_of(std::vector<float>& values, double q) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto at = values.begin() + static_cast<int64_t>(std::floor(q * double(values.size() - 1)));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

void quantiles(const Context&, const QuantilesArgs& args) {
  std::vector<float> values;
  for (int64_t i = 0; i < args.count; i++)
    if ((!args.where || args.where[i]) && std::isfinite(args.input[i]))
      values.push_back(args.magnitudes ? std::fabs(args.input[i]) : args.input[i]);
  for (int q = 0; q < args.quantiles; q++) args.result[q] = rank_of(values, args.ranks[q]);
  double squares = 0;
  for (float value : values) squares += double(value) * value;
  args.result[args.quantiles] = static_cast<double>(values.size());
  args.result[args.quantiles + 1] = values.empty() ? 0 : std::sqrt(squares / double(values.size()));
}

void fit_powers(const Context& context, const FitPowersArgs& args) {
  std::vector<float> x, y, w, residual;
  for (int64_t i = 0; i < args.count; i++) {
    if (!args.where[i] || !std::isfinite(args.x[i]) || !std::isfinite(args.y[i])) continue;
    x.push_back(args.x[i]);
    y.push_back(args.y[i]);
    w.push_back(args.weights ? args.weights[i] : 1);
  }
  double c[2] = {}, scale = 0;
  residual.assign(x.size(), 0);
  for (int round = 0; round < args.rounds && !x.empty(); round++) {
    context.check();
    double m[3] = {}, b[2] = {};
    for (size_t i = 0; i < x.size(); i++) {
      const double z = scale > 0 ? residual[i] / (2 * scale) : 0, a = w[i] / (1 + z * z), xi = x[i];
      m[0] += a * xi * xi;
      m[1] += a * xi * xi * xi;
      m[2] += a * xi * xi * xi * xi;
      b[0] += a * xi * y[i];
      b[1] += a * xi * xi * y[i];
    }
    solve_powers(m, b, args.order, c);
    std::vector<float> sizes(x.size());
    for (size_t i = 0; i < x.size(); i++) {
      residual[i] = static_cast<float>(y[i] - x[i] * (c[0] + c[1] * x[i]));
      sizes[i] = std::fabs(residual[i]);
    }
    scale = 1.4826 * rank_of(sizes, 0.5);
  }
  for (int k = 0; k < args.order; k++) args.result[k] = c[k];
  args.result[args.order] = x.empty() ? std::numeric_limits<double>::quiet_NaN() : scale;
  args.result[args.order + 1] = static_cast<double>(x.size());
}

void mean_gradient(const Context&, const MeanGradientArgs& args) {
  double sum = 0, count = 0;
  const int64_t columns = args.columns;
  for (int64_t r = 1; r + 1 < args.rows; r++)
    for (int64_t c = 1; c + 1 < columns; c++) {
      const float* x = args.input + r * columns + c;
      if (!args.where[r * columns + c]) continue;
      const double size = std::hypot(double(x[1]) - x[-1], double(x[columns]) - x[-columns]) / 2;
      if (!std::isfinite(size)) continue;
      sum += size;
      count++;
    }
  args.result[0] = count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
  args.result[1] = count;
}

void bounds(const Context&, const BoundsArgs& args) {
  int64_t box[5] = {args.rows, -1, args.columns, -1, 0};
  for (int64_t r = 0; r < args.rows; r++)
    for (int64_t c = 0; c < args.columns; c++) {
      if (!args.mask[r * args.columns + c]) continue;
      box[0] = std::min(box[0], r), box[1] = std::max(box[1], r);
      box[2] = std::min(box[2], c), box[3] = std::max(box[3], c);
      box[4]++;
    }
  std::copy_n(box, 5, args.result);
}

void metal_mask(const Context&, const MetalMaskArgs& args) {
  std::vector<std::vector<float>> groups(args.groups);
  std::vector<float> all;
  for (int64_t i = 0; i < args.count; i++) {
    if (args.labels[i] < 1 || args.labels[i] > args.groups || !std::isfinite(args.input[i])) continue;
    groups[args.labels[i] - 1].push_back(args.input[i]);
    all.push_back(args.input[i]);
  }
  const float common = all.empty() ? args.least : metal_threshold(args, rank_of(all, 0.95));
  std::vector<float> threshold(args.groups, common);
  for (int64_t g = 0; g < args.groups; g++) {
    const double p95 = rank_of(groups[g], 0.95);
    if (p95 >= args.alone) threshold[g] = metal_threshold(args, p95);
  }
  for (int64_t i = 0; i < args.count; i++) {
    const int32_t group = args.labels[i];
    args.mask[i] = group > 0 && group <= args.groups && args.input[i] >= threshold[group - 1];
  }
  *args.threshold = common;
}

}  // namespace sino::cpu
