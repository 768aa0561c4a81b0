// block_matching: BM3D, noise removed from groups of blocks that look alike, slice by slice.
//
// Quantity. For every reference block (8 × 8 pixels, every 3rd row and column) the most similar blocks around it, by the mean square
//   of their differences, are stacked (up to 16, a power of two). A 3-D transform (DCT of each block,
//   Haar through the stack) makes what they share few and large coefficients.
//     First pass: coefficients below 2.7·σ are set to zero; blocks are put back where they came from, weighted by 1/(how many are left).
//     Second pass: blocks are matched and the coefficients c of the noisy stack scaled by e²/(e² + σ²), e those of the first
//     pass's result; weights 1/(Σ of squared factors).
//   K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, IEEE TIP 16(8), 2007; M. Lebrun, IPOL 2, 2012 (whose choices these are, but for the search).
// Order. [slice, row, column] float32. An iteration is a row of reference blocks. σ = 0 copies.
// Edges. Blocks lie within the image: slices of less than 8 × 8 pixels are copied. NaN spreads.
// Precision. float32; sums of overlapping rows of blocks are added in order. There is no CUDA twin.
#pragma once

#include <cstdint>
#include <vector>

#include "native/core/hd.h"

namespace sino {

constexpr int kMatchBlock = 8, kMatchStep = 3, kMatchMost = 16;

struct BlockMatchingArgs {
  int64_t slices, rows, columns;
  int search;                  // rows and columns to either side
  std::vector<double> sigmas;  // one, or one per slice
  const float* input;
  float* output;
};

}  // namespace sino
