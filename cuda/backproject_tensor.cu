// backproject on CUDA's tensor cores, for batches of 16 slices and more: what 64 pixels read of a view, for many slices at once, is a
// product of matrices, weights [pixel, bin] · values [bin, slice].
//
// A warp makes 8 × 8 pixels of 64 (or 32) slices, 64 rows of the product; its sums stay in registers over all views. 8 × 8 pixels see
//   about 12 bins where a bin is as wide as a pixel: one step of 16 bins per view; where they see more, more steps. The weights,
//   hats 1 − |place − bin| times the fan's weight, are made where the tensor core wants them: every thread finds the places of 8
//   pixels and makes 4 weights of each, for its columns of the fragment. place − bin is taken in float32 and only then
//   rounded to half. A block is 4 × 2 warps, 32 × 16 pixels; the bins that it sees of the next two views travel to shared
//   memory by cp.async while it works on this one (three buffers; rows padded by 16 bytes, so ldmatrix meets no bank conflicts).
//   Once every 32 views the first warp looks at the next 32 (TileView, in double).
// Precision. `half`: weights and values in half, 11 bits: 5e-5 of relative L2 error on the Shepp–Logan phantom, and the tensor core
//   cuts off what its float32 sums cannot hold, up to 4e-5 after 720 views. `split`: weights and values in two halves each, three
//   products, and each view's product is added outside of the tensor core, rounded to nearest: float32 but for places. H. Ootomo,
//   R. Yokota, IJHPCA 36(4), 2022. A value that is not finite spreads over the bins of its step.
// Needs compute capability 8.0, and a tile that sees at most 123 bins; else backproject takes the float32 kernel.
// Bytes and flops. 512² × 720 views × 64 slices, 12.1 G updates: 32 products of 16 × 8 × 16 per 4096 updates, 387 GFLOP: 0.39 ms at an
//   H200's 989 TFLOP/s, 0.6 ms at what mma.sync is said to reach of it; about 200 other instructions per 32 products, 0.6 ms
//   of issue slots, partly beside them. From L2 37 · 128 B per 512 · 64 updates: 0.15 B each, 1.75 GB. DRAM: 134 MB to halves
//   and back 67, 67 of images: 0.08 ms. Never measured.
#include <algorithm>
#include <cmath>

#include "cuda/device.cuh"
#include "cuda/half_batch.cuh"
#include "cuda/operations.h"
#include "cuda/seen_tile.cuh"
#include "native/ops/backproject.h"

namespace sino::cuda {

namespace {

constexpr int kRows = 16, kColumns = 32, kWarps = 8, kPatch = 8, kThreads = 32 * kWarps;
constexpr int kStages = 3, kLooks = 32, kWindow = 128, kStep = 16, kLines = kWindow + kStep;

struct TensorTiles {
  Scanner scanner;
  int64_t slices, tiles_across;
  const half *high, *low;  // [group, view, bin, slice]
  const unsigned* largest;
  float weight_scale;  // the largest weight of FBP, a power of four
  float* images;
};

template <int N>
constexpr int kLineHalves = N + 8;
template <int N, bool Split>
constexpr size_t kStageHalves = size_t(Split ? 2 : 1) * kLines * kLineHalves<N>;

// One thread's places of 8 pixels, pixel rows 0 to 7 of its column, and their weights.
struct Spots {
  float place[kPatch], weight[kPatch];
};

// Fragments of the weights for 16 bins, `place` counted from this thread's first: pixel rows 2m and 2m + 1 are rows g and g + 8 of tile m.
template <bool Split>
struct Weights {
  unsigned high[4][4], low[Split ? 4 : 1][4];
  __device__ __forceinline__ explicit Weights(const Spots& spots, float first) {
#pragma unroll
    for (int row = 0; row < kPatch; row++)
#pragma unroll
      for (int side = 0; side < 2; side++) {
        const float place = spots.place[row] - first - 8 * side;
        const float a = spots.weight[row] * __saturatef(1 - fabsf(place));
        const float b = spots.weight[row] * __saturatef(1 - fabsf(place - 1));
        const half2 both = __floats2half2_rn(a, b);
        high[row / 2][row % 2 + 2 * side] = ptx::pack(__low2half(both), __high2half(both));
        if constexpr (Split) {
          const half2 rest = __floats2half2_rn(a - __low2float(both), b - __high2float(both));
          low[row / 2][row % 2 + 2 * side] = ptx::pack(__low2half(rest), __high2half(rest));
        }
      }
  }
};

template <int N, bool Split>
__device__ __forceinline__ void add_step(const Weights<Split>& weights, const half* lines, float (&sum)[4][N / 8][4]) {
  // lane i gives line i % 16, columns 0 or 8
  const half* row = lines + (threadIdx.x & 15) * kLineHalves<N> + (threadIdx.x >> 4) * 8;
#pragma unroll
  for (int n = 0; n < N / 16; n++) {
    unsigned values[4];
    ptx::ldmatrix_x4_transposed(values, row + 16 * n);
    unsigned rest[4] = {};
    if constexpr (Split) ptx::ldmatrix_x4_transposed(rest, row + kLines * kLineHalves<N> + 16 * n);
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
      for (int side = 0; side < 2; side++) {
        const unsigned b[2] = {values[2 * side], values[2 * side + 1]};
        float (&total)[4] = sum[m][2 * n + side];
        if constexpr (Split) {
          const unsigned b_low[2] = {rest[2 * side], rest[2 * side + 1]};
          float part[4] = {};
          ptx::mma_m16n8k16(part, weights.low[m], b);
          ptx::mma_m16n8k16(part, weights.high[m], b_low);
          ptx::mma_m16n8k16(part, weights.high[m], b);
#pragma unroll
          for (int i = 0; i < 4; i++) total[i] += part[i];
        } else {
          ptx::mma_m16n8k16(total, weights.high[m], b);
        }
      }
  }
}

template <Beam B, int N, bool Split>
__global__ void __launch_bounds__(kThreads, 1) backproject_products(TensorTiles job) {
  DYN_SHARED(half, stages);  // [stage][part][line][slice]
  SHARED(SeenTile, seen, [2][kLooks]);
  const Scanner& g = job.scanner;
  const int lane = int(threadIdx.x), warp = int(threadIdx.y), thread = 32 * warp + lane;
  const int64_t row0 = blockIdx.x / job.tiles_across * kRows, column0 = blockIdx.x % job.tiles_across * kColumns;
  const int rows = int(min(int64_t(kRows), g.grid.rows - row0));
  const int columns = int(min(int64_t(kColumns), g.grid.columns - column0));
  const int patch_row = warp / 4 * kPatch, patch_column = warp % 4 * kPatch;
  const bool works = patch_row < rows && patch_column < columns;
  const int64_t group = blockIdx.y;
  Detector detector(g);
  detector.sod *= rsqrtf(job.weight_scale);

  const auto look = [&](int64_t first) {  // by one warp
    if (first + lane < g.views)
      seen[first / kLooks % 2][lane] = see_tile<B>(g, first + lane, row0, column0, rows, columns);
  };
  const auto stage = [&](int64_t v) {
    if (v < g.views) {
      const SeenTile& s = seen[v / kLooks % 2][v % kLooks];
      const int count = min(s.count, kWindow), pieces = (count + kStep - 1) * (N / 8);
      half* lines = stages + v % kStages * kStageHalves<N, Split>;
      for (int i = thread; i < pieces; i += kThreads) {
        const int line = i / (N / 8), column = i % (N / 8) * 8;
        const int64_t k = int64_t(s.first) + line;
        const bool there = line < count && k >= 0 && k < g.bins;
        const int64_t from = there ? ((group * g.views + v) * g.bins + k) * N + column : 0;
        half* to = lines + line * kLineHalves<N> + column;
        ptx::cp_async<16>(to, job.high + from, there ? 16 : 0);
        if constexpr (Split) ptx::cp_async<16>(to + kLines * kLineHalves<N>, job.low + from, there ? 16 : 0);
      }
    }
    ptx::cp_async_commit();
  };

  float sum[4][N / 8][4] = {};
  if (warp == 0) look(0);
  __syncthreads();
  for (int v = 0; v < kStages - 1; v++) stage(v);
  for (int64_t v = 0; v < g.views; v++) {
    ptx::cp_async_wait<kStages - 2>();
    __syncthreads();  // this view is there for all, and all are done with the one before
    if (v % kLooks == 0 && warp == 0) look(v + kLooks);
    stage(v + kStages - 1);
    if (!works) continue;

    const SeenTile s = seen[v / kLooks % 2][v % kLooks];
    const auto spot = [&](int row, int column) {
      const float r = float(patch_row + row), c = float(patch_column + column);
      return detector.template spot<B>(s.view.a0 + r * s.view.ar + c * s.view.ac,
                                       s.view.b0 + r * s.view.br + c * s.view.bc);
    };
    // the bins under the patch, from its corners
    float low =
        spot(lane & 1 ? min(kPatch, rows - patch_row) - 1 : 0, lane & 2 ? min(kPatch, columns - patch_column) - 1 : 0)
            .place;
    float high = low;
#pragma unroll
    for (int lanes = 1; lanes <= 2; lanes *= 2) {
      low = fminf(low, __shfl_xor_sync(~0u, low, lanes));
      high = fmaxf(high, __shfl_xor_sync(~0u, high, lanes));
    }
    const int shift = s.view.base - s.first, below = __float2int_rd(low), above = __float2int_rd(high) + 1;
    Spots spots;
#pragma unroll
    for (int row = 0; row < kPatch; row++) {
      const Spot found = spot(row, lane / 4);
      spots.place[row] = found.place - float(2 * (lane % 4)), spots.weight[row] = found.weight;
    }
    const half* lines = stages + v % kStages * kStageHalves<N, Split>;
    for (int k = below; k <= above; k += kStep) {
      const int line = k + shift;
      if (line < 0 || line + kStep > min(s.count, kWindow) + kStep - 1)
        break;  // not where the window was found as it should be
      add_step<N, Split>(Weights<Split>(spots, float(k)), lines + line * kLineHalves<N>, sum);
    }
  }

  const float scale = job.weight_scale / half_scale(*job.largest);
  const int64_t column = column0 + patch_column + lane / 4;
#pragma unroll
  for (int m = 0; m < 4; m++)
#pragma unroll
    for (int n = 0; n < N / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int64_t row = row0 + patch_row + 2 * m + i / 2, slice = group * N + 8 * n + lane % 4 * 2 + i % 2;
        if (row < g.grid.rows && column < g.grid.columns && slice < job.slices)
          job.images[(slice * g.grid.rows + row) * g.grid.columns + column] = scale * sum[m][n][i];
      }
}

// Bounds over the image: bins that a tile of these sides sees, and the weight of a pixel near the source.
struct Bounds {
  double bins = 0, weight = 1;
};
Bounds bounds_of(const Geometry& g) {
  const double width = (kColumns - 1) * g.grid.dx, height = (kRows - 1) * g.grid.dy, pitch = std::fabs(g.pitch);
  Bounds bounds;
  if (g.beam == Beam::parallel) {
    for (const Pose& pose : g.poses)
      bounds.bins = std::max(bounds.bins, (width * std::fabs(pose.ux) + height * std::fabs(pose.uy)) / pitch);
    return bounds;
  }
  double reach = 0;
  for (double r : {0.0, double(g.grid.rows - 1)})
    for (double c : {0.0, double(g.grid.columns - 1)})
      reach = std::max(reach, std::hypot(g.grid.x0 + c * g.grid.dx, g.grid.y0 - r * g.grid.dy));
  const double nearest = g.sod - reach, sine = reach / g.sod;  // distance from the source; the widest fan angle's
  const double per_mm = g.beam == Beam::arc ? 1 / nearest : g.sod / (nearest * (1 - sine * sine));
  bounds.bins = std::hypot(width, height) * per_mm / pitch;
  bounds.weight = g.sod / nearest * (g.sod / nearest);
  return bounds;
}

template <int N, bool Split>
void run(cudaStream_t stream, const BackprojectArgs& args, const Bounds& bounds) {
  const Geometry& g = args.geometry;
  const auto pieces = [](int64_t n, int64_t size) { return (n + size - 1) / size; };
  ScannerOnDevice scanner(stream, g);
  HalfBatch<N> batch(stream, args.sinograms, args.slices, g.rays(), Split);
  const int64_t across = pieces(g.grid.columns, kColumns);
  const float weight_scale = float(std::pow(4.0, std::ceil(std::log2(bounds.weight) / 2)));
  const TensorTiles job = {scanner.scanner(), args.slices,     across,       batch.high(),
                           batch.low(),       batch.largest(), weight_scale, args.images};
  const dim3 grid(unsigned(across * pieces(g.grid.rows, kRows)), unsigned(batch.groups()));
  const size_t bytes = kStages * kStageHalves<N, Split> * sizeof(half);
  for_beam(g.beam, [&](auto beam) {
    constexpr Beam kBeam = decltype(beam)::value;
    allow_shared(backproject_products<kBeam, N, Split>, bytes);
    LAUNCH((backproject_products<kBeam, N, Split>), grid, dim3(32, kWarps), bytes, stream)(job);
  });
  check_launch("backproject");
}

}  // namespace

void backproject(Stream stream, const BackprojectArgs& args, Precision precision) {
  constexpr int64_t kFewest = 16, kMostGroups = 65535;
  const Geometry& g = args.geometry;
  const Bounds bounds = bounds_of(g);
  const bool takes = precision != Precision::single && args.slices >= kFewest && args.slices <= 32 * kMostGroups &&
                     bounds.bins + 5 <= kWindow && bounds.weight < 1e6 && has_tensor_cores();
  if (!takes) return backproject(stream, args);
  if (precision == Precision::split) return run<32, true>(stream, args, bounds);
  const int64_t rest = args.slices % 64, wide = rest > 32 ? args.slices : args.slices - rest;
  if (wide > 0) run<64, false>(stream, {g, wide, args.sinograms, args.images}, bounds);
  if (wide < args.slices)
    run<32, false>(stream,
                   {g, args.slices - wide, args.sinograms + wide * g.rays(), args.images + wide * g.grid.pixels()},
                   bounds);
}

}  // namespace sino::cuda
