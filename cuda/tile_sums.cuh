// Sums over views, pixel by pixel: the kernel of backproject and joseph_transpose, which differ in how a pixel reads a view.
//
// A block makes a tile of 32 × 32 pixels of up to 4 slices: a warp is 32 neighbouring columns, a thread makes 4 rows of its column
//   and keeps their sums in registers over all views. For 16 views at a time 16 threads find in double how the view looks from
//   the tile; then all copy the bins that the tile sees (47 where a bin is as wide as a pixel) to shared memory, slices side by
//   side, zeros beyond the detector; then every thread adds its pixels. Neighbouring lanes read neighbouring bins: no
//   bank conflicts. A tile that sees more than 64 bins of a view reads the detector where it lies.
// Few tiles: the views are split over blocks, at least 32 each, and the parts added in order by a second kernel. How many parts
//   there are depends on the sizes alone, so results do not depend on the device.
#pragma once

#include <algorithm>

#include "cuda/seen_tile.cuh"
#include "cuda/sum_parts.cuh"

namespace sino::cuda {

struct TileSums {
  static constexpr int kTile = 32, kThreadRows = 8, kRows = kTile / kThreadRows, kThreads = kTile * kThreadRows;
  static constexpr int kViews = 16, kWindow = 64;
  static constexpr int64_t kBlocksWanted = 1024, kViewsOfPart = 32;
  Scanner scanner;
  int64_t slices, groups, tiles_across, views_of_part;
  const float* sinograms;
  float* images;  // [part, slice, row, column]
};

template <int S>
using Values = Pack<float, S>;

// The bins [begin, end) of a view, counted from its base: from shared memory …
template <int S>
struct Staged {
  const Values<S>* window;
  const RayEdge* edges;
  int begin, end;
  __device__ __forceinline__ unsigned place(int k, int pair) const {
    return min(unsigned(k - begin), unsigned(end - begin - pair));
  }
  __device__ __forceinline__ void pair(int k, Values<S>& low, Values<S>& high) const {
    const unsigned i = place(k, 2);
    low = window[i], high = window[i + 1];
  }
  __device__ __forceinline__ Values<S> value(int k) const { return window[place(k, 1)]; }
  __device__ __forceinline__ RayEdge edge(int k) const { return edges[place(k, 1)]; }
};
// … or as they lie.
template <int S>
struct Unstaged {
  const Scanner& scanner;
  const float* view;
  Pose pose;
  int base, slices, begin, end;
  __device__ __forceinline__ Values<S> value(int k) const {
    Values<S> found = {};
    for (int s = 0; s < S; s++)
      if (s < slices && k >= begin && k < end)
        found.value[s] = view[s * scanner.views * scanner.bins + int64_t(base) + k];
    return found;
  }
  __device__ __forceinline__ void pair(int k, Values<S>& low, Values<S>& high) const {
    low = value(k), high = value(k + 1);
  }
  __device__ __forceinline__ RayEdge edge(int k) const { return ray_edge(scanner, pose, base, k); }
};

// Sampling: kNeighbours, how many pixels further a pixel looks for bins; kEdges, whether it wants those; and
//   add<B>(a, b, detector, bins, sum), which adds what a view has for the pixel at (a, b).
template <typename Sampling, Beam B, int S>
__global__ void __launch_bounds__(TileSums::kThreads, 2) tile_sums_kernel(TileSums job) {
  constexpr int kTile = TileSums::kTile, kRows = TileSums::kRows, kViews = TileSums::kViews;
  constexpr int kWindow = TileSums::kWindow, kThreadRows = TileSums::kThreadRows;
  SHARED(SeenTile, seen, [kViews]);
  SHARED(Values<S>, windows, [kViews][kWindow]);
  SHARED(RayEdge, edges, [Sampling::kEdges ? kViews : 1][kWindow]);
  const Scanner& g = job.scanner;
  const int64_t row0 = blockIdx.x / job.tiles_across * kTile, column0 = blockIdx.x % job.tiles_across * kTile;
  const int rows = int(min(int64_t(kTile), g.grid.rows - row0));
  const int columns = int(min(int64_t(kTile), g.grid.columns - column0));
  const int64_t begin = blockIdx.z * job.views_of_part, end = min(begin + job.views_of_part, g.views);
  const int64_t rays = g.views * g.bins;
  const int thread = int(threadIdx.y * kTile + threadIdx.x);
  const Detector detector(g);
  for (int64_t group = blockIdx.y; group < job.groups; group += gridDim.y) {
    const int slices = int(min(int64_t(S), job.slices - group * S));
    const float* sinograms = job.sinograms + group * S * rays;
    float sum[kRows][S] = {};
    for (int64_t v0 = begin; v0 < end; v0 += kViews) {
      const int views = int(min(int64_t(kViews), end - v0));
      __syncthreads();  // everybody is done with the last views
      if (thread < views)
        seen[thread] = see_tile<B>(g, v0 + thread, row0, column0, rows, columns, Sampling::kNeighbours);
      __syncthreads();
      bool fits = true;
      for (int v = 0; v < views; v++) fits = fits && seen[v].count <= kWindow;
      for (int v = int(threadIdx.y); fits && v < views; v += kThreadRows)
        for (int i = int(threadIdx.x); i < seen[v].count; i += kTile) {
          const int64_t k = int64_t(seen[v].first) + i;
          const bool inside = k >= 0 && k < g.bins;
          for (int s = 0; s < S; s++) {
            const bool there = inside && s < slices;
            const float* from = there ? sinograms + s * rays + (v0 + v) * g.bins + k : sinograms;
            ptx::cp_async<4>(&windows[v][i].value[s], from, there ? 4 : 0);
          }
          if constexpr (Sampling::kEdges)
            edges[v][i] = ray_edge(g, g.poses[v0 + v], seen[v].view.base, int(k - seen[v].view.base));
        }
      ptx::cp_async_commit();
      ptx::cp_async_wait<0>();
      __syncthreads();
      for (int v = 0; v < views; v++) {
        const TileView view = seen[v].view;
        const float column = float(threadIdx.x), row = float(threadIdx.y);
        float a = view.a0 + row * view.ar + column * view.ac, b = view.b0 + row * view.br + column * view.bc;
        const auto add = [&](const auto& bins) {
#pragma unroll
          for (int p = 0; p < kRows; p++, a += kThreadRows * view.ar, b += kThreadRows * view.br)
            Sampling::template add<B>(a, b, detector, bins, sum[p]);
        };
        const int first = seen[v].first - view.base;
        if (fits)
          add(Staged<S>{windows[v], edges[Sampling::kEdges ? v : 0], first, first + seen[v].count});
        else
          add(Unstaged<S>{g, sinograms + (v0 + v) * g.bins, g.poses[v0 + v], view.base, slices, -view.base,
                          int(g.bins) - view.base});
      }
    }
    const int64_t column = column0 + threadIdx.x;
#pragma unroll
    for (int p = 0; p < kRows; p++) {
      const int64_t row = row0 + threadIdx.y + p * kThreadRows;
      for (int s = 0; s < slices; s++)
        if (row < g.grid.rows && column < g.grid.columns)
          job.images[((blockIdx.z * job.slices + group * S + s) * g.grid.rows + row) * g.grid.columns + column] =
              sum[p][s];
    }
  }
}

template <typename Sampling, int S>
void tile_sums_of(cudaStream_t stream, const Geometry& g, int64_t slices, const float* sinograms, float* images) {
  const auto pieces = [](int64_t n, int64_t size) { return (n + size - 1) / size; };
  const int64_t across = pieces(g.grid.columns, TileSums::kTile);
  const int64_t tiles = across * pieces(g.grid.rows, TileSums::kTile);
  const int64_t groups = pieces(slices, S), pixels = slices * g.grid.pixels();
  const int64_t parts_wanted =
      std::min(pieces(TileSums::kBlocksWanted, tiles * groups), pieces(g.views(), TileSums::kViewsOfPart));
  const int64_t views_of_part = pieces(pieces(g.views(), parts_wanted), TileSums::kViews) * TileSums::kViews;
  const int64_t parts = pieces(g.views(), views_of_part);

  ScannerOnDevice scanner(stream, g);
  StreamMemory<float> partial(stream, parts > 1 ? size_t(parts * pixels) : 1);
  const TileSums job = {
      scanner.scanner(), slices, groups, across, views_of_part, sinograms, parts > 1 ? partial.data() : images};
  const dim3 grid(unsigned(tiles), unsigned(std::min<int64_t>(groups, 65535)), unsigned(parts));
  for_beam(g.beam, [&](auto beam) {
    LAUNCH((tile_sums_kernel<Sampling, decltype(beam)::value, S>), grid, dim3(TileSums::kTile, TileSums::kThreadRows),
           0, stream)(job);
  });
  check_launch(Sampling::kName);
  if (parts > 1) sum_parts(stream, partial.data(), parts, pixels, images);
}

template <typename Sampling>
void tile_sums(cudaStream_t stream, const Geometry& g, int64_t slices, const float* sinograms, float* images) {
  if (slices == 0) return;
  if (slices == 1) return tile_sums_of<Sampling, 1>(stream, g, slices, sinograms, images);
  return slices == 2 ? tile_sums_of<Sampling, 2>(stream, g, slices, sinograms, images)
                     : tile_sums_of<Sampling, 4>(stream, g, slices, sinograms, images);
}

}  // namespace sino::cuda
