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
// Edges. Blocks lie within the image: slices of less than 8 × 8 pixels are copied. A block with NaN or infinity matches none and is
//   NaN altogether, in either pass; nothing farther than 14 rows or columns from such a pixel is.
// Precision. float32; sums of overlapping strips of blocks are added in order. Twins take the same matches; they agree to 1e-4 of σ.
#pragma once

#include <cmath>
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

constexpr float kMatchCut = 2.7f;                   // of σ, first pass
constexpr float kMatchFarthest[2] = {4.0f, 0.64f};  // mean square distance of a match, of σ², in either pass

// Reference blocks along n pixels, and where one begins.
SINO_HD inline int64_t match_references(int64_t n) { return (n - kMatchBlock + kMatchStep - 1) / kMatchStep + 1; }
SINO_HD inline int64_t match_place(int64_t k, int64_t n) {
  return k * kMatchStep < n - kMatchBlock ? k * kMatchStep : n - kMatchBlock;
}

struct MatchTables {
  float dct[kMatchBlock][kMatchBlock];     // [frequency][place], orthonormal
  float window[kMatchBlock][kMatchBlock];  // of Kaiser, β = 2
};
inline MatchTables match_tables() {
  constexpr double kPi = 3.14159265358979323846, kBeta = 2;
  const auto bessel = [](double x) {
    double sum = 1, term = 1;
    for (int k = 1; k < 30; k++) sum += term *= x * x / (4.0 * k * k);
    return sum;
  };
  MatchTables t;
  double taper[kMatchBlock];
  for (int k = 0; k < kMatchBlock; k++) {
    const double at = 2.0 * k / (kMatchBlock - 1) - 1;
    taper[k] = bessel(kBeta * std::sqrt(1 - at * at)) / bessel(kBeta);
    for (int i = 0; i < kMatchBlock; i++)
      t.dct[k][i] = static_cast<float>(std::sqrt((k == 0 ? 1.0 : 2.0) / kMatchBlock) *
                                       std::cos(kPi * (i + 0.5) * k / kMatchBlock));
  }
  for (int y = 0; y < kMatchBlock; y++)
    for (int x = 0; x < kMatchBlock; x++) t.window[y][x] = static_cast<float>(taper[y] * taper[x]);
  return t;
}

}  // namespace sino
