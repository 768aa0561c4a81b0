// equalize on CUDA, slice by slice: a block per tile counts into its histogram in device memory, which L1 and L2 hold (256 bins: 1 KB), and
// sums it to the tile's table, each thread a run of bins; then a thread per pixel looks up the four tables around it. Counts are whole
// numbers; sums in double, in another order than the processor's. 4 bytes read twice and 4 written per pixel. Never measured.
#include "native/ops/equalize.h"

#include "cuda/device.cuh"
#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kBlocks = 2;  // resident; asked for more, as ptxas does by itself, registers spill

struct EqualizeSlice {
  EqualizeArgs args;
  const double *low, *high;  // of this slice
  const float* input;
  float* output;
  unsigned* counts;  // [tile, bin]
  float* tables;     // [tile, bins + 1]: F at the edges of the bins

  __device__ double scale() const { return *high - *low > 0 ? args.bins / (*high - *low) : 0; }
  template <int N>
  __device__ void at(int64_t y, int64_t x, int64_t i) const {
    const float v = input[i];
    output[i] = v == v ? mapped(y, x, v) : v;
  }
  __device__ float mapped(int64_t y, int64_t x, float v) const {
    const BinPlace place = bin_place(v, *low, scale(), args.bins);
    const TilePlace down = tile_place(y, args.row_tiles, args.rows),
                    across = tile_place(x, args.column_tiles, args.columns);
    const auto of_row = [&](int64_t row) {
      const auto of_tile = [&](int64_t column) {
        const float* edge = tables + (row * args.column_tiles + column) * (args.bins + 1) + place.bin;
        return edge[0] + place.share * (edge[1] - edge[0]);
      };
      const float first = of_tile(across.first);
      return first + across.share * (of_tile(across.second) - first);
    };
    const float top = of_row(down.first);
    return float(*low + (*high - *low) * (top + down.share * (of_row(down.second) - top)));
  }
};

__global__ void __launch_bounds__(kThreads, kBlocks) tables_of_tiles(EqualizeSlice s) {
  SHARED(double, of_warp, [kThreads / 32]);
  SHARED(double, of_run, [kThreads]);
  const EqualizeArgs& args = s.args;
  for (int64_t tile = blockIdx.x; tile < args.row_tiles * args.column_tiles; tile += gridDim.x) {
    const int64_t ty = tile / args.column_tiles, tx = tile % args.column_tiles;
    const int64_t top = tile_begin(ty, args.row_tiles, args.rows),
                  left = tile_begin(tx, args.column_tiles, args.columns),
                  rows = tile_begin(ty + 1, args.row_tiles, args.rows) - top,
                  columns = tile_begin(tx + 1, args.column_tiles, args.columns) - left;
    unsigned* const counts = s.counts + tile * args.bins;
    const double low = *s.low, scale = s.scale();
    double all = 0;
    for (int64_t i = threadIdx.x; i < rows * columns; i += kThreads) {
      const float v = s.input[(top + i / columns) * args.columns + left + i % columns];
      if (v != v) continue;
      atomicAdd(counts + bin_place(v, low, scale, args.bins).bin, 1u);
      all += 1;
    }
    all = block_fold(all, of_warp, Sum());  // its barriers: all is counted
    const double limit = args.limit > 0 ? args.limit * all / args.bins : all;
    const int run = (args.bins + kThreads - 1) / kThreads, begin = min(int(threadIdx.x) * run, args.bins),
              end = min(begin + run, args.bins);
    double above = 0, below = 0;
    for (int b = begin; b < end; b++) above += above_limit(counts[b], limit);
    above = block_fold(above, of_warp, Sum()) / args.bins;
    const auto clipped = [&](int b) { return (counts[b] < limit ? counts[b] : limit) + above; };
    for (int b = begin; b < end; b++) below += clipped(b);
    of_run[threadIdx.x] = below;
    __syncthreads();
    below = 0;
    for (unsigned t = 0; t < threadIdx.x; t++) below += of_run[t];
    float* const table = s.tables + tile * (args.bins + 1);
    for (int b = begin; b < end; b++) {
      table[b] = float(all > 0 ? below / all : double(b) / args.bins);
      below += clipped(b);
    }
    if (threadIdx.x == 0) table[args.bins] = 1;
    __syncthreads();
  }
}

}  // namespace

void equalize(Stream stream, const EqualizeArgs& args) {
  const int64_t pixels = args.rows * args.columns, tiles = args.row_tiles * args.column_tiles;
  if (args.slices * pixels == 0) return;
  StreamMemory<unsigned> counts(stream, size_t(tiles * args.bins));
  StreamMemory<float> tables(stream, size_t(tiles * (args.bins + 1)));
  for (int64_t s = 0; s < args.slices; s++) {
    const EqualizeSlice slice = {
        args,          args.low + s, args.high + s, args.input + s * pixels, args.output + s * pixels,
        counts.data(), tables.data()};
    counts.clear(size_t(tiles * args.bins));
    LAUNCH(tables_of_tiles, unsigned(std::min<int64_t>(tiles, 1 << 16)), kThreads, 0, stream)(slice);
    check_launch("equalize");
    pointwise_by<1, kBlocks>(stream, args.rows, args.columns, slice, "equalize");
  }
}

}  // namespace sino::cuda
