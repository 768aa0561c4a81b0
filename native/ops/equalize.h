// equalize: grey values spread so that each share of the range holds its share of the pixels, over the slice or tile by tile.
//
// Quantity. The slice is cut into row_tiles × column_tiles tiles of nearly equal size. A tile's histogram of `bins` equal bins over
//   [low, high] is clipped: h ← min(h, L) + E/bins, L = limit·n/bins and E the counts above it, spread over all bins once (limit 0: not
//   clipped). F(v) = share of the tile's counts below v, linear within a bin, so that values are not quantised. The mappings of the four
//   tiles whose centres are around a pixel are mixed bilinearly, the border tile's own beyond the outermost centres:
//     out = low + (high − low)·Σ_tiles w·F_tile(v).
//   One tile without limit is histogram equalisation, several with a limit CLAHE (K. Zuiderveld, Graphics Gems IV, 1994, where what
//   is above the limit is spread repeatedly and values are whole numbers).
// Order. [slice, row, column] float32. Histograms first, one pass over a tile, then one pass over the rows: four look-ups per pixel.
// Edges. Values outside [low, high] count and map as its ends. NaN counts nowhere and stays. A tile without values maps linearly.
// Precision. Tables float32: twins agree to 1e-6 of the range.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

constexpr int kMostEqualizeBins = 1 << 16;

struct EqualizeArgs {
  int64_t slices, rows, columns;
  int64_t row_tiles, column_tiles;  // at most rows and columns
  int bins;
  double limit;
  const double *low, *high;  // [slices]
  const float* input;
  float* output;
};

// First row (or column) of tile t.
SINO_HD inline int64_t tile_begin(int64_t t, int64_t tiles, int64_t n) { return t * n / tiles; }

// Between the centres of which tiles a pixel lies, and how near to the second.
struct TilePlace {
  int64_t first, second;
  float share;
};
SINO_HD inline TilePlace tile_place(int64_t i, int64_t tiles, int64_t n) {
  const auto centre = [=](int64_t t) {
    return 0.5 * double(tile_begin(t, tiles, n) + tile_begin(t + 1, tiles, n) - 1);
  };
  int64_t t = i * tiles / n;
  while (t > 0 && centre(t) > double(i)) t--;
  while (t + 1 < tiles && centre(t + 1) <= double(i)) t++;
  if (double(i) < centre(0)) return {0, 0, 0};
  if (t + 1 == tiles) return {t, t, 0};
  return {t, t + 1, float((double(i) - centre(t)) / (centre(t + 1) - centre(t)))};
}

// Bin of a value and how far into it; F is linear in between.
struct BinPlace {
  int bin;
  float share;
};
SINO_HD inline BinPlace bin_place(float v, double low, double scale, int bins) {
  const double from = (v - low) * scale, at = from < 0 ? 0 : from > bins ? bins : from;
  const int bin = at < bins ? int(at) : bins - 1;
  return {bin, float(at - bin)};
}

// What of a bin is above the limit.
SINO_HD inline double above_limit(double count, double limit) { return count > limit ? count - limit : 0; }

}  // namespace sino
