// image_quality on CUDA. noise_power: a block per region fits its trend, then rows and columns are transformed (small_fft.cuh) in batches of
// regions, whose powers are added in order. edge_line: a block per slice, a warp per line of it. edge_spread: a block per bin gathers its
// pixels, row by row between the columns that may have any: no atomics, the same sums every time. channel_response: a table of the
// channels, then a block per slice and channel. Never measured.
#include "native/ops/image_quality.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"
#include "cuda/small_fft.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kBlocks = 2;  // resident; asked for more, as ptxas does by itself, registers spill
constexpr int64_t kBatch = 1 << 22;         // values of regions that are transformed at once

unsigned blocks_for(int64_t count) { return unsigned(std::min<int64_t>(count, 1 << 16)); }

// Regions of all slices, counted through; a batch begins at number `first`.
struct Regions {
  int64_t rows, columns, size, of_slice, first;
  const int64_t* places;
  const float* input;
  Trend trend;
  double* coefficients;  // [region of the batch, kTrendTerms]
  double2* values;       // [region of the batch, size, size]

  __device__ float pixel(int64_t region, int64_t y, int64_t x) const {
    const int64_t slice = (first + region) / of_slice, *place = places + 2 * ((first + region) % of_slice);
    return input[(slice * rows + place[0] + y) * columns + place[1] + x];
  }
};

__global__ void __launch_bounds__(kThreads, kBlocks) fit_trends(Regions r, int64_t regions) {
  SHARED(double, of_warp, [kThreads / 32]);
  for (int64_t region = blockIdx.x; region < regions; region += gridDim.x) {
    double right[kTrendTerms] = {}, m[kTrendTerms];
    for (int64_t i = threadIdx.x; i < r.size * r.size; i += kThreads) {
      const int64_t y = i / r.size, x = i % r.size;
      const double value = r.pixel(region, y, x);
      trend_terms(r.size, y, x, m);
#pragma unroll
      for (int k = 0; k < kTrendTerms; k++) right[k] += m[k] * value;
    }
#pragma unroll
    for (double& sum : right) sum = block_fold(sum, of_warp, Sum());
    if (threadIdx.x >= kTrendTerms) continue;
    double c = 0;
#pragma unroll
    for (int k = 0; k < kTrendTerms; k++)
      if (k < r.trend.count) c += r.trend.inverse[threadIdx.x][k] * right[k];
    r.coefficients[region * kTrendTerms + threadIdx.x] = c;
  }
}

struct RegionRows : Regions {
  static constexpr bool kBack = false;
  __device__ double2 get(int64_t line, int k) const {
    const double* c = coefficients + line / size * kTrendTerms;
    double m[kTrendTerms], value = pixel(line / size, line % size, k);
    trend_terms(size, line % size, k, m);
#pragma unroll
    for (int i = 0; i < kTrendTerms; i++)
      if (i < trend.count) value -= c[i] * m[i];
    return {value, 0};
  }
  __device__ void put(int64_t line, int k, double2 value) const { values[line * size + k] = value; }
};

// Leaves the power in the real part.
struct RegionColumns : Regions {
  static constexpr bool kBack = false;
  __device__ double2& at(int64_t line, int k) const { return values[(line / size * size + k) * size + line % size]; }
  __device__ double2 get(int64_t line, int k) const { return at(line, k); }
  __device__ void put(int64_t line, int k, double2 z) const { at(line, k) = {z.x * z.x + z.y * z.y, 0}; }
};

struct AddPowers {
  Regions r;
  int64_t regions;
  double scale;
  double* power;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    double sum = 0;
    for (int64_t k = 0; k < regions; k++) sum += r.values[k * r.size * r.size + i].x;
    power[i] = (r.first > 0 ? power[i] : 0) + scale * sum;
  }
};

__global__ void __launch_bounds__(kThreads, kBlocks) find_edge_lines(EdgeLineArgs args) {
  SHARED(double, of_warp, [kThreads / 32]);
  const int64_t pixels = args.rows * args.columns;
  for (int64_t slice = blockIdx.x; slice < args.slices; slice += gridDim.x) {
    const float* image = args.input + slice * pixels;
    double across = 0, down = 0;
    for (int64_t i = threadIdx.x; i < pixels; i += kThreads) {
      const double right = i % args.columns + 1 < args.columns ? double(image[i + 1]) - image[i] : 0,
                   below = i + args.columns < pixels ? double(image[i + args.columns]) - image[i] : 0;
      across += right * right, down += below * below;
    }
    across = block_fold(across, of_warp, Sum());
    down = block_fold(down, of_warp, Sum());
    const EdgeAxes axes = edge_axes(args, across >= down);
    EdgePath path = {axes.n / 2.0, 0};
    for (int round = 0; round < kEdgeRounds; round++) {
      const double reach = round == 0 ? double(axes.n) : args.reach;
      EdgeSums sums;
      for (int64_t k = threadIdx.x / 32; k < axes.lines; k += kThreads / 32) {
        const float* line = image + k * axes.line_step;
        const double near = path.at + path.slope * k;
        double weight = 0, moment = 0;
        for (int64_t i = threadIdx.x % 32; i + 1 < axes.n; i += 32) {
          const double at = i + 0.5, d = double(line[(i + 1) * axes.step]) - line[i * axes.step];
          if (fabs(at - near) > reach) continue;
          weight += d * d, moment += d * d * at;
        }
        weight = warp_fold(weight, Sum()), moment = warp_fold(moment, Sum());
        if (threadIdx.x % 32 == 0) sums.add(weight, weight > 0 ? moment / weight : near, double(k));
      }
#pragma unroll
      for (double& sum : sums.m) sum = block_fold(sum, of_warp, Sum());
#pragma unroll
      for (double& sum : sums.b) sum = block_fold(sum, of_warp, Sum());
      path = sums.path(axes.n);
    }
    if (threadIdx.x == 0) edge_line_of(axes, path, args.lines + 4 * slice);
  }
}

// The columns of a row among which are those of a bin: `from` up to, not including, `to`.
struct Columns {
  int64_t from, to;
  __device__ Columns(const EdgeSpreadArgs& a, const double* edge, int64_t bin, int64_t row) : from(0), to(a.columns) {
    const double slack = 1e-9 * double(a.rows + a.columns), dy = row - edge[0], radius = edge[4];
    double low = bin * a.width - a.reach - slack, high = (bin + 1) * a.width - a.reach + slack;
    if (radius > 0) {
      const double out = high + radius;
      if (out < fabs(dy)) to = 0;
      high = sqrt(fmax(out * out - dy * dy, 0.0)), low = -high;
    } else {
      if (edge[2] == 0) return;
      low = (low - dy * edge[3]) / edge[2], high = (high - dy * edge[3]) / edge[2];
    }
    from = int64_t(fmin(fmax(floor(edge[1] + fmin(low, high)), 0.0), double(a.columns)));
    to = min(to, int64_t(fmin(fmax(ceil(edge[1] + fmax(low, high)) + 1, 0.0), double(a.columns))));
  }
};

__global__ void __launch_bounds__(kThreads, kBlocks) gather_bins(EdgeSpreadArgs args) {
  SHARED(double, of_warp, [kThreads / 32]);
  for (int64_t i = blockIdx.x; i < args.slices * args.bins; i += gridDim.x) {
    const int64_t slice = i / args.bins, bin = i % args.bins;
    const double* edge = args.edges + 5 * slice;
    double sum = 0, count = 0;
    for (int64_t y = threadIdx.x; y < args.rows; y += kThreads) {
      const Columns columns(args, edge, bin, y);
      const float* row = args.input + (slice * args.rows + y) * args.columns;
      for (int64_t x = columns.from; x < columns.to; x++)
        if (edge_bin(args, edge, y, x) == double(bin)) sum += row[x], count += 1;
    }
    sum = block_fold(sum, of_warp, Sum());
    count = block_fold(count, of_warp, Sum());
    if (threadIdx.x == 0) args.sums[i] = sum, args.counts[i] = count;
  }
}

struct ChannelTable {
  ChannelArgs args;
  double* table;  // [channel, pixel]
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t pixel) const {
    Channels channels(args, pixel);
    for (int j = 0; j < args.channels; j++) table[j * args.rows * args.columns + pixel] = channels.next();
  }
};

__global__ void __launch_bounds__(kThreads, kBlocks) add_responses(ChannelArgs args, const double* table) {
  SHARED(double, of_warp, [kThreads / 32]);
  const int64_t pixels = args.rows * args.columns;
  for (int64_t k = blockIdx.x; k < args.slices * args.channels; k += gridDim.x) {
    const float* image = args.input + k / args.channels * pixels;
    const double* channel = table + k % args.channels * pixels;
    double sum = 0;
    for (int64_t i = threadIdx.x; i < pixels; i += kThreads) sum += channel[i] * image[i];
    sum = block_fold(sum, of_warp, Sum());
    if (threadIdx.x == 0) args.responses[k] = sum;
  }
}

}  // namespace

void noise_power(Stream stream, const NoisePowerArgs& args) {
  const int64_t n = args.size, of_slice = int64_t(args.places.size() / 2), all = args.slices * of_slice;
  const int64_t batch = std::min(all, std::max<int64_t>(1, kBatch / (n * n)));
  if (all == 0) return check(cudaMemsetAsync(args.power, 0, size_t(n * n) * sizeof(double), stream), "cudaMemsetAsync");
  const SmallFftTables tables(stream, n);
  Uploaded<int64_t> places(stream, args.places);
  StreamMemory<double> coefficients(stream, size_t(batch * kTrendTerms));
  StreamMemory<double2> values(stream, size_t(batch * n * n));
  Regions r = {args.rows,           args.columns, n, of_slice, 0, places.data(), args.input, trend_of(n, args.order),
               coefficients.data(), values.data()};
  for (; r.first < all; r.first += batch) {
    const int64_t regions = std::min(batch, all - r.first);
    LAUNCH(fit_trends, blocks_for(regions), kThreads, 0, stream)(r, regions);
    small_fft(stream, RegionRows{r}, tables, regions * n, "noise_power");
    small_fft(stream, RegionColumns{r}, tables, regions * n, "noise_power");
    pointwise_by<1>(stream, 1, n * n, AddPowers{r, regions, 1 / (double(n * n) * double(all)), args.power},
                    "noise_power");
  }
}

void edge_line(Stream stream, const EdgeLineArgs& args) {
  if (args.slices == 0) return;
  LAUNCH(find_edge_lines, blocks_for(args.slices), kThreads, 0, stream)(args);
  check_launch("edge_line");
}

void edge_spread(Stream stream, const EdgeSpreadArgs& args) {
  if (args.slices * args.bins == 0) return;
  LAUNCH(gather_bins, unsigned(std::min<int64_t>(args.slices * args.bins, 1 << 20)), kThreads, 0, stream)(args);
  check_launch("edge_spread");
}

void channel_response(Stream stream, const ChannelArgs& args) {
  if (args.slices == 0) return;
  const int64_t pixels = args.rows * args.columns;
  StreamMemory<double> table(stream, std::max<size_t>(1, size_t(args.channels * pixels)));
  pointwise_by<1>(stream, 1, pixels, ChannelTable{args, table.data()}, "channel_response");
  LAUNCH(add_responses, blocks_for(args.slices * args.channels), kThreads, 0, stream)(args, table.data());
  check_launch("channel_response");
}

}  // namespace sino::cuda
