// backproject on the CPU, tiles of 16 × 16 pixels, chunks of views; one of two ways.
//
// Interleaved slices, for narrow registers, each turned if the scan allows (turned.h): a task is a row of tiles. For a chunk of views it works out, in double, how each
// view looks from the tile (TileView), then lets the kernel add them a few at a time. A tile sees about 24 bins of a
// view, so the 8 views × 24 bins × 64 B (16 slices) = 12 kB that its rows read again and again stay in L1. Bytes per
// pixel and view: 8 from L1 per slice.
//
// Register windows (windows.h): the sinogram is copied once with margins, views that see turned images of one another
// side by side. A task is a few orbits of tiles; it takes as many views at a time as stay in L2.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/interleave.h"
#include "native/cpu/kernels.h"
#include "native/cpu/turned.h"
#include "native/cpu/view_tables.h"
#include "native/geometry/symmetry.h"
#include "native/runtime/prepared.h"

namespace sino::cpu {

namespace {

constexpr int64_t kSlicesAtOnce = 16;
constexpr double kCoarsest = 0.03;  // rad

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

// Adds all views to the image. Rows of tiles are worked on in parallel; a row takes one chunk of views after the other, so that
// the chunk stays in cache. `units` of progress in all.
void add_tiles(const Context& context, const GeneralTiles& tiles, int64_t units) {
  const Grid& grid = tiles.g.grid;
  const int64_t tasks = tiles_along(grid.rows), views = tiles.g.views();
  std::atomic<int64_t> done{0};
  context.parallel_for(tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * kTile; row < std::min(grid.rows, end * kTile); row += kTile)
      for (int64_t v = 0; v < views; v += kViewsPerChunk)
        for (int64_t column = 0; column < grid.columns; column += kTile) {
          if (context.job.cancelled) return;
          tiles.add({row, column, static_cast<int>(std::min<int64_t>(kTile, grid.rows - row)),
                     static_cast<int>(std::min<int64_t>(kTile, grid.columns - column))},
                    v, std::min(kViewsPerChunk, views - v));
        }
    const int64_t before = done.fetch_add(end - begin), after = before + end - begin;
    context.job.advance(after * units / tasks - before * units / tasks);
  });
}

void backproject_interleaved(const Context& context, const Geometry& g, Lanes lanes, const float* sinograms,
                             float* images, int64_t units) {
  const LineLayout views = {g.views(), g.bins, lanes}, rows = {g.grid.rows, g.grid.columns, lanes};
  Scratch<float> filtered = context.scratch<float>(views.size());
  Scratch<float> image = context.scratch<float>(rows.size());
  interleave_lines(context, sinograms, g.rays(), g.views(), g.bins, true, views, filtered.data());
  add_tiles(context,
            {g, lanes.width, filtered.data() + lanes.width, views.line_stride(), image.data() + lanes.width,
             rows.line_stride()},
            units);
  deinterleave_lines(context, image.data(), rows, g.grid.rows, g.grid.columns, true, /*add=*/false, images,
                     g.grid.pixels());
}

void backproject_general(const Context& context, const BackprojectArgs& args) {
  const Geometry& g = args.geometry;
  const auto scan = prepared_table<TurnedScan>(args.prepared, [&] { return turned_scan(g); });
  const int64_t turns = static_cast<int64_t>(scan->turns.size()), rays = scan->geometry.rays();
  const int64_t at_once = std::min(args.slices, slices_at_once(*scan));
  Scratch<float> sinograms = context.scratch<float>(at_once * turns * rays);
  Scratch<float> images = context.scratch<float>(at_once * turns * g.grid.pixels());
  for (int64_t s = 0; s < args.slices; s += at_once) {
    const int64_t slices = std::min(at_once, args.slices - s);
    turn_views(context, *scan, g.views(), slices, args.sinograms + s * g.rays(), sinograms.data());
    backproject_interleaved(context, scan->geometry, next_lanes(slices * turns), sinograms.data(), images.data(),
                            slices * g.views());
    sum_turned_images(context, *scan, slices, images.data(), args.images + s * g.grid.pixels());
  }
}

// A tile of the fundamental domain and all that the symmetry turns it into are one orbit. Frames: pixel (r, c) of the turned
// tile is the turned pixel (r, c) of the tile, so that what is worked out for a pixel in one frame serves the same (r, c) in
// another. A task is a few orbits: it owns all their pixels, in all frames, and adds every view to them.
constexpr int64_t kOrbitsPerTask = 4;
constexpr int64_t kMostMembers = 16;          // views and slices that share places
constexpr int64_t kChunkFloats = 100 * 1024;  // of the sinogram, that stay in L2 while a task's orbits pass
constexpr int64_t kTilePixels = kTile * kTile;

struct WindowScan {
  const Geometry& g;
  const WindowKernels& kernels;
  const ViewTable& table;  // its views in the order of the symmetry
  const Symmetry& symmetry;
  const float* filtered;  // bin 0 of the first of these views
  int64_t stride, slice_stride;
  int64_t slices;  // of this task
};

Patch patch_of(const WindowScan& s, const Tile& tile, int turn) {
  const Grid& grid = s.g.grid;
  const Turn& t = s.symmetry.turns[turn];
  const double x = grid.x0 + tile.column * grid.dx, y = grid.y0 - tile.row * grid.dy;
  return {t.xx * x + t.xy * y, t.yx * x + t.yy * y, t.xx * grid.dx, t.yx * grid.dx,
          -t.xy * grid.dy,     -t.yy * grid.dy,     tile.rows,      tile.columns};
}

// Adds the family's leaders [first, first + count) to the tile in frame `turn`, and their followers to its images.
// sums: [frame][slice][row][column].
void add_views(const WindowScan& s, const ViewFamily& family, int64_t first, int64_t count, const Tile& tile, int turn,
               float* sums) {
  ChunkView look;
  const Patch patch = patch_of(s, tile, turn);
  if (!s.kernels.look_from_patch(s.table, family.first + first, count, patch, look)) {
    // so close to the source, or bins so fine, that a window does not hold it: in two halves
    const bool by_rows = tile.rows > 4 || tile.columns == 1;
    const int half = (by_rows ? tile.rows : tile.columns) / 2;
    Tile one = tile, other = tile;
    (by_rows ? one.rows : one.columns) = half;
    (by_rows ? other.rows : other.columns) -= half;
    (by_rows ? other.row : other.column) += half;
    add_views(s, family, first, count, one, turn, sums);
    return add_views(s, family, first, count, other, turn, sums + half * (by_rows ? kTile : 1));
  }
  const auto target = [&](int64_t follower, int64_t slice) {
    const int64_t row = family.first + follower * family.views + first;
    const int frame = s.symmetry.product[family.turns[follower]][turn];
    return PatchSums{count,     look.base,    s.filtered + slice * s.slice_stride + row * s.stride, s.stride,
                     tile.rows, tile.columns, sums + (frame * s.slices + slice) * kTilePixels,      nullptr};
  };
  const int64_t turns = static_cast<int64_t>(family.turns.size());
  if (s.g.beam == Beam::parallel) {  // positions cost less than keeping them
    for (int64_t slice = 0; slice < s.slices; slice++)
      turns == 2 ? s.kernels.add_pair(look, target(0, slice), target(1, slice))
                 : s.kernels.add_parallel(look, target(0, slice));
    return;
  }
  PatchPlaces places;
  s.kernels.place_pixels(s.table, look, count, tile.rows, places);
  for (int64_t i = 0; i < turns; i++)
    for (int64_t slice = 0; slice < s.slices; slice++) {
      const bool last = slice + 1 == s.slices;
      PatchSums patch = target(i, slice);
      patch.next = target(last && i + 1 < turns ? i + 1 : i, last ? 0 : slice + 1).filtered;
      s.kernels.add_places(places, patch);
    }
}

// The tile's sums in frame `turn` into the image.
void put_tile(const Grid& grid, const Turn& turn, const Tile& tile, const float* sums, float* image) {
  for (int r = 0; r < tile.rows; r++, sums += kTile) {
    const int64_t row = tile.row + r, last_row = grid.rows - 1, last_column = grid.columns - 1;
    if (!turn.swaps()) {
      float* to = image + (turn.yy > 0 ? row : last_row - row) * grid.columns;
      if (turn.xx > 0)
        std::copy_n(sums, tile.columns, to + tile.column);
      else
        std::reverse_copy(sums, sums + tile.columns, to + last_column - tile.column - tile.columns + 1);
    } else {
      float* to = image + (turn.xy > 0 ? last_row - row : row);
      for (int c = 0; c < tile.columns; c++) {
        const int64_t column = tile.column + c;
        to[(turn.yx > 0 ? last_column - column : column) * grid.columns] = sums[c];
      }
    }
  }
}

std::vector<Tile> tiles_of(const Domain& domain) {
  std::vector<Tile> tiles;
  for (int64_t row = 0; row < domain.rows; row += kTile)
    for (int64_t column = 0; column < domain.columns; column += kTile)
      tiles.push_back({row, column, static_cast<int>(std::min<int64_t>(kTile, domain.rows - row)),
                       static_cast<int>(std::min<int64_t>(kTile, domain.columns - column))});
  return tiles;
}

void add_orbits(const Context& context, const WindowScan& s, const Tile* tiles, int64_t count, float* images) {
  const int64_t turns = static_cast<int64_t>(s.symmetry.turns.size()), orbit = turns * s.slices * kTilePixels;
  Scratch<float> sums = context.scratch<float>(count * orbit);
  std::fill_n(sums.data(), sums.size(), 0.0f);
  for (const ViewFamily& family : s.symmetry.families) {
    const bool parallel = s.g.beam == Beam::parallel;
    // as if the slices were as many as ever share places: the order of views must not depend on their number
    const int64_t members = parallel ? static_cast<int64_t>(family.turns.size()) : kMostMembers;
    const int64_t at_once = parallel ? kViewsAtOnce : kPlacedAtOnce;
    const int64_t chunk = std::max<int64_t>(1, kChunkFloats / (members * s.stride * at_once)) * at_once;
    for (int64_t v = 0; v < family.views; v += chunk)
      for (int turn = 0; turn < turns; turn++)
        for (int64_t i = 0; i < count; i++) {
          if (context.job.cancelled) return;
          for (int64_t w = v; w < std::min(family.views, v + chunk); w += at_once)
            add_views(s, family, w, std::min(at_once, family.views - w), tiles[i], turn, sums.data() + i * orbit);
        }
  }
  const float* from = sums.data();
  for (int64_t i = 0; i < count; i++)
    for (const Turn& turn : s.symmetry.turns)
      for (int64_t slice = 0; slice < s.slices; slice++, from += kTilePixels)
        put_tile(s.g.grid, turn, tiles[i], from, images + slice * s.g.grid.pixels());
}

void backproject_windows(const Context& context, const Geometry& given, const WindowKernels& kernels, int64_t slices,
                         const float* sinograms, float* images) {
  const Symmetry symmetry = symmetry_of(given, kTile);
  Geometry g = given;  // its views in the order of the symmetry
  for (int64_t i = 0; i < g.views(); i++) g.poses[i] = given.poses[symmetry.order[i]];
  const int64_t stride = g.bins + 2 * kMargin, slice_stride = g.views() * stride;
  Scratch<float> filtered = context.scratch<float>(slices * slice_stride);
  context.parallel_for(slices * g.views(), 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const int64_t slice = row / g.views(), view = symmetry.order[row % g.views()];
      float* target = filtered.data() + row * stride;
      std::fill_n(target, kMargin, 0.0f);
      std::memcpy(target + kMargin, sinograms + slice * g.rays() + view * g.bins, sizeof(float) * g.bins);
      std::fill_n(target + kMargin + g.bins, kMargin, 0.0f);
    }
  });
  const ViewTables tables(context, g);
  const std::vector<Tile> tiles = tiles_of(fundamental_domain(g.grid, symmetry));
  const int64_t orbits = static_cast<int64_t>(tiles.size());
  const int64_t together =
      g.beam == Beam::parallel ? 1 : std::min(slices, std::max<int64_t>(1, kMostMembers / symmetry.members()));
  const int64_t blocks = (orbits + kOrbitsPerTask - 1) / kOrbitsPerTask, groups = (slices + together - 1) / together;
  std::atomic<int64_t> done{0};
  context.parallel_for(groups * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      const int64_t slice = task / blocks * together, orbit = task % blocks * kOrbitsPerTask;
      const int64_t here = std::min(together, slices - slice);
      add_orbits(context,
                 {g, kernels, tables.table, symmetry, filtered.data() + slice * slice_stride + kMargin, stride,
                  slice_stride, here},
                 tiles.data() + orbit, std::min(kOrbitsPerTask, orbits - orbit), images + slice * g.grid.pixels());
      const int64_t views = slices * g.views(), tasks = groups * blocks, before = done++;
      context.job.advance((before + 1) * views / tasks - before * views / tasks);
    }
  });
}

}  // namespace

void backproject(const Context& context, const BackprojectArgs& args) {
  const Geometry& g = args.geometry;
  // an arc so coarse that the kernels' series would not hold within one bin takes the general way
  const bool coarse = g.beam == Beam::arc && std::fabs(g.pitch) > kCoarsest;
  const WindowKernels* windows = coarse ? nullptr : simd_kernels().windows;
  if (!windows) return backproject_general(context, args);
  for (int64_t s = 0; s < args.slices; s += kSlicesAtOnce)
    backproject_windows(context, g, *windows, std::min(kSlicesAtOnce, args.slices - s), args.sinograms + s * g.rays(),
                        args.images + s * g.grid.pixels());
}

}  // namespace sino::cpu
