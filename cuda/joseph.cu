// joseph on CUDA in float32: a thread follows one ray through up to 4 slices, for batches of any size and every geometry.
//
// A first kernel writes the image out twice, by rows and by columns, slices side by side and two zeros at either end of a line, so that
//   rays along rows and along columns read alike and no ray asks where the image ends. Then a block is 32 neighbouring bins × 8 views,
//   a warp the 32 bins. A warp's rays cross the same line at the same time and read 22 to 46 pixels in a row of it; the block's other
//   warps read almost the same ones, so all but the first find them in L1. Places are found in double every 32 lines, between
//   them in float32 relative to a whole pixel.
// Lines are read through L1, not staged in shared memory: rays of any geometry and any angles read them this way, and what staging
//   would save is L1's look-up of 5 or 6 cache lines for 4 of shared memory. Batches go through joseph_tensor.
// Bytes. From L1 8 per update and slice: 512² × 720 views × 729 bins × 64 slices are 12.1 G updates, 3.3 ms at an H200's 29.6 TB/s, its
//   floor. From DRAM the images once, their copies twice written and read, the sinograms once: 0.5 GB, 0.12 ms. FP32: about 8
//   instructions to find the place, shared by the slices, and 2 per slice. One slice: 2052 blocks, 51 µs. Never measured.
// Agrees with the CPU within the rounding of places, 2e-6 of a pixel, and of float32 sums.
#include "native/ops/joseph.h"

#include <algorithm>
#include <climits>

#include "cuda/operations.h"
#include "cuda/scanner.cuh"

namespace sino::cuda {

namespace {

constexpr int kBins = 32, kViews = 8, kLines = 32, kPad = 2;

template <int S>
using Values = Pack<float, S>;
struct Minimum {
  __device__ int operator()(int a, int b) const { return min(a, b); }
};
struct Maximum {
  __device__ int operator()(int a, int b) const { return max(a, b); }
};

// The image by rows and by columns: [group, line, kPad + pixel + kPad], S slices a pixel.
template <int S>
struct Lines {
  int64_t slices, groups, rows, columns;
  Values<S>*by_rows, *by_columns;
  __host__ __device__ int64_t row_stride() const { return columns + 2 * kPad; }
  __host__ __device__ int64_t column_stride() const { return rows + 2 * kPad; }
};

constexpr int kSquare = 32, kSquareRows = 8;

template <int S>
__global__ void __launch_bounds__(kSquare* kSquareRows) write_lines(Lines<S> lines, const float* images) {
  SHARED(Values<S>, square, [kSquare][kSquare + 1]);
  const int64_t r0 = int64_t(blockIdx.y) * kSquare - kPad, c0 = int64_t(blockIdx.x) * kSquare - kPad;
  for (int64_t group = blockIdx.z; group < lines.groups; group += gridDim.z) {
    for (int y = int(threadIdx.y); y < kSquare; y += kSquareRows) {
      const int64_t r = r0 + y, c = c0 + threadIdx.x;
      const bool row_there = r >= 0 && r < lines.rows, inside = row_there && c >= 0 && c < lines.columns;
      Values<S> pixel;
      for (int s = 0; s < S; s++) {
        const int64_t slice = group * S + s;
        pixel.value[s] = inside && slice < lines.slices ? images[(slice * lines.rows + r) * lines.columns + c] : 0.f;
      }
      if (row_there && c < lines.columns + kPad)
        lines.by_rows[(group * lines.rows + r) * lines.row_stride() + c + kPad] = pixel;
      square[y][threadIdx.x] = pixel;
    }
    __syncthreads();
    for (int x = int(threadIdx.y); x < kSquare; x += kSquareRows) {
      const int64_t r = r0 + threadIdx.x, c = c0 + x;
      if (c >= 0 && c < lines.columns && r < lines.rows + kPad)
        lines.by_columns[(group * lines.columns + c) * lines.column_stride() + r + kPad] = square[threadIdx.x][x];
    }
    __syncthreads();
  }
}

template <int S>
__global__ void __launch_bounds__(kBins* kViews)
    joseph_rays(Scanner g, Lines<S> lines, int64_t bin_tiles, float* sinograms) {
  const int64_t k = blockIdx.x % bin_tiles * kBins + threadIdx.x;
  const int64_t v = blockIdx.x / bin_tiles * kViews + threadIdx.y;
  const bool there = k < g.bins && v < g.views;
  JosephRay ray = {0, 0, 0, 0, 0, true};
  if (there) ray = joseph_ray(g.grid, ray_at(g.beam, g.sod, g.poses[v], (double(k) - g.centre) * g.pitch));
  const bool crosses = ray.first < ray.last;
  const int first = warp_fold(crosses ? ray.first : INT_MAX, Minimum());
  const int last = warp_fold(crosses ? ray.last : 0, Maximum());
  const int64_t stride = ray.along_rows ? lines.row_stride() : lines.column_stride();
  const int64_t image = stride * (ray.along_rows ? lines.rows : lines.columns);
  const float slope = float(ray.slope);
  for (int64_t group = blockIdx.y; group < lines.groups; group += gridDim.y) {
    const Values<S>* line = (ray.along_rows ? lines.by_rows : lines.by_columns) + group * image + kPad + first * stride;
    float sum[S] = {};
    for (int m0 = first; m0 < last; m0 += kLines) {
      const double place = ray.start + m0 * ray.slope, whole = floor(place);
      const float start = float(place - whole);
      const int64_t base = int64_t(whole);
      const int count = min(kLines, last - m0);
#pragma unroll 4
      for (int j = 0; j < count; j++, line += stride)
        if (m0 + j >= ray.first && m0 + j < ray.last) {
          const float s = start + float(j) * slope, below = floorf(s), high_weight = s - below;
          const float low_weight = 1 - high_weight;
          const Values<S>* pixel = line + base + __float2int_rd(below);
          const Values<S> low = pixel[0], high = pixel[1];
          for (int i = 0; i < S; i++) sum[i] += low_weight * low.value[i] + high_weight * high.value[i];
        }
    }
    for (int s = 0; s < S; s++) {
      const int64_t slice = group * S + s;
      if (there && slice < lines.slices) sinograms[(slice * g.views + v) * g.bins + k] = ray.weight * sum[s];
    }
  }
}

template <int S>
void project(cudaStream_t stream, const JosephArgs& args) {
  const Geometry& g = args.geometry;
  const auto pieces = [](int64_t n, int64_t size) { return (n + size - 1) / size; };
  const int64_t groups = pieces(args.slices, S), rows = g.grid.rows, columns = g.grid.columns;
  ScannerOnDevice scanner(stream, g);
  StreamMemory<Values<S>> by_rows(stream, size_t(groups * rows * (columns + 2 * kPad)));
  StreamMemory<Values<S>> by_columns(stream, size_t(groups * columns * (rows + 2 * kPad)));
  const Lines<S> lines = {args.slices, groups, rows, columns, by_rows.data(), by_columns.data()};
  const unsigned groups_at_once = unsigned(std::min<int64_t>(groups, 65535));
  const dim3 squares(unsigned(pieces(columns + 2 * kPad, kSquare)), unsigned(pieces(rows + 2 * kPad, kSquare)),
                     groups_at_once);
  LAUNCH(write_lines<S>, squares, dim3(kSquare, kSquareRows), 0, stream)(lines, args.input);
  check_launch("joseph_project");
  const int64_t bin_tiles = pieces(g.bins, kBins), tiles = bin_tiles * pieces(g.views(), kViews);
  LAUNCH(joseph_rays<S>, dim3(unsigned(tiles), groups_at_once), dim3(kBins, kViews), 0, stream)
  (scanner.scanner(), lines, bin_tiles, args.output);
  check_launch("joseph_project");
}

}  // namespace

void joseph_project(Stream stream, const JosephArgs& args) {
  if (args.slices == 0) return;
  if (args.slices == 1) return project<1>(stream, args);
  return args.slices == 2 ? project<2>(stream, args) : project<4>(stream, args);
}

}  // namespace sino::cuda
