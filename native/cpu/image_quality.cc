// image_quality on the CPU. The transforms are small and double: recursion by two where the size is even, the plain sum else.
#include "native/ops/image_quality.h"

#include <algorithm>
#include <cmath>
#include <complex>

#include "native/core/small_fft.h"
#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

void without_trend(const Trend& trend, int64_t size, const float* region, int64_t stride, std::complex<double>* out) {
  double right[kTrendTerms] = {}, c[kTrendTerms] = {}, m[kTrendTerms];
  for (int64_t y = 0; y < size; y++)
    for (int64_t x = 0; x < size; x++) {
      trend_terms(size, y, x, m);
      for (int i = 0; i < trend.count; i++) right[i] += m[i] * region[y * stride + x];
    }
  for (int i = 0; i < trend.count; i++)
    for (int j = 0; j < trend.count; j++) c[i] += trend.inverse[i][j] * right[j];
  for (int64_t y = 0; y < size; y++)
    for (int64_t x = 0; x < size; x++) {
      trend_terms(size, y, x, m);
      double value = region[y * stride + x];
      for (int i = 0; i < trend.count; i++) value -= c[i] * m[i];
      out[y * size + x] = value;
    }
}

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

void edge_line_of_slice(const EdgeLineArgs& args, const float* image, double* out) {
  double across = 0, down = 0;  // squared differences along rows, along columns
  for (int64_t y = 0; y < args.rows; y++)
    for (int64_t x = 0; x < args.columns; x++) {
      const float* p = image + y * args.columns + x;
      if (x + 1 < args.columns) across += (double(p[1]) - p[0]) * (double(p[1]) - p[0]);
      if (y + 1 < args.rows) down += (double(p[args.columns]) - p[0]) * (double(p[args.columns]) - p[0]);
    }
  const EdgeAxes axes = edge_axes(args, across >= down);
  EdgePath path = {axes.n / 2.0, 0};
  for (int round = 0; round < kEdgeRounds; round++) {
    EdgeSums sums;
    for (int64_t k = 0; k < axes.lines; k++) {
      const Centroid c = edge_of(image + k * axes.line_step, axes.step, axes.n, path.at + path.slope * k,
                                 round == 0 ? double(axes.n) : args.reach);
      sums.add(c.weight, c.place, double(k));
    }
    path = sums.path(axes.n);
  }
  edge_line_of(axes, path, out);
}

}  // namespace

void noise_power(const Context& context, const NoisePowerArgs& args) {
  const int64_t n = args.size, regions = static_cast<int64_t>(args.places.size() / 2),
                pixels = args.rows * args.columns;
  const Trend trend = trend_of(n, args.order);
  const SmallFft fft(n);
  Scratch<double> powers = context.scratch<double>(std::max<int64_t>(args.slices, 1) * n * n);
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    std::vector<std::complex<double>> values(n * n), line(n);
    for (int64_t s = begin; s < end; s++) {
      double* power = powers.data() + s * n * n;
      std::fill_n(power, n * n, 0.0);
      for (int64_t k = 0; k < regions; k++) {
        context.check();
        without_trend(trend, n, args.input + s * pixels + args.places[2 * k] * args.columns + args.places[2 * k + 1],
                      args.columns, values.data());
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
      edge_line_of_slice(args, args.input + s * args.rows * args.columns, args.lines + 4 * s);
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
          const double bin = edge_bin(args, edge, y, x);
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
    Channels at(args, i);
    for (int j = 0; j < args.channels; j++) channels[j * pixels + i] = at.next();
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
