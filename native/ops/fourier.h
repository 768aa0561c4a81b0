// fourier: parallel projection and its exact transpose through Fourier space, the second route beside joseph.
//
// Quantity. Central slice theorem: the 1-D transform of a view is the 2-D transform of the image along a line through
//   zero. With image values taken as samples of a band-limited function,
//     p(t_k) = dx·dy·Δω Σ_{|j| ≤ J} a(j/L) F(ω_j û) e^{2πi ω_j t_k},   ω_j = j·Δω,  Δω = 1/(L·pitch),  t_k = (k − centre)·pitch
//     F(ω)   = Σ_{r,c} image(r, c) e^{−2πi ω·x(r, c)}
//   where J ends the sum at the image's own limit, (ω_x·dx)² + (ω_y·dy)² ≤ ¼, and a is the apodisation: 1, or sinc² as
//   linear interpolation between bins has it (FBP). F is read off a grid of 1.5 times the image's size or more with a
//   separable Kaiser–Bessel kernel of kSpan cells: image ÷ kernel's transform → 2-D FFT → kernel sums along lines →
//   1-D FFT. The transpose is the same steps backwards, each one transposed (spreading for sums), with the very same
//   weights: ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ to the rounding of float32. J. A. Fessler, B. P. Sutton, IEEE TSP 51(2), 2003; A. H.
//   Barnett, J. Magland, L. af Klinteberg, SISC 41(5), 2019; the kernel is from J. I. Jackson et al., IEEE TMI 10(3), 1991.
// Order. images [slice, row, column], sinograms [slice, view, bin], float32, contiguous.
// Edges. L covers detector and image together, so that what wraps around falls beside the image. Bins wider than the
//   image's resolution sample the view as it is (frequencies beyond the detector's fold), finer ones interpolate it.
//   Projections ring near sharp edges, by a few permille of the edge, where joseph blurs them.
// Precision. The kernel errs by 3.4e-5 (root mean square over the image, relative; 1e-4 in its corners). Places on the grid
//   are double, weights and sums float32; around zero frequency, where all views meet, the transpose sums in double: float32
//   sums of 720 views made ⟨Ax, y⟩ and ⟨x, Aᵀy⟩ differ by 5e-6, now by 2e-7. A grid of 1.25 times the size needs 7 cells for
//   an error of 6.4e-5 and was no faster: sums along lines take most of the time, not the FFT.
// Cost. N views of N bins: FFTs 2.5·(1.5 N)²·log₂(1.5 N)² flops, sums 36 complex multiply-adds per sample of a line; no
//   term grows with N³, as it does in joseph.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "native/core/hd.h"
#include "native/geometry/geometry.h"
#include "native/ops/ramp.h"

namespace sino {

constexpr int kFourierSpan = 6;    // cells that the kernel covers
constexpr int kFourierDegree = 6;  // of its polynomials: exact to 4e-7

enum class Apodisation { none, linear };

struct FourierOptions {
  Apodisation apodisation = Apodisation::none;
  double scale = 1;
  // For FBP: the transpose takes views as measured, and filters them on the way (ramp.h). The detector's bins
  // [first_bin, first_bin + measured_bins) are in the sinogram; the others are zero.
  const FilterPlan* filter = nullptr;
  int64_t measured_bins = 0, first_bin = 0;
};

// A line of samples j = 0 … samples − 1 at grid place (j·step_x, j·step_y) with step_y ≥ 0: half of the plane says all
// about a real image. A view whose line runs the other way is turned by 180° (mirrored).
struct FourierLine {
  double step_x, step_y;      // cells per sample
  double phase_re, phase_im;  // e^{2πi·(turn per sample)}: moves bins and pixels to where they are
  int32_t samples;
  int32_t middle_samples;  // those within middle_radius of zero
  int32_t view;
  bool mirrored;
};

// Mixed-radix FFT, decimation in frequency: natural order in, frequency f at place[f] out.
struct FourierTransform {
  int64_t length = 0;
  std::vector<int32_t> radices;
  std::vector<float> twiddles;  // per pass, per k < span/radix: radix − 1 pairs (cos, sin)
  std::vector<int32_t> place;   // [frequency]
};

// Samples [begin, end) of one line, all with their first cell in one tile.
struct FourierSegment {
  int32_t line, begin, end;
};

// Tiles of kFourierTileX × kFourierTileY cells. A sample reaches less than a tile beyond its own, so tiles of one colour
// (row and column both even, …) never touch the same cell.
constexpr int64_t kFourierTileX = 32, kFourierTileY = 64;
constexpr int64_t kFourierMiddle = 16;  // cells around zero that the transpose sums apart, in double
constexpr int kFourierPad = 8;          // cells around the stored half-plane, so that no sum along a line has to wrap

// The filter of FBP on a transform of any length: what ramp_filter computes, to rounding.
struct FourierFilter {
  FourierTransform transform;       // of length 0: no filter
  std::vector<float> response;      // [frequency]
  std::vector<float> ray_weights;   // [measured bin]
  std::vector<float> view_weights;  // [view]
};

struct FourierPlan {
  int64_t rows = 0, columns = 0, bins = 0, views = 0;
  FourierTransform transform_x, transform_y, transform_view;  // cells of the grid, and L
  int32_t most_samples = 0;
  int64_t measured_bins = 0, first_bin = 0;  // of the transpose's input
  FourierFilter filter;
  std::vector<FourierLine> lines;     // by angle, so that neighbours share cache lines
  std::vector<float> column_weights;  // 1 / kernel's transform
  std::vector<float> row_weights;
  std::vector<float> sample_weights;                  // per j: apodisation, units, scale
  std::vector<float> edge_weights;                    // [views]: ½ where the last sample is the detector's own limit
  std::vector<std::vector<FourierSegment>> tiles[4];  // by colour
  float kernel_x[kFourierDegree + 1][8];   // polynomials of the kernel, highest power first, one column per cell
  float kernel_y[kFourierDegree + 1][16];  // every column twice, for real and imaginary part
};

inline int64_t middle_radius(const FourierPlan& plan) {
  return std::min({kFourierMiddle, plan.transform_x.length / 2, plan.transform_y.length / 2});
}

// Throws unsupported for beams other than parallel and for detectors too fine to hold the image's width in one transform.
// The last few plans are kept: one that was asked for again costs a comparison of the geometry.
std::shared_ptr<const FourierPlan> fourier_plan(const Geometry& geometry, const FourierOptions& options);

struct FourierArgs {
  const FourierPlan& plan;
  int64_t slices;
  const float* input;  // images, or sinograms for the transpose
  float* output;       // overwritten
};

// Smallest even product of 2, 3 and 5 that is at least n and cheap to transform.
int64_t fourier_length(int64_t least);

// First cell under the kernel around `place` ≥ 0, and how far (0, 1] it lies above place − kFourierSpan/2: the argument of
// the kernel's polynomials.
struct FourierPlace {
  int32_t cell;
  float fraction;
};
SINO_HD inline FourierPlace fourier_place(double place) {
  const double low = place - kFourierSpan / 2.0;
  const int32_t cell = static_cast<int32_t>(low) + 1;
  return {cell, static_cast<float>(cell - low)};
}

}  // namespace sino
