// fourier on CUDA: projection and its exact transpose through Fourier space, the steps and tables of native/ops/fourier.h.
//
// Projection. (1) pairs of image columns through real FFTs along y; (2) rows of the half-plane through FFTs along x, written to the grid
//   and to its padding; (3) a thread per sample sums 36 cells; (4) pairs of views through real FFTs to bins.
// Transpose. The same backwards. Step (3) is turned round: a thread per cell sums the samples whose kernels reach it, so that no two
//   threads write one cell and sums have one order. Lines are sorted by angle; those that pass a cell within the kernel's reach are a
//   window of angles, found by bisection, and of each the samples in reach are an interval. Around zero, where all views meet, a warp
//   takes a cell and sums in double (why: ops/fourier.h).
// FBP. The transpose, with the views filtered on the way: transform, response, transform back in one kernel.
// Bytes. Per slice of 512² × 720 views: grid 2.6 MB and samples 3.1 MB, written and read once from L2 or DRAM; 36 · 8 B per sample from
//   L1 and L2: 0.4 M samples, 0.11 GB: 20 µs of an H200's L2. FFTs move 12 MB. Kernel's weights are worked out once for kSlices
//   slices. Never measured.
// Agrees with the CPU to 2e-6 of the largest value: the same tables and weights, sums and transforms of float32 in another order.
#include "native/ops/fourier.h"

#include <algorithm>
#include <cmath>

#include "cuda/fft_lines.cuh"
#include "cuda/operations.h"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kSlices = 4;
constexpr int64_t kGroup = 8;  // slices that working memory is for
constexpr int kPad = kFourierPad, kSpan = kFourierSpan;
constexpr double kTurn = 6.283185307179586;

// Half the plane, padded on every side: cell (x, y) has frequency (x − cells_x/2, y).
struct CellGrid {
  int cells_x, cells_y;
  int64_t stride;
  float2* data;
  __host__ __device__ int rows() const { return cells_x + 2 * kPad; }
  __host__ __device__ int64_t size() const { return rows() * stride; }
  __device__ int opposite(int x) const { return x == 0 ? 0 : cells_x - x; }

  // visit(place, conjugated) for the cell and all cells of the padding that stand for it.
  template <typename Visit>
  __device__ __forceinline__ void each_image(int x, int y, const Visit& visit) const {
    along_x(x, y + kPad, false, visit);
    if (y >= 1 && y <= kPad) along_x(opposite(x), kPad - y, true, visit);
    if (2 * y < cells_y && y >= cells_y / 2 - kPad) along_x(opposite(x), kPad + cells_y - y, true, visit);
  }

 private:
  template <typename Visit>
  __device__ __forceinline__ void along_x(int x, int column, bool conjugated, const Visit& visit) const {
    visit((x + kPad) * stride + column, conjugated);
    if (x < kPad) visit((x + kPad + cells_x) * stride + column, conjugated);
    if (x >= cells_x - kPad) visit((x + kPad - cells_x) * stride + column, conjugated);
  }
};

struct Line {
  double step_x, step_y, turn;  // turns per sample
  int samples, view;
  float edge;  // weight of the last sample
  bool mirrored;
};

// Pixel i of n, or −1, at place k of the grid's period: the middle pixel is at zero.
__device__ __forceinline__ int pixel_at(int k, int n, int period) {
  if (k < n - n / 2) return k + n / 2;
  return k >= period - n / 2 ? k - (period - n / 2) : -1;
}
__device__ __forceinline__ int place_of(int i, int n, int period) { return i < n / 2 ? i - n / 2 + period : i - n / 2; }

// ---------------------------------------------------------------- transforms
struct ColumnsOf {
  static constexpr bool kLinesIn = true, kLinesOut = true;
  int lines, outputs;  // pairs of columns
  int rows, columns, cells_y;
  const float *row_weights, *column_weights;
  float2* middle;  // [slice, y, column]
  __device__ float2* middle_of(int64_t slice, int y, int column) const {
    return middle + (slice * (cells_y / 2 + 1) + y) * columns + column;
  }
  __device__ float weight(int row, int column) const { return row_weights[row] * column_weights[column]; }
};

struct ColumnsForward : ColumnsOf {
  static constexpr bool kForward = true, kBack = false;
  const float* images;
  __device__ float2 get(int64_t slice, int line, int n) const {
    const int row = pixel_at(n, rows, cells_y), c = 2 * line;
    if (row < 0) return {0, 0};
    const float* p = images + (slice * rows + row) * columns + c;
    return {p[0] * weight(row, c), c + 1 < columns ? p[1] * weight(row, c + 1) : 0.f};
  }
  template <typename At>
  __device__ void put(int64_t slice, int line, int y, const At& at) const {
    const float2 z = at(y), w = at(y > 0 ? cells_y - y : 0);
    float2* to = middle_of(slice, y, 2 * line);
    to[0] = {z.x + w.x, z.y - w.y};
    if (2 * line + 1 < columns) to[1] = {z.y + w.y, w.x - z.x};
  }
};

struct ColumnsBackward : ColumnsOf {
  static constexpr bool kForward = false, kBack = true;
  float* images;
  __device__ float2 get(int64_t slice, int line, int f) const {
    const int y = 2 * f <= cells_y ? f : cells_y - f;
    const float2* from = middle_of(slice, y, 2 * line);
    const float2 a = from[0], b = 2 * line + 1 < columns ? from[1] : float2{0, 0};
    if (y == 0 || 2 * y == cells_y) return {2 * a.x, 2 * b.x};
    return f == y ? float2{a.x - b.y, a.y + b.x} : float2{a.x + b.y, b.x - a.y};
  }
  template <typename At>
  __device__ void put(int64_t slice, int line, int row, const At& at) const {
    const float2 z = at(place_of(row, rows, cells_y));
    const int c = 2 * line;
    float* p = images + (slice * rows + row) * columns + c;
    p[0] = z.x * weight(row, c);
    if (c + 1 < columns) p[1] = z.y * weight(row, c + 1);
  }
};

struct RowsOf {
  int lines, outputs;  // y
  int columns;
  CellGrid grid;
  float2* middle;
  __device__ float2* middle_of(int64_t slice, int y, int column) const {
    return middle + (slice * lines + y) * columns + column;
  }
  __device__ int turned(int x) const { return x < grid.cells_x / 2 ? x + grid.cells_x / 2 : x - grid.cells_x / 2; }
};

struct RowsForward : RowsOf {
  static constexpr bool kForward = true, kBack = false, kLinesIn = false, kLinesOut = true;
  __device__ float2 get(int64_t slice, int y, int n) const {
    const int column = pixel_at(n, columns, grid.cells_x);
    return column < 0 ? float2{0, 0} : *middle_of(slice, y, column);
  }
  template <typename At>
  __device__ void put(int64_t slice, int y, int x, const At& at) const {
    const float2 z = at(turned(x));
    float2* cells = grid.data + slice * grid.size();
    grid.each_image(x, y, [&](int64_t place, bool conjugated) { cells[place] = conjugated ? conjugate(z) : z; });
  }
};

struct RowsBackward : RowsOf {
  static constexpr bool kForward = false, kBack = true, kLinesIn = true, kLinesOut = false;
  __device__ float2 get(int64_t slice, int y, int f) const {
    const float2* cells = grid.data + slice * grid.size();
    float2 sum = {0, 0};
    grid.each_image(turned(f), y, [&](int64_t place, bool conjugated) {
      sum = sum + (conjugated ? conjugate(cells[place]) : cells[place]);
    });
    return sum;
  }
  template <typename At>
  __device__ void put(int64_t slice, int y, int column, const At& at) const {
    *middle_of(slice, y, column) = at(place_of(column, columns, grid.cells_x));
  }
};

// e^(2πi·turn·j)
__device__ __forceinline__ float2 phase(const Line& line, int j) {
  const double turns = line.turn * j;
  float2 z;
  sincospif(2 * float(turns - rint(turns)), &z.y, &z.x);
  return z;
}

struct ViewsOf {
  static constexpr bool kLinesIn = false, kLinesOut = false;
  int lines, outputs;  // pairs of lines
  int views, bins, length, most_samples;
  const Line* line_of;
  float2* samples;  // [slice, line, most_samples]
  __device__ bool has(int line) const { return line < views; }
  __device__ float2* samples_of(int64_t slice, int line) const {
    return samples + (slice * views + line) * most_samples;
  }
};

struct ViewsForward : ViewsOf {
  static constexpr bool kForward = false, kBack = true;
  float* sinograms;
  __device__ float2 get(int64_t slice, int pair, int f) const {
    const int a = 2 * pair, b = a + 1, samples_a = line_of[a].samples, samples_b = has(b) ? line_of[b].samples : 0;
    const float2 *of_a = samples_of(slice, a), *of_b = samples_of(slice, b);
    float2 sum = {0, 0};  // beyond the detector's own frequencies they fold
    for (int j = f; j < most_samples; j += length) {
      const float2 x = j < samples_a ? of_a[j] : float2{0, 0}, y = j < samples_b ? of_b[j] : float2{0, 0};
      sum = sum + float2{x.x - y.y, x.y + y.x};
    }
    for (int j = f > 0 ? length - f : 0; j < most_samples; j += length) {
      const float2 x = j < samples_a ? of_a[j] : float2{0, 0}, y = j < samples_b ? of_b[j] : float2{0, 0};
      sum = sum + float2{x.x + y.y, y.x - x.y};
    }
    return sum;
  }
  template <typename At>
  __device__ void put(int64_t slice, int pair, int k, const At& at) const {
    const float2 z = at(k);
    float* sinogram = sinograms + slice * views * bins + k;
    sinogram[int64_t(line_of[2 * pair].view) * bins] = z.x;
    if (has(2 * pair + 1)) sinogram[int64_t(line_of[2 * pair + 1].view) * bins] = z.y;
  }
};

struct ViewsBackward : ViewsOf {
  static constexpr bool kForward = true, kBack = false;
  const float *sinograms, *sample_weights;
  __device__ float2 get(int64_t slice, int pair, int n) const {
    if (n >= bins) return {0, 0};
    const float* sinogram = sinograms + slice * views * bins + n;
    const int a = 2 * pair, b = a + 1;
    return {sinogram[int64_t(line_of[a].view) * bins], has(b) ? sinogram[int64_t(line_of[b].view) * bins] : 0.f};
  }
  template <typename At>
  __device__ void put(int64_t slice, int pair, int j, const At& at) const {
    const int f = j % length;
    const float2 z = at(f), w = at(f > 0 ? length - f : 0);
    const float2 of[2] = {{z.x + w.x, z.y - w.y}, {z.y + w.y, w.x - z.x}};
#pragma unroll
    for (int b = 0; b < 2; b++) {
      if (!has(2 * pair + b)) break;
      const Line& line = line_of[2 * pair + b];
      if (j >= line.samples) continue;
      const float weight = sample_weights[j] * (j + 1 == line.samples ? line.edge : 1.f);
      const float2 turned = conjugate(phase(line, j)), value = line.mirrored ? conjugate(of[b]) : of[b];
      samples_of(slice, 2 * pair + b)[j] = weight * (value * turned);
    }
  }
};

// Views as measured to views filtered.
struct FilterViews : ViewsOf {
  static constexpr bool kForward = true, kBack = true;
  int measured_bins, first_bin;
  const float *response, *ray_weights, *view_weights, *sinograms;
  float* filtered;
  __device__ float2 get(int64_t slice, int pair, int n) const {
    const int k = n - first_bin, a = 2 * pair, b = a + 1;
    if (k < 0 || k >= measured_bins) return {0, 0};
    const float* sinogram = sinograms + slice * views * measured_bins + k;
    return {sinogram[int64_t(line_of[a].view) * measured_bins] * ray_weights[k],
            has(b) ? sinogram[int64_t(line_of[b].view) * measured_bins] * ray_weights[k] : 0.f};
  }
  __device__ float multiply(int f) const { return response[f]; }
  template <typename At>
  __device__ void put(int64_t slice, int pair, int k, const At& at) const {
    const float2 z = at(k);
    const int a = line_of[2 * pair].view, b = has(2 * pair + 1) ? line_of[2 * pair + 1].view : -1;
    float* to = filtered + slice * views * bins + k;
    to[int64_t(a) * bins] = view_weights[a] * z.x;
    if (b >= 0) to[int64_t(b) * bins] = view_weights[b] * z.y;
  }
};

// ---------------------------------------------------------------- lines
struct Lines {
  CellGrid grid;
  int views, most_samples, radius;
  const Line* line_of;
  const float* angles;                        // ascending
  const float *polynomials, *sample_weights;  // [x and y][degree][cell]
  float2* samples;
  __device__ double zero_x() const { return grid.cells_x / 2 + kPad; }
  __device__ double zero_y() const { return kPad; }
};

constexpr int kPolynomials = 2 * (kFourierDegree + 1) * kSpan;

__device__ __forceinline__ void load_polynomials(const Lines& l, float* polynomials) {
  for (int i = int(threadIdx.x + threadIdx.y * blockDim.x); i < kPolynomials; i += int(blockDim.x * blockDim.y))
    polynomials[i] = l.polynomials[i];
  __syncthreads();
}

// Weight of cell i under the kernel.
__device__ __forceinline__ float kernel_weight(const float* polynomials, int direction, int i, float fraction) {
  const float* p = polynomials + direction * (kPolynomials / 2) + i;
  float weight = p[0];
#pragma unroll
  for (int d = 1; d <= kFourierDegree; d++) weight = weight * fraction + p[d * kSpan];
  return weight;
}

template <int S>
__global__ void __launch_bounds__(kThreads) gather_samples(Lines l, int slices) {
  SHARED(float, polynomials, [kPolynomials]);
  load_polynomials(l, polynomials);
  const int j = int(blockIdx.x * kThreads + threadIdx.x), first_slice = int(blockIdx.z) * S;
  for (int v = int(blockIdx.y); v < l.views; v += int(gridDim.y)) {
    const Line& line = l.line_of[v];
    if (j >= line.samples) continue;
    const FourierPlace x = fourier_place(j * line.step_x + l.zero_x()), y = fourier_place(j * line.step_y + l.zero_y());
    float weights_y[kSpan];
#pragma unroll
    for (int c = 0; c < kSpan; c++) weights_y[c] = kernel_weight(polynomials, 1, c, y.fraction);
    float2 sum[S] = {};
    for (int r = 0; r < kSpan; r++) {
      const float weight = kernel_weight(polynomials, 0, r, x.fraction);
      const float2* cells = l.grid.data + first_slice * l.grid.size() + (x.cell + r) * l.grid.stride + y.cell;
#pragma unroll
      for (int s = 0; s < S; s++) {
        if (first_slice + s >= slices) break;
        float2 row = {0, 0};
#pragma unroll
        for (int c = 0; c < kSpan; c++) row = row + weights_y[c] * cells[s * l.grid.size() + c];
        sum[s] = sum[s] + weight * row;
      }
    }
    const float weight = l.sample_weights[j] * (j + 1 == line.samples ? line.edge : 1.f);
    const float2 turned = phase(line, j);
#pragma unroll
    for (int s = 0; s < S; s++) {
      if (first_slice + s >= slices) break;
      const float2 value = weight * (sum[s] * turned);
      l.samples[(int64_t(first_slice + s) * l.views + v) * l.most_samples + j] =
          line.mirrored ? conjugate(value) : value;
    }
  }
}

// First line whose angle is not below.
__device__ __forceinline__ int line_from(const Lines& l, float angle) {
  int low = 0, high = l.views;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (l.angles[middle] < angle)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

constexpr float kReach = 0.5f * kSpan + 0.01f;

// Lines that may come within the kernel's reach of a cell (x, y) from zero.
struct Window {
  int begin, end;
  __device__ Window(const Lines& l, float x, float y) : begin(0), end(l.views) {
    const float away = sqrtf(x * x + y * y), corner = 1.4143f * kReach;
    if (away <= corner) return;
    const float angle = atan2f(y, x) + (x < 0 && y < 0 ? float(kTurn) : 0.f), spread = asinf(corner / away) + 1e-4f;
    begin = line_from(l, angle - spread), end = line_from(l, angle + spread);
  }
};

// add(sample, weight) for the samples of a line that reach cell (row, column); x, y: its distance from zero.
template <typename Add>
__device__ __forceinline__ void each_sample(const Lines& l, const float* polynomials, int v, int row, int column,
                                            float x, float y, const Add& add) {
  const Line& line = l.line_of[v];
  const float per_x = 1 / float(line.step_x), per_y = 1 / float(line.step_y);
  const float a = (x - kReach) * per_x, b = (x + kReach) * per_x, c = (y - kReach) * per_y, d = (y + kReach) * per_y;
  const float low = fmaxf(fmaxf(fminf(a, b), fminf(c, d)) - 0.1f, 0.f);
  const float high = fminf(fminf(fmaxf(a, b), fmaxf(c, d)) + 0.1f, float(line.samples - 1));
  if (!(low <= high)) return;
  for (int j = int(low); j <= int(high); j++) {
    const FourierPlace at_x = fourier_place(j * line.step_x + l.zero_x());
    const FourierPlace at_y = fourier_place(j * line.step_y + l.zero_y());
    const int r = row - at_x.cell, k = column - at_y.cell;
    if (r < 0 || r >= kSpan || k < 0 || k >= kSpan) continue;
    add(j, kernel_weight(polynomials, 0, r, at_x.fraction), kernel_weight(polynomials, 1, k, at_y.fraction));
  }
}

// Cells around zero are summed apart.
__device__ __forceinline__ bool is_middle(const Lines& l, int x, int y) {
  return x >= -l.radius && x <= l.radius && y <= l.radius;
}

constexpr int kTileX = 8, kTileY = 32;

template <int S>
__global__ void __launch_bounds__(kTileX* kTileY) spread_samples(Lines l, int slices) {
  SHARED(float, polynomials, [kPolynomials]);
  load_polynomials(l, polynomials);
  const int row = int(blockIdx.y) * kTileX + int(threadIdx.y), column = int(blockIdx.x) * kTileY + int(threadIdx.x);
  const int first_slice = int(blockIdx.z) * S;
  const int x = row - kPad - l.grid.cells_x / 2, y = column - kPad;
  if (row >= l.grid.rows() || column >= l.grid.stride || is_middle(l, x, y)) return;
  float2 sum[S] = {};
  const Window window(l, float(x), float(y));
  for (int v = window.begin; v < window.end; v++)
    each_sample(l, polynomials, v, row, column, float(x), float(y), [&](int j, float weight_x, float weight_y) {
      const float2* sample = l.samples + (int64_t(first_slice) * l.views + v) * l.most_samples + j;
      for (int s = 0; s < S; s++)
        if (first_slice + s < slices)
          sum[s] = sum[s] + weight_x * (weight_y * sample[int64_t(s) * l.views * l.most_samples]);
    });
  float2* cell = l.grid.data + first_slice * l.grid.size() + row * l.grid.stride + column;
  for (int s = 0; s < S; s++)
    if (first_slice + s < slices) cell[s * l.grid.size()] = sum[s];
}

// A warp per cell around zero.
__global__ void __launch_bounds__(kThreads) spread_middle(Lines l, int slices) {
  SHARED(float, polynomials, [kPolynomials]);
  load_polynomials(l, polynomials);
  const int lane = int(threadIdx.x) % 32, warp = int(blockIdx.x) * (kThreads / 32) + int(threadIdx.x) / 32;
  const int height = l.radius + kPad + 1, x = warp / height - l.radius, y = warp % height - kPad;
  if (x > l.radius) return;  // a whole warp
  const int row = x + kPad + l.grid.cells_x / 2, column = y + kPad;
  const Window window(l, float(x), float(y));
  for (int slice = int(blockIdx.y); slice < slices; slice += int(gridDim.y)) {
    double re = 0, im = 0;
    for (int v = window.begin + lane; v < window.end; v += 32)
      each_sample(l, polynomials, v, row, column, float(x), float(y), [&](int j, float weight_x, float weight_y) {
        const float2 sample = l.samples[(int64_t(slice) * l.views + v) * l.most_samples + j];
        re += weight_x * (weight_y * sample.x), im += weight_x * (weight_y * sample.y);
      });
    re = warp_fold(re, Sum()), im = warp_fold(im, Sum());
    if (lane == 0) l.grid.data[slice * l.grid.size() + row * l.grid.stride + column] = {float(re), float(im)};
  }
}

// ---------------------------------------------------------------- passes
std::vector<Line> lines_of(const FourierPlan& plan) {
  std::vector<Line> lines;
  for (const FourierLine& l : plan.lines)
    lines.push_back({l.step_x, l.step_y, std::atan2(l.phase_im, l.phase_re) / kTurn, l.samples, l.view,
                     plan.edge_weights[size_t(l.view)], l.mirrored});
  return lines;
}
std::vector<float> angles_of(const FourierPlan& plan) {
  std::vector<float> angles;
  for (const FourierLine& l : plan.lines) angles.push_back(float(std::atan2(l.step_y, l.step_x)));
  return angles;
}
std::vector<float> polynomials_of(const FourierPlan& plan) {
  std::vector<float> values;
  for (const auto& degree : plan.kernel_x) values.insert(values.end(), degree, degree + kSpan);
  for (const auto& degree : plan.kernel_y)
    for (int i = 0; i < kSpan; i++) values.push_back(degree[2 * i]);  // there twice each
  return values;
}

// One call: tables on the device, and a grid, half-transformed images and samples for a group of slices.
class Pass {
 public:
  Pass(cudaStream_t stream, const FourierPlan& plan, int64_t slices)
      : stream_(stream),
        plan_(plan),
        transform_x_(stream, plan.transform_x),
        transform_y_(stream, plan.transform_y),
        transform_view_(stream, plan.transform_view),
        line_of_(stream, lines_of(plan)),
        angles_(stream, angles_of(plan)),
        polynomials_(stream, polynomials_of(plan)),
        row_weights_(stream, plan.row_weights),
        column_weights_(stream, plan.column_weights),
        sample_weights_(stream, plan.sample_weights),
        group_(std::min(slices, kGroup)),
        samples_(stream, size_t(group_ * plan.views * plan.most_samples)),
        middle_(stream, size_t(group_ * half() * plan.columns)),
        cells_(stream, size_t(group_ * grid(nullptr).size())) {}

  int64_t group() const { return group_; }

  void project(const float* images, int64_t slices, float* sinograms) {
    fft_lines(stream_, ColumnsForward{columns(half()), images}, transform_y_, slices, "fourier columns");
    fft_lines(stream_, RowsForward{rows(plan_.transform_x.length)}, transform_x_, slices, "fourier rows");
    slices < kSlices ? gather<1>(slices) : gather<kSlices>(slices);
    fft_lines(stream_, ViewsForward{views(plan_.bins), sinograms}, transform_view_, slices, "fourier views");
  }

  void transpose(const float* sinograms, int64_t slices, float* images) {
    fft_lines(stream_, ViewsBackward{views(plan_.most_samples), sinograms, sample_weights_.data()}, transform_view_,
              slices, "fourier views");
    slices < kSlices ? spread<1>(slices) : spread<kSlices>(slices);
    fft_lines(stream_, RowsBackward{rows(plan_.columns)}, transform_x_, slices, "fourier rows");
    fft_lines(stream_, ColumnsBackward{columns(plan_.rows), images}, transform_y_, slices, "fourier columns");
  }

  ViewsOf views(int64_t outputs) {
    return {int((plan_.views + 1) / 2),       int(outputs),       int(plan_.views), int(plan_.bins),
            int(plan_.transform_view.length), plan_.most_samples, line_of_.data(),  samples_.data()};
  }

 private:
  int half() const { return int(plan_.transform_y.length / 2 + 1); }
  CellGrid grid(float2* data) const {
    return {int(plan_.transform_x.length), int(plan_.transform_y.length), half() + 2 * kPad, data};
  }
  ColumnsOf columns(int64_t outputs) {
    return {int((plan_.columns + 1) / 2),  int(outputs),        int(plan_.rows),        int(plan_.columns),
            int(plan_.transform_y.length), row_weights_.data(), column_weights_.data(), middle_.data()};
  }
  RowsOf rows(int64_t outputs) {
    return {half(), int(outputs), int(plan_.columns), grid(cells_.data()), middle_.data()};
  }
  Lines lines() {
    return {grid(cells_.data()),       int(plan_.views),       plan_.most_samples,
            int(middle_radius(plan_)), line_of_.data(),        angles_.data(),
            polynomials_.data(),       sample_weights_.data(), samples_.data()};
  }
  template <int S>
  void gather(int64_t slices) {
    const dim3 blocks(unsigned((plan_.most_samples + kThreads - 1) / kThreads),
                      unsigned(std::min<int64_t>(plan_.views, 65535)), unsigned((slices + S - 1) / S));
    LAUNCH(gather_samples<S>, blocks, kThreads, 0, stream_)(lines(), int(slices));
    check_launch("fourier lines");
  }
  template <int S>
  void spread(int64_t slices) {
    const Lines l = lines();
    const dim3 blocks(unsigned((l.grid.stride + kTileY - 1) / kTileY), unsigned((l.grid.rows() + kTileX - 1) / kTileX),
                      unsigned((slices + S - 1) / S));
    LAUNCH(spread_samples<S>, blocks, dim3(kTileY, kTileX), 0, stream_)(l, int(slices));
    const int warps = (2 * l.radius + 1) * (l.radius + kPad + 1), of_block = kThreads / 32;
    LAUNCH(spread_middle, dim3(unsigned((warps + of_block - 1) / of_block), unsigned(slices)), kThreads, 0, stream_)
    (l, int(slices));
    check_launch("fourier lines");
  }

  cudaStream_t stream_;
  const FourierPlan& plan_;
  FftTables transform_x_, transform_y_, transform_view_;
  Uploaded<Line> line_of_;
  Uploaded<float> angles_, polynomials_, row_weights_, column_weights_, sample_weights_;
  int64_t group_;
  StreamMemory<float2> samples_, middle_, cells_;
};

}  // namespace

void fourier_project(Stream stream, const FourierArgs& args) {
  if (args.slices == 0) return;
  const FourierPlan& plan = args.plan;
  Pass pass(stream, plan, args.slices);
  for (int64_t s = 0; s < args.slices; s += pass.group())
    pass.project(args.input + s * plan.rows * plan.columns, std::min(pass.group(), args.slices - s),
                 args.output + s * plan.views * plan.bins);
}

void fourier_transpose(Stream stream, const FourierArgs& args) {
  if (args.slices == 0) return;
  const FourierPlan& plan = args.plan;
  Pass pass(stream, plan, args.slices);
  const auto each_group = [&](const auto& run) {
    for (int64_t s = 0; s < args.slices; s += pass.group())
      run(args.input + s * plan.views * plan.measured_bins, std::min(pass.group(), args.slices - s),
          args.output + s * plan.rows * plan.columns);
  };
  if (plan.filter.transform.length == 0)
    return each_group(
        [&](const float* sinograms, int64_t slices, float* images) { pass.transpose(sinograms, slices, images); });
  const FourierFilter& filter = plan.filter;
  const FftTables transform(stream, filter.transform);
  Uploaded<float> response(stream, filter.response), rays(stream, filter.ray_weights),
      view_weights(stream, filter.view_weights);
  StreamMemory<float> filtered(stream, size_t(pass.group() * plan.views * plan.bins));
  each_group([&](const float* sinograms, int64_t slices, float* images) {
    const FilterViews views = {pass.views(plan.bins), int(plan.measured_bins), int(plan.first_bin), response.data(),
                               rays.data(),           view_weights.data(),     sinograms,           filtered.data()};
    fft_lines(stream, views, transform, slices, "fourier filter");
    pass.transpose(filtered.data(), slices, images);
  });
}

}  // namespace sino::cuda
