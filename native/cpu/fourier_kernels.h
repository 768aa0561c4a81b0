// The innermost loops of the Fourier route, once per instruction set (fourier_kernels.inl in fourier_kernels_*.cc), chosen
// together with those of kernels.h.
//
// FFT. One transform per lane, real and imaginary parts apart, in place, decimation in frequency: radix 4, 5, 3, 2, natural
// order in, `place[frequency]` out, so that reordering is done by whoever reads the result. The way back is
// its adjoint, step by step (`place` in, natural order out), so that rounded twiddles do not spoil ⟨Ax, y⟩ = ⟨x, Aᵀy⟩. Real
// lines go in pairs, one as real, one as imaginary part.
//
// Grid. Half a plane: [cell x][cell y ≥ 0] complex, rows of `stride` floats, padded by kFourierPad cells on every side so
// that no sum along a line has to wrap: x from −grid_x/2, y from 0. The image's columns run along x; rows, along y.
#pragma once

#include <cstdint>

#include "native/ops/fourier.h"

namespace sino {

constexpr int kFourierPoints = 64;  // samples worked on together

struct FftPlan {  // FourierTransform, in plain pointers
  int64_t length;
  int passes;
  const int32_t* radix;
  const float *twiddles, *twiddles_end;
  const int32_t* place;
};

struct FourierGrid {
  int64_t cells_x, cells_y;  // whole period; y is stored from 0 to cells_y/2
  int64_t stride;            // floats per row
  float* data;               // [cells_x + 2·kFourierPad, stride], first padding included
  int64_t half() const { return cells_y / 2 + 1; }
  int64_t size() const { return (cells_x + 2 * kFourierPad) * stride; }
};

struct FourierFilterTables {  // FourierFilter, in plain pointers
  FftPlan fft;                // of length 0: no filter
  int64_t measured_bins, first_bin;
  const float *response, *ray_weights, *view_weights;
};

struct FourierTables {  // FourierPlan, in plain pointers
  FftPlan fft_x, fft_y, fft_view;
  int64_t rows, columns, bins, most_samples;
  const float *column_weights, *row_weights, *sample_weights, *kernel_x, *kernel_y;
  FourierFilterTables filter;
};

struct FourierKernels {
  int width;  // lanes

  // Image columns [2·width·block, …) to their half spectra and back. `middle` is [y block][column][re, im][width y];
  // `work` holds 2·cells_y·width floats.
  void (*columns_forward)(const FourierTables&, const float* image, int64_t block, float* middle, float* work);
  void (*columns_backward)(const FourierTables&, const float* middle, int64_t block, float* image, float* work);
  // One y block of `middle` to the grid and back; work 2·cells_x·width floats.
  void (*rows_forward)(const FourierTables&, const float* middle, int64_t block, const FourierGrid& grid, float* work);
  void (*rows_backward)(const FourierTables&, const FourierGrid& grid, int64_t block, float* middle, float* work);
  // Sums along one line; samples complex.
  void (*gather)(const FourierTables&, const FourierGrid& grid, const FourierLine& line, float* samples);
  // Adds samples [begin, end) of one line to the grid.
  void (*spread)(const FourierTables&, const FourierGrid& grid, const FourierLine& line, int32_t begin, int32_t end,
                 const float* samples);
  // Samples of `count` ≤ 2·width lines, [line][stride] complex, to their views and back; work 2·length·width floats, of the longer of the
  // view's and the filter's transform. On
  // the way back views are filtered where there is a filter.
  void (*views_forward)(const FourierTables&, const FourierLine* lines, int count, const float* samples, int64_t stride,
                        float* sinogram, float* work);
  void (*views_backward)(const FourierTables&, const FourierLine* lines, int count, const float* sinogram,
                         float* samples, int64_t stride, float* work);
};

const FourierKernels& fourier_kernels();

}  // namespace sino
