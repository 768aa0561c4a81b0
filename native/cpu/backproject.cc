// backproject on the CPU: batches of interleaved slices, tiles of 16 × 16 pixels, chunks of views.
//
// A task is one tile. For a chunk of views it works out, in double, how each view looks from the tile
// (TileView), then lets the kernel add all of them row by row. A tile sees about 24 bins of a view, so a
// chunk of 48 views × 24 bins × 64 B (16 slices) = 72 kB of the sinogram is read from the outer cache once
// and from L2 fifteen times. Bytes per pixel and view: 8 from L1/L2 per slice; the image stays in registers
// within a chunk.
#include <algorithm>

#include "native/cpu/cpu.h"
#include "native/cpu/interleave.h"
#include "native/cpu/kernels.h"

namespace sino::cpu {

namespace {

constexpr int64_t kViewsPerChunk = 48;

void backproject_batch(const Context& context, const Geometry& g, Lanes lanes, const float* sinograms, float* images) {
  const SimdKernels& simd = simd_kernels();
  const LineLayout views = {g.views(), g.bins, lanes};
  const LineLayout rows = {g.grid.rows, g.grid.columns, lanes};
  Scratch<float> filtered = context.scratch<float>(views.size());
  Scratch<float> image = context.scratch<float>(rows.size());
  interleave_lines(context, sinograms, g.rays(), g.views(), g.bins, true, views, filtered.data());

  const int64_t tiles_down = (g.grid.rows + kTile - 1) / kTile, tiles_across = (g.grid.columns + kTile - 1) / kTile;
  std::atomic<int64_t> tiles_done{0};
  context.parallel_for(tiles_down * tiles_across, 4, [&](int64_t begin, int64_t end) {
    TileView tile_views[kViewsPerChunk];
    for (int64_t tile = begin; tile < end; tile++) {
      const int64_t row = tile / tiles_across * kTile, column = tile % tiles_across * kTile;
      for (int64_t v0 = 0; v0 < g.views(); v0 += kViewsPerChunk) {
        if (context.job.cancelled) return;
        const int64_t count = std::min(kViewsPerChunk, g.views() - v0);
        for (int64_t v = 0; v < count; v++) tile_views[v] = tile_view(g, g.poses[v0 + v], row, column, kTile);
        TileTask task;
        task.beam = g.beam;
        task.inverse_pitch = static_cast<float>(1 / g.pitch);
        task.sod_squared = static_cast<float>(g.sod * g.sod);
        task.bins = g.bins;
        task.views = count;
        task.tile_views = tile_views;
        task.filtered = filtered.data() + v0 * views.line_stride();
        task.rows = static_cast<int>(std::min<int64_t>(kTile, g.grid.rows - row));
        task.columns = static_cast<int>(std::min<int64_t>(kTile, g.grid.columns - column));
        task.image = image.data() + row * rows.line_stride() + (column + 1) * lanes.width;
        task.image_row_stride = rows.line_stride();
        task.first = v0 == 0;
        simd.backproject_tile(task, lanes.width);
      }
    }
    const int64_t all = tiles_down * tiles_across, before = tiles_done.fetch_add(end - begin),
                  after = before + end - begin;
    context.job.advance((after * g.views() / all - before * g.views() / all) * lanes.used);
  });
  deinterleave_lines(context, image.data(), rows, g.grid.rows, g.grid.columns, true, /*add=*/false, images,
                     g.grid.pixels());
}

}  // namespace

void backproject(const Context& context, const BackprojectArgs& args) {
  const Geometry& g = args.geometry;
  for (int64_t s = 0; s < args.slices;) {
    const Lanes lanes = next_lanes(args.slices - s);
    backproject_batch(context, g, lanes, args.sinograms + s * g.rays(), args.images + s * g.grid.pixels());
    s += lanes.used;
  }
}

}  // namespace sino::cpu
