// backproject on the CPU: batches of interleaved slices, tiles of 16 × 16 pixels, chunks of views.
//
// A task is one tile. For a chunk of views it works out, in double, how each view looks from the tile
// (TileView), then lets the kernel add them a few at a time. A tile sees about 24 bins of a view, so the
// 8 views × 24 bins × 64 B (16 slices) = 12 kB that its rows read again and again stay in L1. Bytes per pixel and
// view: 8 from L1 per slice.
#include <algorithm>
#include <cstring>

#include "native/cpu/cpu.h"
#include "native/cpu/interleave.h"
#include "native/cpu/kernels.h"
#include "native/cpu/view_tables.h"

namespace sino::cpu {

namespace {

constexpr int64_t kSlicesAtOnce = 16;

struct Tile {
  int64_t row, column;
  int rows, columns;
};

int64_t tiles_along(int64_t pixels) { return (pixels + kTile - 1) / kTile; }

// One tile of one batch of interleaved slices (or of a single slice, width 1) through the general kernel.
struct GeneralTiles {
  const Geometry& g;
  int width;
  const float* filtered;  // bin 0 of view 0, lane 0
  int64_t view_stride;
  float* image;  // first pixel, lane 0
  int64_t image_row_stride;

  void add(const Tile& tile, int64_t first_view, int64_t count) const {
    TileView views[kViewsPerChunk];
    for (int64_t v = 0; v < count; v++)
      views[v] = tile_view(g, g.poses[first_view + v], tile.row, tile.column, kTile, kTile);
    TileTask task;
    task.beam = g.beam;
    task.inverse_pitch = static_cast<float>(1 / g.pitch);
    task.sod_squared = static_cast<float>(g.sod * g.sod);
    task.bins = g.bins;
    task.views = count;
    task.tile_views = views;
    task.filtered = filtered + first_view * view_stride;
    task.view_stride = view_stride;
    task.rows = tile.rows;
    task.columns = tile.columns;
    task.image = image + tile.row * image_row_stride + tile.column * width;
    task.image_row_stride = image_row_stride;
    task.first = first_view == 0;
    simd_kernels().backproject_tile(task, width);
  }
};

// Calls add(slice, tile, first view, count) for all chunks of all tiles, tile rows in parallel; a row of tiles
// takes one chunk of views after the other, so that the chunk stays in cache.
template <typename Add>
void for_each_tile(const Context& context, const Geometry& g, int64_t slices, int64_t slices_per_task, const Add& add) {
  const int64_t down = tiles_along(g.grid.rows), tasks = slices * down;
  std::atomic<int64_t> done{0};
  context.parallel_for(tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      const int64_t slice = task / down, row = task % down * kTile;
      for (int64_t v = 0; v < g.views(); v += kViewsPerChunk)
        for (int64_t column = 0; column < g.grid.columns; column += kTile) {
          if (context.job.cancelled) return;
          const Tile tile = {row, column, static_cast<int>(std::min<int64_t>(kTile, g.grid.rows - row)),
                             static_cast<int>(std::min<int64_t>(kTile, g.grid.columns - column))};
          add(slice, tile, v, std::min(kViewsPerChunk, g.views() - v));
        }
    }
    const int64_t before = done.fetch_add(end - begin), after = before + end - begin;
    context.job.advance((after * g.views() / down - before * g.views() / down) * slices_per_task);
  });
}

void backproject_interleaved(const Context& context, const Geometry& g, Lanes lanes, const float* sinograms,
                             float* images) {
  const LineLayout views = {g.views(), g.bins, lanes}, rows = {g.grid.rows, g.grid.columns, lanes};
  Scratch<float> filtered = context.scratch<float>(views.size());
  Scratch<float> image = context.scratch<float>(rows.size());
  interleave_lines(context, sinograms, g.rays(), g.views(), g.bins, true, views, filtered.data());
  const GeneralTiles tiles = {g,
                              lanes.width,
                              filtered.data() + lanes.width,
                              views.line_stride(),
                              image.data() + lanes.width,
                              rows.line_stride()};
  for_each_tile(context, g, 1, lanes.used,
                [&](int64_t, const Tile& tile, int64_t first, int64_t count) { tiles.add(tile, first, count); });
  deinterleave_lines(context, image.data(), rows, g.grid.rows, g.grid.columns, true, /*add=*/false, images,
                     g.grid.pixels());
}

struct WindowSlice {
  const Geometry& g;
  const WindowKernels& windows;
  const ViewTable& table;
  const float* views;  // bin 0 of view 0
  int64_t stride;
  float* image;
};

// A tile so close to the source, or bins so fine, that a window does not hold it is cut in two; the smallest pieces go
// through the general kernel.
void add_through_windows(const WindowSlice& s, const Tile& tile, int64_t first, int64_t count) {
  const Geometry& g = s.g;
  const double x = g.grid.x0 + tile.column * g.grid.dx, y = g.grid.y0 - tile.row * g.grid.dy;
  ChunkView look;
  if (s.windows.look_from_tile(s.table, first, count, x, y, tile.rows, tile.columns, look)) {
    float* image = s.image + tile.row * g.grid.columns + tile.column;
    s.windows.backproject_tile({g.beam, static_cast<float>(1 / g.pitch), count, &look, s.views + first * s.stride,
                                s.stride, tile.rows, tile.columns, image, g.grid.columns, first == 0});
  } else if (tile.rows > 4) {
    const int half = tile.rows > 8 ? 8 : 4;
    add_through_windows(s, {tile.row, tile.column, half, tile.columns}, first, count);
    add_through_windows(s, {tile.row + half, tile.column, tile.rows - half, tile.columns}, first, count);
  } else if (tile.columns > 8) {
    add_through_windows(s, {tile.row, tile.column, tile.rows, 8}, first, count);
    add_through_windows(s, {tile.row, tile.column + 8, tile.rows, tile.columns - 8}, first, count);
  } else {
    GeneralTiles{g, 1, s.views, s.stride, s.image, g.grid.columns}.add(tile, first, count);
  }
}

void backproject_windows(const Context& context, const Geometry& g, const WindowKernels& windows, int64_t slices,
                         const float* sinograms, float* images) {
  const int64_t stride = g.bins + 2 * kMargin, slice_size = g.views() * stride;
  Scratch<float> filtered = context.scratch<float>(slices * slice_size);
  context.parallel_for(slices * g.views(), 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      float* target = filtered.data() + row * stride;
      std::fill_n(target, kMargin, 0.0f);
      std::memcpy(target + kMargin, sinograms + row * g.bins, sizeof(float) * g.bins);
      std::fill_n(target + kMargin + g.bins, kMargin, 0.0f);
    }
  });
  const ViewTables tables(context, g);
  for_each_tile(context, g, slices, 1, [&](int64_t slice, const Tile& tile, int64_t first, int64_t count) {
    const float* views = filtered.data() + slice * slice_size + kMargin;
    add_through_windows({g, windows, tables.table, views, stride, images + slice * g.grid.pixels()}, tile, first,
                        count);
  });
}

}  // namespace

void backproject(const Context& context, const BackprojectArgs& args) {
  const Geometry& g = args.geometry;
  const WindowKernels* windows = simd_kernels().windows;
  for (int64_t s = 0; s < args.slices;) {
    const float* sinograms = args.sinograms + s * g.rays();
    float* images = args.images + s * g.grid.pixels();
    if (windows) {
      const int64_t count = std::min(kSlicesAtOnce, args.slices - s);
      backproject_windows(context, g, *windows, count, sinograms, images);
      s += count;
    } else {
      const Lanes lanes = next_lanes(args.slices - s);
      backproject_interleaved(context, g, lanes, sinograms, images);
      s += lanes.used;
    }
  }
}

}  // namespace sino::cpu
