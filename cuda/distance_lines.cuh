// What distance and morphology share on CUDA: distances along the columns, then, line by line, the nearest of the parabolas (or cones)
// that stand on a line's features.
//
// Columns. A thread makes one bit per pixel of a strip of 32 rows; with the strips of a column side by side in shared memory, the
//   nearest feature up and down of every row is a leading or a trailing bit. 1 byte read and 4 written per pixel.
// Lines. A warp per line. q(x), the leftmost of the vertices nearest to x, never falls as x grows (the heights are a Monge array), so
//   q(x) of a middle x halves what is left to look at for the others: first the middle of the line, by all lanes together, then the
//   quarters, by half of the lanes each, … from 32 points on a lane each. A level looks at no more than all vertices and one per
//   point: log₂(length) levels, whatever the distances are. Exact, without a division, and the indices are what it works with.
//   A. Aggarwal, M. Klawe, S. Moran, P. Shor, R. Wilber, "Geometric applications of a matrix-searching algorithm", 1987.
//   4 bytes per pixel and pass are read and written.
#pragma once

#include <algorithm>
#include <cmath>

#include "cuda/check.cuh"
#include "native/ops/distance.h"

namespace sino::cuda {

constexpr int kStrip = 32;  // rows of one word
constexpr int64_t kLineSharedBytes = 48 << 10;

struct ColumnCounts {
  int64_t slices, rows, columns;
  const uint8_t* mask;
  float* counts;
};

// counts = rows to the nearest feature of the same column, infinite where there is none; features are the pixels that are zero, or
// (kSet) those that are not. Blocks of (columns, strips).
template <bool kSet>
__global__ void __launch_bounds__(512) column_counts(ColumnCounts a) {
  DYN_SHARED(unsigned, words);  // [strip][column of the block]
  const int width = blockDim.x, strips = int((a.rows + kStrip - 1) / kStrip);
  const int64_t x = int64_t(blockIdx.x) * width + threadIdx.x;
  for (int64_t slice = blockIdx.y; slice < a.slices; slice += gridDim.y) {
    const int64_t plane = slice * a.rows * a.columns;
    for (int s = threadIdx.y; s < strips; s += blockDim.y) {
      unsigned word = 0;
      const int rows = int(min(a.rows - int64_t(s) * kStrip, int64_t(kStrip)));
      if (x < a.columns)
        for (int r = 0; r < rows; r++)
          word |= unsigned((a.mask[plane + (int64_t(s) * kStrip + r) * a.columns + x] != 0) == kSet) << r;
      words[s * width + threadIdx.x] = word;
    }
    __syncthreads();
    for (int s = threadIdx.y; s < strips && x < a.columns; s += blockDim.y) {
      const int none = int(2 * a.rows);  // further than any
      int above = s - 1, below = s + 1;
      while (above >= 0 && words[above * width + threadIdx.x] == 0) above--;
      while (below < strips && words[below * width + threadIdx.x] == 0) below++;
      // rows from the strip's first one up, from its last one down
      const int up = above < 0 ? none : (s - above - 1) * kStrip + __clz(int(words[above * width + threadIdx.x])) + 1;
      const int down =
          below >= strips ? none : (below - s - 1) * kStrip + __ffs(int(words[below * width + threadIdx.x]));
      const unsigned word = words[s * width + threadIdx.x];
      const int rows = int(min(a.rows - int64_t(s) * kStrip, int64_t(kStrip)));
      for (int r = 0; r < rows; r++) {
        const unsigned before = word << (31 - r), after = word >> r;
        const int nearest =
            min(before ? __clz(int(before)) : r + up, after ? __ffs(int(after)) - 1 : kStrip - 1 - r + down);
        a.counts[plane + (int64_t(s) * kStrip + r) * a.columns + x] = nearest < a.rows ? float(nearest) : INFINITY;
      }
    }
    __syncthreads();
  }
}

template <bool kSet>
void count_columns(cudaStream_t stream, const ColumnCounts& args) {
  const int64_t strips = (args.rows + kStrip - 1) / kStrip;
  int64_t width = 32;
  while (width > 1 && strips * width * 4 > kLineSharedBytes) width /= 2;
  require(strips * width * 4 <= kLineSharedBytes, Code::unsupported,
          "Distances on CUDA take up to 393216 rows. Use the device \"cpu\".");
  const dim3 grid(unsigned((args.columns + width - 1) / width), unsigned(std::min<int64_t>(args.slices, 65535)));
  const dim3 block(unsigned(width), unsigned(std::min<int64_t>(strips, 16)));
  LAUNCH(column_counts<kSet>, grid, block, size_t(strips * width * 4), stream)(args);
  check_launch("distances along columns");
}

// Element i of line l is l · start + i · stride.
struct Lines {
  int64_t count, length, start, stride;
};

// Working memory of one line of a warp.
template <typename Height>
struct LineMemory {
  Height* value;     // as loaded; of the vertices, after pack
  int32_t* vertex;   // positions of the vertices
  int32_t* nearest;  // by position: which vertex

  SINO_HD static constexpr int64_t bytes(int64_t length) { return (length * (sizeof(Height) + 8) + 15) / 16 * 16; }
  __device__ LineMemory(unsigned char* memory, int64_t length)
      : value(reinterpret_cast<Height*>(memory)),
        vertex(reinterpret_cast<int32_t*>(value + length)),
        nearest(vertex + length) {}
};

// The values up to `most` move to the front, their positions into `vertex`; returns how many. All lanes of the warp call.
template <typename Height>
__device__ int pack_vertices(const LineMemory<Height>& line, int length, Height most) {
  const int lane = threadIdx.x % 32;
  int count = 0;
  for (int first = 0; first < length; first += 32) {
    const int x = first + lane;
    const Height value = x < length ? line.value[x] : Height(0);
    const bool is_vertex = x < length && value <= most;
    const unsigned all = __ballot_sync(~0u, is_vertex);
    const int at = count + __popc(all & ((1u << lane) - 1));
    __syncwarp();  // all lanes have read what some write now: a vertex moves to where it was, or before
    if (is_vertex) line.value[at] = value, line.vertex[at] = x;
    count += __popc(all);
    __syncwarp();
  }
  return count;
}

// nearest[x] for every x of the line. height(x, k): of the curve on vertex k at x.
template <typename Height, typename At>
__device__ void find_nearest(const LineMemory<Height>& line, int length, int vertices, const At& height) {
  const int lane = threadIdx.x % 32;
  int step = 1, points = 1, share = 32;  // lanes of one point
  while (step <= length / 2) step *= 2;  // 2·step > length
  for (; step > 0; step /= 2, points *= 2, share = share > 1 ? share / 2 : 1) {
    for (int p = lane / share; p - lane / share < points; p += 32 / share) {
      const int64_t x = (2 * int64_t(p) + 1) * step - 1;
      const bool inside = x < length && p < points;
      const int first = inside && x >= step ? line.nearest[x - step] : 0;
      const int last = inside && x + step < length ? line.nearest[x + step] : vertices - 1;
      int best = vertices;
      decltype(height(0, 0)) least = INFINITY;
      for (int k = first + lane % share; inside && k <= last; k += share) {
        const auto h = height(int(x), k);
        if (h < least) least = h, best = k;
      }
      for (int other = share / 2; other > 0; other /= 2) {
        const auto h = __shfl_xor_sync(~0u, least, other);
        const int k = __shfl_xor_sync(~0u, best, other);
        if (h < least || (h == least && k < best)) least = h, best = k;
      }
      if (inside && lane % share == 0) line.nearest[x] = best;
    }
    __syncwarp();
  }
}

// One pass over lines, kWarps at a time. A pass is a struct of plain data with
//
//   using Value = …;                               what is loaded of an element; up to most() it is a vertex
//   Value load(at);                                at: number of the element
//   … height(x, vertex, value);                    at x, of the curve that stands on a vertex
//   void store(line, x, at, vertex, value);        the nearest vertex; −1: there is none
//
// kShared: lines are worked on in shared memory, else in a piece of `memory`. Lines that start side by side are loaded and stored
// across, so that neighbouring threads touch neighbouring elements.
template <typename Pass, bool kShared>
__global__ void __launch_bounds__(32 * Pass::kWarps, 32 / Pass::kWarps)
    solve_lines(Lines lines, Pass pass, unsigned char* memory) {
  using Value = typename Pass::Value;
  constexpr int kWarps = Pass::kWarps;
  DYN_SHARED(unsigned char, shared);
  SHARED(int, vertices, [kWarps]);
  const int length = int(lines.length), warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64_t bytes = LineMemory<Value>::bytes(length);
  unsigned char* all = kShared ? shared : memory + blockIdx.x * bytes * kWarps;
  const bool across = lines.start < lines.stride;
  const int moved = across ? threadIdx.x % kWarps : warp, begin = across ? threadIdx.x / kWarps : lane;
  const LineMemory<Value> own(all + warp * bytes, length), other(all + moved * bytes, length);
  for (int64_t first = int64_t(blockIdx.x) * kWarps; first < lines.count; first += int64_t(gridDim.x) * kWarps) {
    const int64_t line = first + moved;
    if (line < lines.count)
      for (int i = begin; i < length; i += 32) other.value[i] = pass.load(line * lines.start + i * lines.stride);
    __syncthreads();
    if (first + warp < lines.count) {
      const int count = pack_vertices(own, length, pass.most());
      if (count > 0)
        find_nearest(own, length, count, [&](int x, int k) { return pass.height(x, own.vertex[k], own.value[k]); });
      if (lane == 0) vertices[warp] = count;
    }
    __syncthreads();
    if (line < lines.count)
      for (int x = begin; x < length; x += 32) {
        const int k = vertices[moved] > 0 ? other.nearest[x] : -1;
        pass.store(line, x, line * lines.start + x * lines.stride, k < 0 ? -1 : other.vertex[k],
                   k < 0 ? Value(0) : other.value[k]);
      }
    __syncthreads();
  }
}

template <typename Pass>
void pass_over(cudaStream_t stream, const Lines& lines, const Pass& pass, const char* name) {
  require(lines.length < (int64_t(1) << 30), Code::unsupported, "Distances on CUDA take lines of up to 2^30 pixels.");
  int device = 0, most = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "cudaDeviceGetAttribute");
  const int64_t bytes = Pass::kWarps * LineMemory<typename Pass::Value>::bytes(lines.length);
  const int64_t blocks = (lines.count + Pass::kWarps - 1) / Pass::kWarps;
  const int threads = 32 * Pass::kWarps;
  if (bytes <= most - 1024) {
    const unsigned grid = unsigned(std::min<int64_t>(blocks, 1 << 20));
    check(cudaFuncSetAttribute(solve_lines<Pass, true>, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes)), name);
    LAUNCH((solve_lines<Pass, true>), grid, threads, size_t(bytes), stream)(lines, pass, nullptr);
  } else {
    const unsigned grid = unsigned(std::min<int64_t>(blocks, 512));  // some for every multiprocessor
    StreamMemory<unsigned char> memory(stream, size_t(grid * bytes));
    LAUNCH((solve_lines<Pass, false>), grid, threads, 0, stream)(lines, pass, memory.data());
  }
  check_launch(name);
}

}  // namespace sino::cuda
