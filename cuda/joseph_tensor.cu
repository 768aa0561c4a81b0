// joseph's projection on CUDA's tensor cores, for batches of 16 slices and more: what neighbouring rays read of a line of pixels, for
// many slices at once, is a product of matrices, weights [ray, pixel] · values [pixel, slice].
//
// A block is 32 bins × 16 views, a warp 8 bins × 8 views of 64 (or 32) slices. A tile of 16 rows is 8 neighbouring rays of two
//   neighbouring views: together they nearly always fit one step of 16 pixels, where 16 rays of one view would see up to 23. The line's
//   window of pixels travels to shared memory by cp.async two lines ahead and serves all 512 rays; the weights, hats
//   1 − |place − pixel|, are made in registers as in backproject_tensor.cu. Rays along rows come first, then those along columns;
//   pixels outside the image are zeros, so no ray asks where the image ends.
// Where a window lies is found without looking at every ray of every line: the smallest of places linear in the line is concave, so
//   the chord between its values at both ends of 32 lines bounds it, and the largest likewise. Places are found in double
//   every 32 lines, between them in float32 relative to a whole pixel.
// A block whose window is wider than 160 pixels (views far apart, bins much wider than pixels) reads the image ray by ray instead.
// Precision as in backproject_tensor.cu. Needs compute capability 8.0 and images of at most 4096 lines; else the float32 kernel.
// Flops and bytes. 512² × 720 views × 729 bins × 64 slices: 15.7 updates of a slice per row of a step (counted), so 32 products per 4096
//   updates as in back-projection; with 9.3 G updates inside the image 300 GFLOP, 0.3 ms at an H200's 989 TFLOP/s, 0.5 ms at what
//   mma.sync is said to reach. From L2 0.185 B per update (counted), 1.7 GB, 0.3 ms at 5.5 TB/s. DRAM: 67 MB to halves and back
//   34, 134 MB of sinograms: 0.06 ms. Never measured.
#include <algorithm>
#include <climits>
#include <cmath>

#include "cuda/device.cuh"
#include "cuda/half_batch.cuh"
#include "cuda/operations.h"
#include "cuda/scanner.cuh"
#include "native/ops/joseph.h"

namespace sino::cuda {

namespace {

constexpr int kBins = 32, kViews = 16, kWarps = 8, kThreads = 32 * kWarps, kRaysOfThread = kBins * kViews / kThreads;
constexpr int kTiles = 4;  // of a warp: its 8 bins in views 2m and 2m + 1
constexpr int kStages = 3, kRun = 32, kMostLines = 4096, kRuns = kMostLines / kRun + 1;
constexpr int kWindow = 160, kStep = 16, kPixels = kWindow + kStep;

struct RayProducts {
  Scanner scanner;
  int64_t slices, bin_tiles;
  const half *high, *low;  // [group, row, column, slice]; low may be null
  const unsigned* largest;
  float* sinograms;
};

enum Direction { along_columns, along_rows, nowhere };
struct BlockRay {
  double start, slope;
  float weight;
  Direction direction;
};

// Bounds of places on a run of lines: both ends of two chords.
struct Chords {
  float low, low_step, high, high_step;
  __device__ __forceinline__ float lowest(int j) const { return low + float(j) * low_step; }
  __device__ __forceinline__ float highest(int j) const { return high + float(j) * high_step; }
};
struct Bounds {
  float low_first = 1e30f, low_last = 1e30f, high_first = -1e30f, high_last = -1e30f;
  __device__ __forceinline__ void take(float first, float last) {
    low_first = fminf(low_first, first), high_first = fmaxf(high_first, first);
    low_last = fminf(low_last, last), high_last = fmaxf(high_last, last);
  }
  __device__ __forceinline__ void fold(int lanes) {
    low_first = fminf(low_first, __shfl_xor_sync(~0u, low_first, lanes));
    low_last = fminf(low_last, __shfl_xor_sync(~0u, low_last, lanes));
    high_first = fmaxf(high_first, __shfl_xor_sync(~0u, high_first, lanes));
    high_last = fmaxf(high_last, __shfl_xor_sync(~0u, high_last, lanes));
  }
  // A hundredth of a pixel for rounding.
  __device__ __forceinline__ Chords chords() const {
    const float steps = kRun - 1;
    return {low_first - 0.01f, (low_last - low_first) / steps, high_first + 0.01f, (high_last - high_first) / steps};
  }
};

// Pixels [first, first + count) of line j of a run, clipped to the image and one pixel around it.
struct Window {
  int first, count;
};
__device__ __forceinline__ Window window_of(const Chords& chords, int j, int64_t pixels) {
  const int first = max(__float2int_rd(fmaxf(chords.lowest(j), -2.f)), -1);
  const int last = min(__float2int_rd(fminf(chords.highest(j), float(pixels))) + 1, int(pixels));
  return {first, max(last - first + 1, 0)};
}

template <int N>
constexpr int kPixelHalves = N + 8;
template <int N, bool Split>
constexpr size_t kStageHalves = size_t(Split ? 2 : 1) * kPixels * kPixelHalves<N>;

template <int N, bool Split>
__device__ __forceinline__ void add_step(const unsigned (&weights)[4], const unsigned (&weights_low)[4],
                                         const half* pixels, float (&sum)[N / 8][4]) {
  const half* row = pixels + (threadIdx.x & 15) * kPixelHalves<N> + (threadIdx.x >> 4) * 8;
#pragma unroll
  for (int n = 0; n < N / 16; n++) {
    unsigned values[4], rest[4] = {};
    ptx::ldmatrix_x4_transposed(values, row + 16 * n);
    if constexpr (Split) ptx::ldmatrix_x4_transposed(rest, row + kPixels * kPixelHalves<N> + 16 * n);
#pragma unroll
    for (int side = 0; side < 2; side++) {
      const unsigned b[2] = {values[2 * side], values[2 * side + 1]};
      float (&total)[4] = sum[2 * n + side];
      if constexpr (Split) {
        const unsigned b_low[2] = {rest[2 * side], rest[2 * side + 1]};
        float part[4] = {};
        ptx::mma_m16n8k16(part, weights_low, b);
        ptx::mma_m16n8k16(part, weights, b_low);
        ptx::mma_m16n8k16(part, weights, b);
#pragma unroll
        for (int i = 0; i < 4; i++) total[i] += part[i];
      } else {
        ptx::mma_m16n8k16(total, weights, b);
      }
    }
  }
}

// The whole block ray by ray, eight slices at a time.
template <int N, bool Split>
__device__ void follow_rays(const RayProducts& job, const BlockRay (&rays)[kViews][kBins],
                            const int (&first)[kRaysOfThread], const int (&last)[kRaysOfThread], int64_t bin0,
                            int64_t view0, float scale) {
  const Scanner& g = job.scanner;
  const int64_t group = blockIdx.y;
  for (int r = 0; r < kRaysOfThread; r++) {
    const int row = int(threadIdx.y) + r * kWarps;
    const int64_t view = view0 + row, bin = bin0 + threadIdx.x;
    if (view >= g.views || bin >= g.bins) continue;
    const BlockRay& ray = rays[row][threadIdx.x];
    const bool by_rows = ray.direction == along_rows;
    const int64_t line_step = by_rows ? g.grid.columns : 1, pixel_step = by_rows ? 1 : g.grid.columns;
    const int64_t pixels = by_rows ? g.grid.columns : g.grid.rows;
    for (int n = 0; n < N; n += 8) {
      float sum[8] = {};
      for (int m = first[r]; m < last[r]; m++) {
        const JosephPlace place = joseph_place(ray.start + m * ray.slope);
        for (int side = 0; side < 2; side++) {
          const int64_t at = place.index - 1 + side;
          if (at < 0 || at >= pixels) continue;
          const float weight = side ? place.fraction : 1 - place.fraction;
          const int64_t from = (group * g.grid.rows * g.grid.columns + m * line_step + at * pixel_step) * N + n;
          for (int s = 0; s < 8; s++)
            sum[s] += weight * (__half2float(job.high[from + s]) + (Split ? __half2float(job.low[from + s]) : 0.f));
        }
      }
      for (int s = 0; s < 8; s++) {
        const int64_t slice = group * N + n + s;
        if (slice < job.slices) job.sinograms[(slice * g.views + view) * g.bins + bin] = scale * ray.weight * sum[s];
      }
    }
  }
}

template <int N, bool Split>
__global__ void __launch_bounds__(kThreads, 1) joseph_products(RayProducts job) {
  DYN_SHARED(half, stages);  // [stage][part][pixel][slice]
  SHARED(BlockRay, rays, [kViews][kBins]);
  SHARED(Chords, runs, [2][kRuns]);
  SHARED(int, spans, [2][2]);
  const Scanner& g = job.scanner;
  const int lane = int(threadIdx.x), warp = int(threadIdx.y), thread = 32 * warp + lane;
  const int64_t bin0 = blockIdx.x % job.bin_tiles * kBins, view0 = blockIdx.x / job.bin_tiles * kViews;
  const int64_t group = blockIdx.y;
  const float scale = 1 / half_scale(*job.largest);

  // the rays, and which lines they cross
  if (thread < 2) spans[thread][0] = INT_MAX, spans[thread][1] = 0;
  __syncthreads();
  int first[kRaysOfThread], last[kRaysOfThread];
  for (int r = 0; r < kRaysOfThread; r++) {
    const int row = warp + r * kWarps;
    const int64_t v = view0 + row, k = bin0 + lane;
    JosephRay ray = {0, 0, 0, 0, 0, true};
    if (v < g.views && k < g.bins)
      ray = joseph_ray(g.grid, ray_at(g.beam, g.sod, g.poses[v], (double(k) - g.centre) * g.pitch));
    const bool crosses = ray.first < ray.last;
    rays[row][lane] = {ray.start, ray.slope, ray.weight,
                       !crosses         ? nowhere
                       : ray.along_rows ? along_rows
                                        : along_columns};
    first[r] = ray.first, last[r] = ray.last;
    if (crosses) {
      atomicMin(&spans[ray.along_rows][0], ray.first);
      atomicMax(&spans[ray.along_rows][1], ray.last);
    }
  }
  __syncthreads();

  // where their windows lie, a warp per run of lines
  bool fits = true;
  for (int d = 0; d < 2; d++) {
    const int begin = spans[d][0], lines = spans[d][1] - begin;  // below zero: none
    for (int run = warp; run * kRun < lines; run += kWarps) {
      const int m0 = begin + run * kRun;
      Bounds bounds;
      for (int row = 0; row < kViews; row++) {
        const BlockRay& ray = rays[row][lane];
        if (ray.direction == d)
          bounds.take(float(ray.start + m0 * ray.slope), float(ray.start + (m0 + kRun - 1) * ray.slope));
      }
      for (int lanes = 16; lanes > 0; lanes /= 2) bounds.fold(lanes);
      const Chords chords = bounds.chords();
      if (lane == 0) runs[d][run] = chords;
      fits = fits && window_of(chords, lane, d == along_rows ? g.grid.columns : g.grid.rows).count <= kWindow;
    }
  }
  if (!__syncthreads_and(fits)) return follow_rays<N, Split>(job, rays, first, last, bin0, view0, scale);

  float sum[kTiles][N / 8][4] = {};
  for (int d = 0; d < 2; d++) {
    const int begin = spans[d][0], lines = spans[d][1] - begin;
    const int64_t pixels = d == along_rows ? g.grid.columns : g.grid.rows;
    const int64_t line_step = d == along_rows ? g.grid.columns : 1, pixel_step = d == along_rows ? 1 : g.grid.columns;
    const int64_t image = group * g.grid.rows * g.grid.columns;
    const auto stage = [&](int line) {
      if (line < lines) {
        const Window window = window_of(runs[d][line / kRun], line % kRun, pixels);
        half* to_line = stages + line % kStages * kStageHalves<N, Split>;
        for (int i = thread; i < (window.count + kStep - 1) * (N / 8); i += kThreads) {
          const int pixel = i / (N / 8), column = i % (N / 8) * 8;
          const int64_t at = int64_t(window.first) + pixel;
          const bool there = pixel < window.count && at >= 0 && at < pixels;
          const int64_t from = there ? (image + (begin + line) * line_step + at * pixel_step) * N + column : 0;
          half* to = to_line + pixel * kPixelHalves<N> + column;
          ptx::cp_async<16>(to, job.high + from, there ? 16 : 0);
          if constexpr (Split) ptx::cp_async<16>(to + kPixels * kPixelHalves<N>, job.low + from, there ? 16 : 0);
        }
      }
      ptx::cp_async_commit();
    };

    // this thread's rays, of bin lane / 4: places on the first line of a run and steps, from each tile's base
    float start[kTiles][2], slope[kTiles][2];
    Chords chords[kTiles];
    int base[kTiles];
    for (int line = 0; line < kStages - 1; line++) stage(line);
    for (int line = 0; line < lines; line++) {
      const int j = line % kRun;
      if (j == 0) {
#pragma unroll
        for (int m = 0; m < kTiles; m++) {
          const BlockRay* mine[2] = {&rays[warp / 4 * 8 + 2 * m][warp % 4 * 8 + lane / 4],
                                     &rays[warp / 4 * 8 + 2 * m + 1][warp % 4 * 8 + lane / 4]};
          const int m0 = begin + line;
          Bounds bounds;
          for (const BlockRay* ray : mine)
            if (ray->direction == d)
              bounds.take(float(ray->start + m0 * ray->slope), float(ray->start + (m0 + kRun - 1) * ray->slope));
          for (int lanes = 16; lanes >= 4; lanes /= 2) bounds.fold(lanes);
          base[m] = bounds.low_first < 1e29f ? __float2int_rd(bounds.low_first) : 0;
          chords[m] = bounds.chords();
          for (int h = 0; h < 2; h++) {
            const bool runs_here = mine[h]->direction == d;
            start[m][h] = runs_here ? float(mine[h]->start + m0 * mine[h]->slope - base[m]) : -1e9f;
            slope[m][h] = runs_here ? float(mine[h]->slope) : 0.f;
          }
        }
      }
      ptx::cp_async_wait<kStages - 2>();
      __syncthreads();  // this line is there for all, and all are done with the one before
      stage(line + kStages - 1);

      const Window window = window_of(runs[d][line / kRun], j, pixels);
      const half* staged = stages + line % kStages * kStageHalves<N, Split>;
#pragma unroll
      for (int m = 0; m < kTiles; m++) {
        const int below = max(__float2int_rd(fmaxf(chords[m].lowest(j), -2.f)), window.first);
        const int above =
            min(__float2int_rd(fminf(chords[m].highest(j), float(pixels))) + 1, window.first + window.count - 1);
        for (int k = below; k <= above; k += kStep) {
          unsigned weights[4], weights_low[4] = {};
#pragma unroll
          for (int h = 0; h < 2; h++)
#pragma unroll
            for (int side = 0; side < 2; side++) {
              const float place = start[m][h] + float(j) * slope[m][h] - float(k - base[m] + 2 * (lane % 4) + 8 * side);
              const float a = __saturatef(1 - fabsf(place)), b = __saturatef(1 - fabsf(place - 1));
              const half2 both = __floats2half2_rn(a, b);
              weights[h + 2 * side] = ptx::pack(__low2half(both), __high2half(both));
              if constexpr (Split) {
                const half2 rest = __floats2half2_rn(a - __low2float(both), b - __high2float(both));
                weights_low[h + 2 * side] = ptx::pack(__low2half(rest), __high2half(rest));
              }
            }
          add_step<N, Split>(weights, weights_low, staged + (k - window.first) * kPixelHalves<N>, sum[m]);
        }
      }
    }
    ptx::cp_async_wait<0>();
    __syncthreads();
  }

#pragma unroll
  for (int m = 0; m < kTiles; m++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int row = warp / 4 * 8 + 2 * m + h, column = warp % 4 * 8 + lane / 4;
      const int64_t view = view0 + row, bin = bin0 + column;
      const float weight = scale * rays[row][column].weight;
#pragma unroll
      for (int n = 0; n < N / 8; n++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
          const int64_t slice = group * N + 8 * n + lane % 4 * 2 + i;
          if (view < g.views && bin < g.bins && slice < job.slices)
            job.sinograms[(slice * g.views + view) * g.bins + bin] = weight * sum[m][n][2 * h + i];
        }
    }
}

template <int N, bool Split>
void run(cudaStream_t stream, const JosephArgs& args) {
  const Geometry& g = args.geometry;
  ScannerOnDevice scanner(stream, g);
  HalfBatch<N> batch(stream, args.input, args.slices, g.grid.pixels(), Split);
  const int64_t bin_tiles = (g.bins + kBins - 1) / kBins, view_tiles = (g.views() + kViews - 1) / kViews;
  const RayProducts job = {scanner.scanner(), args.slices,     bin_tiles,  batch.high(),
                           batch.low(),       batch.largest(), args.output};
  const size_t bytes = kStages * kStageHalves<N, Split> * sizeof(half);
  allow_shared(joseph_products<N, Split>, bytes);
  LAUNCH((joseph_products<N, Split>), dim3(unsigned(bin_tiles * view_tiles), unsigned(batch.groups())),
         dim3(32, kWarps), bytes, stream)
  (job);
  check_launch("joseph_project");
}

// True where most blocks' windows hold what their rays see: neighbouring views close by, bins not much wider than pixels.
bool windows_fit(const Geometry& g) {
  const double pixel = std::min(g.grid.dx, g.grid.dy);
  const double reach = std::hypot(double(g.grid.rows) * g.grid.dy, double(g.grid.columns) * g.grid.dx) / 2;
  const double bin = std::fabs(g.pitch) * (g.beam == Beam::arc ? g.sod : 1);
  double widest = 0;  // angle between the views of a block
  for (int64_t v = 0; v < g.views(); v += kViews)
    for (int64_t w = v + 1; w < std::min(v + kViews, g.views()); w++) {
      const Pose &a = g.poses[size_t(v)], &b = g.poses[size_t(w)];
      widest = std::max(widest, std::fabs(std::atan2(a.ux * b.uy - a.uy * b.ux, a.ux * b.ux + a.uy * b.uy)));
    }
  return (kBins * bin + reach * widest) * std::sqrt(2.0) / pixel + 4 <= kWindow;
}

}  // namespace

void joseph_project(Stream stream, const JosephArgs& args, Precision precision) {
  constexpr int64_t kFewest = 16, kMostGroups = 65535;
  const Geometry& g = args.geometry;
  const bool takes = precision != Precision::single && args.slices >= kFewest && args.slices <= 32 * kMostGroups &&
                     std::max(g.grid.rows, g.grid.columns) <= kMostLines && windows_fit(g) && has_tensor_cores();
  if (!takes) return joseph_project(stream, args);
  if (precision == Precision::split) return run<32, true>(stream, args);
  const int64_t rest = args.slices % 64, wide = rest > 32 ? args.slices : args.slices - rest;
  if (wide > 0) run<64, false>(stream, {g, wide, args.input, args.output});
  if (wide < args.slices)
    run<32, false>(stream, {g, args.slices - wide, args.input + wide * g.grid.pixels(), args.output + wide * g.rays()});
}

}  // namespace sino::cuda
