// equalize on the CPU: tables of tiles, then rows.
#include "native/ops/equalize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

struct Slice {
  const EqualizeArgs& args;
  const float* input;
  double low, scale;  // bins per grey value

  // F at the edges of the bins, [bins + 1].
  void table_of(int64_t tile, float* table) const {
    const int64_t ty = tile / args.column_tiles, tx = tile % args.column_tiles;
    const int64_t top = tile_begin(ty, args.row_tiles, args.rows),
                  bottom = tile_begin(ty + 1, args.row_tiles, args.rows),
                  left = tile_begin(tx, args.column_tiles, args.columns),
                  right = tile_begin(tx + 1, args.column_tiles, args.columns);
    std::vector<double> counts(args.bins);
    double all = 0;
    for (int64_t y = top; y < bottom; y++)
      for (int64_t x = left; x < right; x++) {
        const float v = input[y * args.columns + x];
        if (std::isnan(v)) continue;
        counts[bin_place(v, low, scale, args.bins).bin]++;
        all++;
      }
    const double limit = args.limit > 0 ? args.limit * all / args.bins : all;
    double above = 0;
    for (double count : counts) above += above_limit(count, limit);
    double below = 0;
    for (int b = 0; b < args.bins; b++) {
      table[b] = static_cast<float>(all > 0 ? below / all : double(b) / args.bins);
      below += std::min(counts[b], limit) + above / args.bins;
    }
    table[args.bins] = 1;
  }
};

}  // namespace

void equalize(const Context& context, const EqualizeArgs& args) {
  const int64_t pixels = args.rows * args.columns, tiles = args.row_tiles * args.column_tiles, size = args.bins + 1;
  if (args.slices * pixels == 0) return;
  Scratch<float> tables = context.scratch<float>(tiles * size);
  std::vector<TilePlace> across(args.columns);
  for (int64_t x = 0; x < args.columns; x++) across[x] = tile_place(x, args.column_tiles, args.columns);
  for (int64_t s = 0; s < args.slices; s++) {
    const double low = args.low[s], span = args.high[s] - low;
    const Slice slice{args, args.input + s * pixels, low, span > 0 ? args.bins / span : 0};
    float* output = args.output + s * pixels;
    context.parallel_for(tiles, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; t++) slice.table_of(t, tables.data() + t * size);
    });
    context.parallel_for(args.rows, 16, [&](int64_t begin, int64_t end) {
      for (int64_t y = begin; y < end; y++) {
        const TilePlace down = tile_place(y, args.row_tiles, args.rows);
        const float *above = tables.data() + down.first * args.column_tiles * size,
                    *below = tables.data() + down.second * args.column_tiles * size;
        for (int64_t x = 0; x < args.columns; x++) {
          const float v = slice.input[y * args.columns + x];
          if (std::isnan(v)) {
            output[y * args.columns + x] = v;
            continue;
          }
          const BinPlace at = bin_place(v, low, slice.scale, args.bins);
          const auto mapped = [&](const float* table, int64_t tile) {
            const float* edge = table + tile * size + at.bin;
            return edge[0] + at.share * (edge[1] - edge[0]);
          };
          const TilePlace& a = across[x];
          const float top = mapped(above, a.first) + a.share * (mapped(above, a.second) - mapped(above, a.first));
          const float bottom = mapped(below, a.first) + a.share * (mapped(below, a.second) - mapped(below, a.first));
          output[y * args.columns + x] = static_cast<float>(low + span * (top + down.share * (bottom - top)));
        }
      }
      context.job.advance(end - begin);
    });
  }
}

}  // namespace sino::cpu
