#include "native/cpu/turned.h"

#include <algorithm>
#include <cstring>

namespace sino::cpu {

namespace {

constexpr int64_t kPlanesAtOnce = 16;  // as many as share a ray in the general kernels
constexpr int64_t kSide = 16;          // of blocks that keep transposed reads in cache

// Pixel (r, c) of the turned image is pixel origin + r·down + c·right of the image.
struct Walk {
  int64_t origin, down, right;
};
Walk walk_of(const Grid& grid, const Turn& t) {
  const int64_t columns = grid.columns, m = grid.rows - 1, n = columns - 1;
  const int64_t row = (t.yx * n - t.yy * m + m) / 2, column = (t.xy * m - t.xx * n + n) / 2;
  return {row * columns + column, t.yy * columns - t.xy, t.xx - t.yx * columns};
}

// body(plane, turn, first row, last row) for all planes
template <typename Body>
void for_rows(const Context& context, const Grid& grid, int64_t planes, const Body& body) {
  const int64_t blocks = (grid.rows + kSide - 1) / kSide;
  context.parallel_for(planes * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      body(i / blocks, i % blocks * kSide, std::min(grid.rows, i % blocks * kSide + kSide));
  });
}

// body(row of `turned`, row of the sinogram or null)
template <typename Body>
void for_views(const Context& context, const TurnedScan& scan, int64_t views, int64_t slices, const Body& body) {
  const int64_t turns = static_cast<int64_t>(scan.turns.size()), leaders = scan.geometry.views();
  context.parallel_for(slices * turns * leaders, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t plane = i / leaders, view = scan.view[i % leaders * turns + plane % turns];
      body(i, view < 0 ? -1 : plane / turns * views + view);
    }
  });
}

}  // namespace

int64_t slices_at_once(const TurnedScan& scan) { return kPlanesAtOnce / static_cast<int64_t>(scan.turns.size()); }

void turn_images(const Context& context, const TurnedScan& scan, int64_t slices, const float* images, float* turned) {
  const Grid& grid = scan.geometry.grid;
  const int64_t turns = static_cast<int64_t>(scan.turns.size()), columns = grid.columns, pixels = grid.pixels();
  for_rows(context, grid, slices * turns, [&](int64_t plane, int64_t first, int64_t last) {
    const Walk walk = walk_of(grid, scan.turns[plane % turns]);
    const float* image = images + plane / turns * pixels + walk.origin;
    for (int64_t block = 0; block < columns; block += kSide)
      for (int64_t r = first; r < last; r++)
        for (int64_t c = block; c < std::min(columns, block + kSide); c++)
          turned[plane * pixels + r * columns + c] = image[r * walk.down + c * walk.right];
  });
}

void sum_turned_images(const Context& context, const TurnedScan& scan, int64_t slices, const float* turned,
                       float* images) {
  const Grid& grid = scan.geometry.grid;
  const int64_t turns = static_cast<int64_t>(scan.turns.size()), columns = grid.columns, pixels = grid.pixels();
  for_rows(context, grid, slices, [&](int64_t slice, int64_t first, int64_t last) {
    float* image = images + slice * pixels;
    std::copy(turned + slice * turns * pixels + first * columns, turned + slice * turns * pixels + last * columns,
              image + first * columns);  // the first turn is none
    for (int64_t j = 1; j < turns; j++) {
      Turn back = scan.turns[j];
      std::swap(back.xy, back.yx);
      const Walk walk = walk_of(grid, back);
      const float* source = turned + (slice * turns + j) * pixels + walk.origin;
      for (int64_t block = 0; block < columns; block += kSide)
        for (int64_t r = first; r < last; r++)
          for (int64_t c = block; c < std::min(columns, block + kSide); c++)
            image[r * columns + c] += source[r * walk.down + c * walk.right];
    }
  });
}

void turn_views(const Context& context, const TurnedScan& scan, int64_t views, int64_t slices, const float* sinograms,
                float* turned) {
  const int64_t bins = scan.geometry.bins;
  for_views(context, scan, views, slices, [&](int64_t to, int64_t from) {
    if (from < 0)
      std::fill_n(turned + to * bins, bins, 0.0f);
    else
      std::copy_n(sinograms + from * bins, bins, turned + to * bins);
  });
}

void turn_views_back(const Context& context, const TurnedScan& scan, int64_t views, int64_t slices, const float* turned,
                     float* sinograms) {
  const int64_t bins = scan.geometry.bins;
  for_views(context, scan, views, slices, [&](int64_t from, int64_t to) {
    if (to >= 0) std::copy_n(turned + from * bins, bins, sinograms + to * bins);
  });
}

}  // namespace sino::cpu
