// bias_field on CUDA. A step on the coarse grid: the range of values (their keys' least and largest), the histogram (shares in units of 2⁻³²,
// so that adding them has no order), sharpened by the host, who has a few hundred numbers to transform; then the fit, axis by axis, since its
// sums are products of sums along the axes; then the field and how much it changed. The volume's field is read off the splines in one pass
// at the end. Never measured.
#include "native/ops/bias_field.h"

#include <cstring>
#include <deque>
#include <initializer_list>

#include "cuda/device.cuh"
#include "cuda/operations.h"
#include "cuda/pointwise.cuh"
#include "cuda/ranks.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kBlocks = 2;  // resident; asked for more, as ptxas does by itself, registers spill
constexpr int kParts = 256;                 // blocks that sums are split over
constexpr double kShare = 4294967296.0;
using Count = unsigned long long;

struct Axis {
  int64_t size, controls, taps;
  const int64_t *first, *begin, *end;  // begin, end: places that a control point has a weight for
  const double* weights;
};
class AxisTables {
 public:
  AxisTables(cudaStream_t stream, const SplineAxis& axis)
      : first_(stream, axis.first),
        begin_(stream, bounds(axis, 1 - axis.taps)),
        end_(stream, bounds(axis, 1)),
        weights_(stream, axis.weights),
        axis_{axis.size(), axis.controls, axis.taps, first_.data(), begin_.data(), end_.data(), weights_.data()} {}
  const Axis& axis() const { return axis_; }

 private:
  // For every control point the first place whose own one is beyond it by `beyond` or more.
  static std::vector<int64_t> bounds(const SplineAxis& axis, int64_t beyond) {
    std::vector<int64_t> places;
    for (int64_t c = 0; c < axis.controls; c++)
      places.push_back(std::lower_bound(axis.first.begin(), axis.first.end(), c + beyond) - axis.first.begin());
    return places;
  }
  Uploaded<int64_t> first_, begin_, end_;
  Uploaded<double> weights_;
  Axis axis_;
};

// Places and control points, of the coarse grid or of the volume.
struct Spline {
  Axis z, y, x;
  double* controls;
  __device__ double at(int64_t k, int64_t j, int64_t i) const {
    double value = 0;
    for (int64_t c = 0; c < x.taps; c++) {
      double line = 0;
      for (int64_t b = 0; b < y.taps; b++) {
        double plane = 0;
        for (int64_t a = 0; a < z.taps; a++)
          plane += z.weights[kSplineTaps * k + a] *
                   controls[((z.first[k] + a) * y.controls + y.first[j] + b) * x.controls + x.first[i] + c];
        line += y.weights[kSplineTaps * j + b] * plane;
      }
      value += x.weights[kSplineTaps * i + c] * line;
    }
    return value;
  }
};
struct SplineTables {
  SplineTables(cudaStream_t stream, const BiasFieldArgs& a, std::initializer_list<int64_t> shrink, int level)
      : z(stream, SplineAxis(a.slices, shrink.begin()[0], a.mesh[0] << level)),
        y(stream, SplineAxis(a.rows, shrink.begin()[1], a.mesh[1] << level)),
        x(stream, SplineAxis(a.columns, shrink.begin()[2], a.mesh[2] << level)) {}
  Spline with(double* controls) const { return {z.axis(), y.axis(), x.axis(), controls}; }
  int64_t controls() const { return z.axis().controls * y.axis().controls * x.axis().controls; }
  AxisTables z, y, x;
};

// The coarse grid, whose values are counted through.
struct Coarse {
  BiasFieldArgs args;
  int64_t count, rows, columns;
  float *logs, *field, *corrected;
  uint8_t* set;
};

struct TakeLogs : Coarse {
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    const int64_t z = i / columns / rows * args.shrink[0], y = i / columns % rows * args.shrink[1],
                  p = (z * args.rows + y) * args.columns + i % columns * args.shrink[2];
    set[i] = bias_uses(args, p);
    field[i] = 0;
    corrected[i] = logs[i] = set[i] ? logf(args.input[p]) : 0;
  }
};

// Of a key, on the host.
float value_of_key(unsigned key) {
  const unsigned bits = key >> 31 ? key & 0x7fffffffu : ~key;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

struct Range {
  unsigned least, largest;  // keys
  Count count;
};

__global__ void __launch_bounds__(kThreads, kBlocks) find_range(Coarse c, Range* range) {
  SHARED(unsigned, of_warp, [kThreads / 32]);
  unsigned least = ~0u, largest = 0, count = 0;
  for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < c.count; i += int64_t(gridDim.x) * kThreads) {
    if (!c.set[i]) continue;
    const unsigned key = key_of(c.corrected[i]);
    least = min(least, key), largest = max(largest, key), count++;
  }
  least = block_fold(least, of_warp, Smaller());
  largest = block_fold(largest, of_warp, Larger());
  count = block_fold(count, of_warp, Sum());
  if (threadIdx.x > 0) return;
  atomicMin(&range->least, least), atomicMax(&range->largest, largest), atomicAdd(&range->count, Count(count));
}

__global__ void __launch_bounds__(kThreads, kBlocks) count_shares(Coarse c, BiasBins bins, Count* histogram) {
  DYN_SHARED(Count, shares);
  for (int b = int(threadIdx.x); b < bins.count; b += kThreads) shares[b] = 0;
  __syncthreads();
  for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < c.count; i += int64_t(gridDim.x) * kThreads) {
    if (!c.set[i]) continue;
    const double place = bins.place(c.corrected[i]);
    const int64_t bin = bins.first(place);
    const Count second = Count((place - double(bin)) * kShare);
    atomicAdd(shares + bin, Count(kShare) - second), atomicAdd(shares + bin + 1, second);
  }
  __syncthreads();
  for (int b = int(threadIdx.x); b < bins.count; b += kThreads)
    if (shares[b] > 0) atomicAdd(histogram + b, shares[b]);
}

// What a fit adds up: {values, weights}, here of single places.
struct Residuals : Coarse {
  BiasBins bins;
  const double* means;
  double2* sums;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    sums[i] = {0, 0};
    if (set[i]) sums[i] = {float(corrected[i] - bins.mean(means, corrected[i])), 1};
  }
};

// Along one axis of [outer, place, inner]: from places to control points.
struct Gather {
  Axis axis;
  int64_t inner;
  const double2* from;
  double2* to;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    const int64_t outer = i / inner / axis.controls, c = i / inner % axis.controls;
    double2 sum = {0, 0};
    for (int64_t p = axis.begin[c]; p < axis.end[c]; p++) {
      const double* weights = axis.weights + kSplineTaps * p;
      double squares = 0;
      for (int t = 0; t < kSplineTaps; t++) squares += weights[t] * weights[t];
      const double w = weights[c - axis.first[p]], square = w * w;
      const double2 value = from[(outer * axis.size + p) * inner + i % inner];
      sum.x += square * w / squares * value.x, sum.y += square * value.y;
    }
    to[i] = sum;
  }
};

struct Change {
  const double2* sums;
  double *change, *controls;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    change[i] = sums[i].y > 0 ? sums[i].x / sums[i].y : 0;
    controls[i] += change[i];
  }
};

// Parts: of every block Σ e^change, Σ e^(2·change), Σ field.
constexpr int kSums = 3;
__global__ void __launch_bounds__(kThreads, kBlocks) change_field(Coarse c, Spline change, double* parts) {
  SHARED(double, of_warp, [kThreads / 32]);
  double sums[kSums] = {};
  for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < c.count; i += int64_t(gridDim.x) * kThreads) {
    const double value = change.at(i / c.columns / c.rows, i / c.columns % c.rows, i % c.columns);
    const float field = c.field[i] + float(value);
    c.field[i] = field;
    c.corrected[i] = c.logs[i] - field;
    if (c.set[i]) sums[0] += exp(value), sums[1] += exp(2 * value), sums[2] += field;
  }
#pragma unroll
  for (int k = 0; k < kSums; k++) {
    const double all = block_fold(sums[k], of_warp, Sum());
    if (threadIdx.x == 0) parts[blockIdx.x * kSums + k] = all;
  }
}

struct Finish {
  BiasFieldArgs args;
  float mean;
  int levels;
  Spline splines[kMostBiasLevels];
  template <int N>
  __device__ void at(int64_t row, int64_t column, int64_t i) const {
    float field = -mean;
    for (int level = 0; level < levels; level++)
      field += float(splines[level].at(row / args.rows, row % args.rows, column));
    args.field[i] = expf(field);
    args.output[i] = args.input[i] / args.field[i];
  }
};

// The coarse grid and what its steps work with.
class Fit {
 public:
  Fit(cudaStream_t stream, const BiasFieldArgs& args)
      : stream_(stream),
        args_(args),
        size_{places(0, args.slices), places(1, args.rows), places(2, args.columns)},
        count_(size_[0] * size_[1] * size_[2]),
        floats_(stream, size_t(3 * count_)),
        set_(stream, size_t(count_)),
        range_(stream, 1),
        histogram_(stream, size_t(args.bins)),
        means_(stream, size_t(args.bins)),
        parts_(stream, kParts * kSums) {
    float* f = floats_.data();
    coarse_ = {args, count_, size_[1], size_[2], f, f + count_, f + 2 * count_, set_.data()};
    pointwise_by<1>(stream, 1, count_, TakeLogs{coarse_}, "bias_field");
  }

  // A level; `controls` begin at 0. Gives the field's mean.
  double run(const SplineTables& tables, double* controls) {
    const Spline spline = tables.with(controls);
    const int64_t planes = spline.z.controls * size_[1] * size_[2],
                  lines = spline.z.controls * spline.y.controls * size_[2];
    StreamMemory<double2> own(stream_, size_t(std::max({count_, lines}))),
        other(stream_, size_t(std::max(planes, tables.controls())));
    StreamMemory<double> change(stream_, size_t(tables.controls()));
    double mean = 0;
    for (int step = 0; step < args_.iterations; step++) {
      residuals(own.data());
      gather(spline.z, size_[1] * size_[2], planes, own.data(), other.data());
      gather(spline.y, size_[2], lines, other.data(), own.data());
      gather(spline.x, 1, tables.controls(), own.data(), other.data());
      pointwise_by<1>(stream_, 1, tables.controls(), Change{other.data(), change.data(), controls}, "bias_field");
      LAUNCH(change_field, blocks(), kThreads, 0, stream_)(coarse_, tables.with(change.data()), parts_.data());
      check_launch("bias_field");
      std::vector<double> parts(blocks() * kSums);
      parts_.download(parts.data(), parts.size());
      double sums[kSums] = {};
      for (size_t k = 0; k < parts.size(); k++) sums[k % kSums] += parts[k] / inside_;
      mean = sums[2];
      if (std::sqrt(std::max(0.0, sums[1] - sums[0] * sums[0])) < args_.tolerance * sums[0]) break;
    }
    return mean;
  }

 private:
  int64_t places(int axis, int64_t n) const { return (n + args_.shrink[axis] - 1) / args_.shrink[axis]; }
  unsigned blocks() const { return unsigned(std::min<int64_t>((count_ + kThreads - 1) / kThreads, kParts)); }

  void residuals(double2* sums) {
    Range range = {~0u, 0, 0};
    range_.upload(&range, 1);
    LAUNCH(find_range, blocks(), kThreads, 0, stream_)(coarse_, range_.data());
    check_launch("bias_field");
    range_.download(&range, 1);
    require(range.count > 0, Code::out_of_range,
            "Expected positive values, within the mask if there is one: there are none.");
    inside_ = double(range.count);
    const double low = value_of_key(range.least), high = value_of_key(range.largest);
    const BiasBins bins(low, high, args_.bins);
    std::vector<double> means(size_t(args_.bins), low);
    if (high > low) {
      histogram_.clear(size_t(args_.bins));
      LAUNCH(count_shares, blocks(), kThreads, size_t(args_.bins) * sizeof(Count), stream_)
      (coarse_, bins, histogram_.data());
      check_launch("bias_field");
      std::vector<Count> shares(size_t(args_.bins), 0);
      histogram_.download(shares.data(), shares.size());
      std::vector<double> histogram;
      for (Count share : shares) histogram.push_back(double(share) / kShare);
      means = sharpened_means(args_, bins, histogram);
    }
    means_.upload(means.data(), means.size());
    pointwise_by<1>(stream_, 1, count_, Residuals{coarse_, bins, means_.data(), sums}, "bias_field");
  }
  void gather(const Axis& axis, int64_t inner, int64_t results, const double2* from, double2* to) {
    pointwise_by<1, kBlocks>(stream_, 1, results, Gather{axis, inner, from, to}, "bias_field");
  }

  cudaStream_t stream_;
  const BiasFieldArgs& args_;
  const int64_t size_[3], count_;
  StreamMemory<float> floats_;
  StreamMemory<uint8_t> set_;
  StreamMemory<Range> range_;
  StreamMemory<Count> histogram_;
  StreamMemory<double> means_, parts_;
  Coarse coarse_;
  double inside_ = 0;
};

}  // namespace

void bias_field(Stream stream, const BiasFieldArgs& args) {
  const int64_t rows = args.slices * args.rows;
  if (rows * args.columns == 0) return;
  require(args.levels <= kMostBiasLevels, Code::unsupported, "Bias fields on CUDA take up to 8 levels.");
  Fit fit(stream, args);
  std::deque<SplineTables> tables;  // of the volume
  std::deque<StreamMemory<double>> controls;
  Finish finish = {args, 0, args.levels, {}};
  for (int level = 0; level < args.levels; level++) {
    const SplineTables coarse(stream, args, {args.shrink[0], args.shrink[1], args.shrink[2]}, level);
    controls.emplace_back(stream, size_t(coarse.controls())).clear(size_t(coarse.controls()));
    finish.mean = float(fit.run(coarse, controls.back().data()));
    finish.splines[level] =
        tables.emplace_back(stream, args, std::initializer_list<int64_t>{1, 1, 1}, level).with(controls.back().data());
  }
  pointwise_by<1, kBlocks>(stream, rows, args.columns, finish, "bias_field");
}

}  // namespace sino::cuda
