// block_matching on CUDA, slice by slice, two kernels and a sum for each pass.
//   matches  A warp per reference block: every lane measures another candidate; lanes 0 to 15 hold the best in order, and what is better than
//            the last of them is put in by a shuffle. Distances are added as the processor adds them, so that the same blocks match.
//   groups   64 threads per tile of reference blocks, group after group: transforms in shared memory, the stack in registers. Thread (y, x)
//            owns the pixels (y mod 8, x mod 8) of the tile's sums, of which every block has one: no atomics, no waiting.
//   output   Tiles overlap by what a search reaches; each pixel adds theirs in order.
// 60 bytes of working memory per pixel at the default search. Never measured.
#include "native/ops/block_matching.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"
#include "native/ops/axpy.h"

namespace sino::cuda {

namespace {

constexpr int kSide = kMatchBlock, kPixels = kSide * kSide;
constexpr int kMatchThreads = 256;
constexpr int kBlocks = 2, kGroupBlocks = 8;  // resident; asked for more, as ptxas does by itself, registers spill
constexpr int64_t kLeastTile = 8;             // reference blocks along a tile
using Key = unsigned long long;               // distance, then place: the order of matches
constexpr Key kNone = ~Key(0);

// One pass over one slice.
struct Pass {
  int64_t rows, columns, search;
  int64_t down, across;                            // reference blocks
  int64_t tile, tiles_down, tiles_across, height;  // reference blocks along a tile; pixels along its sums
  const float *noisy, *guide;                      // guide: what is matched; in the second pass factors come from it
  float sigma, farthest;                           // farthest: distance of a match
  bool second;
  int64_t* places;  // [reference, kMatchMost]
  int* counts;      // [reference]
  float* sums;      // [tile, 2, height, height]: of values, of weights
  float* output;

  __device__ int64_t first_row(int64_t tile_row) const {
    return max(int64_t(0), match_place(tile_row * tile, rows) - search);
  }
  __device__ int64_t first_column(int64_t tile_column) const {
    return max(int64_t(0), match_place(tile_column * tile, columns) - search);
  }
};

__device__ __forceinline__ float sum_of(const float (&row)[kSide]) {
  return ((row[0] + row[4]) + (row[2] + row[6])) + ((row[1] + row[5]) + (row[3] + row[7]));
}
__device__ __forceinline__ float distance_of(const Pass& pass, int64_t a, int64_t b) {
  float sum[kSide] = {};
  for (int y = 0; y < kSide; y++)
#pragma unroll
    for (int x = 0; x < kSide; x++) {
      const float d = pass.guide[a + y * pass.columns + x] - pass.guide[b + y * pass.columns + x];
      sum[x] = __fadd_rn(sum[x], __fmul_rn(d, d));
    }
  return sum_of(sum);
}

__global__ void __launch_bounds__(kMatchThreads, kBlocks) find_matches(Pass pass) {
  const int lane = int(threadIdx.x % 32);
  for (int64_t r = (int64_t(blockIdx.x) * kMatchThreads + threadIdx.x) / 32; r < pass.down * pass.across;
       r += int64_t(gridDim.x) * (kMatchThreads / 32)) {
    const int64_t y = match_place(r / pass.across, pass.rows), x = match_place(r % pass.across, pass.columns);
    const int64_t top = max(int64_t(0), y - pass.search), bottom = min(pass.rows - kSide, y + pass.search),
                  left = max(int64_t(0), x - pass.search), right = min(pass.columns - kSide, x + pass.search);
    const int64_t width = right - left + 1, candidates = (bottom - top + 1) * width;
    Key best = lane == 0 ? 0 : kNone;  // lane 0: the block itself
    for (int64_t begin = 0; begin < candidates; begin += 32) {
      const int64_t candidate = begin + lane, j = top + candidate / width, i = left + candidate % width;
      Key key = kNone;
      if (candidate < candidates && !(j == y && i == x)) {
        const float distance = distance_of(pass, y * pass.columns + x, j * pass.columns + i);
        if (distance < pass.farthest) key = Key(__float_as_uint(distance)) << 32 | Key(candidate);
      }
      unsigned better = __ballot_sync(~0u, key < __shfl_sync(~0u, best, kMatchMost - 1));
      for (; better > 0; better &= better - 1) {
        const Key one = __shfl_sync(~0u, key, __ffs(int(better)) - 1), before = __shfl_up_sync(~0u, best, 1);
        if (best > one) best = before > one && lane > 0 ? before : one;
      }
    }
    const int found = __popc(__ballot_sync(~0u, lane < kMatchMost && best != kNone));
    const int64_t candidate = int64_t(best & 0xffffffffu);
    if (lane < found)
      pass.places[r * kMatchMost + lane] =
          lane == 0 ? y * pass.columns + x : (top + candidate / width) * pass.columns + left + candidate % width;
    if (lane == 0) pass.counts[r] = found >= 16 ? 16 : found >= 8 ? 8 : found >= 4 ? 4 : found >= 2 ? 2 : 1;
  }
}

// Haar through a stack of 2, 4, 8 or 16, and back.
constexpr float kHalf = 0.70710678f;
__device__ __forceinline__ void haar(float (&v)[kMatchMost], int count) {
#pragma unroll
  for (int n = kMatchMost; n > 1; n /= 2) {
    if (n > count) continue;
    float spare[kMatchMost];
#pragma unroll
    for (int k = 0; k < n / 2; k++) {
      spare[k] = kHalf * (v[2 * k] + v[2 * k + 1]);
      spare[n / 2 + k] = kHalf * (v[2 * k] - v[2 * k + 1]);
    }
#pragma unroll
    for (int k = 0; k < n; k++) v[k] = spare[k];
  }
}
__device__ __forceinline__ void haar_back(float (&v)[kMatchMost], int count) {
#pragma unroll
  for (int n = 2; n <= kMatchMost; n *= 2) {
    if (n > count) continue;
    float spare[kMatchMost];
#pragma unroll
    for (int k = 0; k < n / 2; k++) {
      spare[2 * k] = kHalf * (v[k] + v[n / 2 + k]);
      spare[2 * k + 1] = kHalf * (v[k] - v[n / 2 + k]);
    }
#pragma unroll
    for (int k = 0; k < n; k++) v[k] = spare[k];
  }
}

using Stack = float[kMatchMost][kSide][kSide];

// This thread's coefficient of every block of a stack.
__device__ __forceinline__ void stack_of(const Pass& pass, const float* image, const int64_t* places, int count,
                                         const float (&dct)[kSide][kSide], Stack& blocks, Stack& spare,
                                         float (&v)[kMatchMost]) {
  const int y = int(threadIdx.x) / kSide, x = int(threadIdx.x) % kSide;
  for (int k = 0; k < count; k++) blocks[k][y][x] = image[places[k] + y * pass.columns + x];
  __syncthreads();
  for (int k = 0; k < count; k++) {
    float sum = 0;
    for (int i = 0; i < kSide; i++) sum += dct[y][i] * blocks[k][i][x];
    spare[k][y][x] = sum;
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < kMatchMost; k++) {
    v[k] = 0;
    for (int i = 0; i < kSide && k < count; i++) v[k] += dct[x][i] * spare[k][y][i];
  }
}

// Shrinks this thread's coefficients; gives the weight of the group's blocks to all threads.
__device__ __forceinline__ float shrink(const Pass& pass, float (&v)[kMatchMost], float (&clean)[kMatchMost], int count,
                                        float* of_warp) {
  haar(v, count);
  const float mean = v[0];  // thread 0's, of all blocks: kept, so that an offset changes nothing
  float kept = 0;
  if (!pass.second) {
#pragma unroll
    for (int k = 0; k < kMatchMost; k++) {
      const bool stays = k < count && fabsf(v[k]) > kMatchCut * pass.sigma;
      kept += stays;
      v[k] = stays ? v[k] : 0;
    }
  } else {
    haar(clean, count);
#pragma unroll
    for (int k = 0; k < kMatchMost; k++) {
      const float e = clean[k] * clean[k], factor = e / (e + pass.sigma * pass.sigma);
      v[k] *= factor;
      if (k < count) kept += factor * factor;
    }
  }
  if (threadIdx.x == 0) v[0] = mean;
  haar_back(v, count);
  return 1.0f / fmaxf(block_fold(kept, of_warp, Sum()), pass.second ? 1e-6f : 1.0f);
}

__global__ void __launch_bounds__(kPixels, kGroupBlocks) add_groups(Pass pass, MatchTables tables) {
  SHARED(float, dct, [kSide][kSide]);
  SHARED(float, blocks, [kMatchMost][kSide][kSide]);
  SHARED(float, spare, [kMatchMost][kSide][kSide]);
  SHARED(float, of_warp, [kPixels / 32]);
  const int y = int(threadIdx.x) / kSide, x = int(threadIdx.x) % kSide;
  dct[y][x] = tables.dct[y][x];
  for (int64_t tile = blockIdx.x; tile < pass.tiles_down * pass.tiles_across; tile += gridDim.x) {
    const int64_t tile_row = tile / pass.tiles_across, tile_column = tile % pass.tiles_across;
    const int64_t top = pass.first_row(tile_row), left = pass.first_column(tile_column);
    float *const sums = pass.sums + tile * 2 * pass.height * pass.height, *const weights =
                                                                              sums + pass.height * pass.height;
    const int64_t last_row = min(pass.down, (tile_row + 1) * pass.tile),
                  last_column = min(pass.across, (tile_column + 1) * pass.tile);
    for (int64_t j = tile_row * pass.tile; j < last_row; j++)
      for (int64_t i = tile_column * pass.tile; i < last_column; i++) {
        const int64_t reference = j * pass.across + i, *places = pass.places + reference * kMatchMost;
        const int count = pass.counts[reference];
        float v[kMatchMost], clean[kMatchMost];
        stack_of(pass, pass.noisy, places, count, dct, blocks, spare, v);
        if (pass.second) stack_of(pass, pass.guide, places, count, dct, blocks, spare, clean);
        const float weight = shrink(pass, v, clean, count, of_warp);  // its barriers: spare is read
#pragma unroll
        for (int k = 0; k < kMatchMost; k++)
          if (k < count) blocks[k][y][x] = v[k];
        __syncthreads();
        for (int k = 0; k < count; k++) {
          float sum = 0;
          for (int n = 0; n < kSide; n++) sum += dct[n][y] * blocks[k][n][x];
          spare[k][y][x] = sum;
        }
        __syncthreads();
        for (int k = 0; k < count; k++) {
          const int64_t row = places[k] / pass.columns - top, column = places[k] % pass.columns - left;
          const int own_y = int((y - row) & (kSide - 1)), own_x = int((x - column) & (kSide - 1));
          float value = 0;
          for (int n = 0; n < kSide; n++) value += dct[n][own_x] * spare[k][own_y][n];
          const float w = weight * tables.window[own_y][own_x];
          const int64_t at = (row + own_y) * pass.height + column + own_x;
          sums[at] += w * value;
          weights[at] += w;
        }
      }
  }
}

struct Output {
  Pass pass;
  template <int N>
  __device__ void at(int64_t y, int64_t x, int64_t i) const {
    float sum = 0, weight = 0;
    for (int64_t row = 0; row < pass.tiles_down; row++) {
      const int64_t j = y - pass.first_row(row);
      if (j < 0 || j >= pass.height) continue;
      for (int64_t column = 0; column < pass.tiles_across; column++) {
        const int64_t k = x - pass.first_column(column);
        if (k < 0 || k >= pass.height) continue;
        const float* sums = pass.sums + ((row * pass.tiles_across + column) * 2 * pass.height + j) * pass.height + k;
        sum += sums[0], weight += sums[pass.height * pass.height];
      }
    }
    pass.output[i] = sum / weight;
  }
};

}  // namespace

void block_matching(Stream stream, const BlockMatchingArgs& args) {
  const int64_t pixels = args.rows * args.columns;
  if (args.slices * pixels == 0) return;
  const bool has_blocks = args.rows >= kSide && args.columns >= kSide;
  Pass pass = {};
  pass.rows = args.rows, pass.columns = args.columns, pass.search = args.search;
  pass.down = has_blocks ? match_references(args.rows) : 0;
  pass.across = has_blocks ? match_references(args.columns) : 0;
  pass.tile = std::max(kLeastTile, pass.search / 2);  // so that neighbours overlap little more than at the default
  pass.tiles_down = (pass.down + pass.tile - 1) / pass.tile;
  pass.tiles_across = (pass.across + pass.tile - 1) / pass.tile;
  pass.height = pass.tile * kMatchStep + 2 * pass.search + kSide;
  const int64_t references = pass.down * pass.across, tiles = pass.tiles_down * pass.tiles_across;
  const size_t size = size_t(std::max<int64_t>(1, tiles * 2 * pass.height * pass.height));
  StreamMemory<int64_t> places(stream, size_t(std::max<int64_t>(1, references * kMatchMost)));
  StreamMemory<int> counts(stream, size_t(std::max<int64_t>(1, references)));
  StreamMemory<float> sums(stream, size), first(stream, size_t(pixels));
  pass.places = places.data(), pass.counts = counts.data(), pass.sums = sums.data();
  const MatchTables tables = match_tables();
  for (int64_t s = 0; s < args.slices; s++) {
    pass.noisy = args.input + s * pixels;
    pass.sigma = float(factor_of(args.sigmas, s));
    if (!has_blocks || !(pass.sigma > 0)) {
      check(cudaMemcpyAsync(args.output + s * pixels, pass.noisy, size_t(pixels) * sizeof(float),
                            cudaMemcpyDeviceToDevice, stream),
            "cudaMemcpyAsync");
      continue;
    }
    for (const bool second : {false, true}) {
      pass.second = second;
      pass.farthest = kMatchFarthest[second] * pass.sigma * pass.sigma * kPixels;
      pass.guide = second ? first.data() : pass.noisy;
      pass.output = second ? args.output + s * pixels : first.data();
      sums.clear(size);
      const int64_t warps = kMatchThreads / 32;
      LAUNCH(find_matches, unsigned(std::min<int64_t>((references + warps - 1) / warps, 1 << 20)), kMatchThreads, 0,
             stream)
      (pass);
      LAUNCH(add_groups, unsigned(std::min<int64_t>(tiles, 1 << 20)), kPixels, 0, stream)(pass, tables);
      check_launch("block_matching");
      pointwise_by<1>(stream, args.rows, args.columns, Output{pass}, "block_matching");
    }
  }
}

}  // namespace sino::cuda
