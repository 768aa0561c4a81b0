// components: connected parts of a mask, labelled, sifted by size, or with their holes filled.
//
// Quantity.
//   label      labels(p) = number of the part that p belongs to, 1, 2, … in the order of each part's first pixel; 0 outside the mask
//   keep       mask(p) = 1 where p belongs to a part of at least `least` pixels
//   fill_holes mask(p) = 1 in the mask and in every part of the rest that does not touch the border of its slice (volume)
//   2-D: each slice by itself, over 4 or 8 neighbours; numbers go on from slice to slice. 3-D: over 6, 18 or 26 neighbours.
// Method. Rows are cut into runs of set pixels; runs that touch in neighbouring rows are united (union by smaller number, path halving).
//   C. Fiorio, J. Gustedt, "Two linear time union-find strategies for image processing", 1996. Work grows with the runs, not the pixels.
// Order. mask [slice, row, column] uint8, labels int32 of the same shape. An iteration is one row: 1 byte read, 4 (1) written per pixel.
// Edges. What is not zero is set. Holes: the background is connected over 4 (6) neighbours; without slices or rows nothing is done.
// Precision. Integers: twins agree exactly.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct ComponentsArgs {
  int64_t slices, rows, columns;
  int connectivity;  // 4 or 8: 2-D; 6, 18 or 26: 3-D
  const uint8_t* mask;
  int32_t* labels;  // label
  int64_t least;    // keep
  uint8_t* result;  // keep and fill_holes
  int64_t* count;   // label, keep: parts found (keep: and kept)
};

struct ComponentSizesArgs {
  int64_t pixels;
  const int32_t* labels;
  int64_t count;
  int32_t* sizes;  // [count]; labels outside 1 … count are left out
};

// How far apart in columns two runs may lie and still touch, for rows that are dz slices and dy rows apart; −1: never.
SINO_HD inline int reach_of_rows(int connectivity, int dz, int dy) {
  const int away = dz + dy;  // 0 to 2
  switch (connectivity) {
    case 4:
      return dz ? -1 : 0;
    case 8:
      return dz ? -1 : 1;
    case 6:
      return away <= 1 ? 0 : -1;
    case 18:
      return away <= 1 ? 1 : 0;
    default:
      return 1;
  }
}

}  // namespace sino
