// bias_field: the slow change of brightness over an MR volume, and the volume without it: N4.
//
// Quantity. v = ln(image) within the mask; the field f, smooth, is sought for which v − f has a sharper histogram. A step: the histogram of
//   v − f (bins of equal width, each value shared between two) is deconvolved by a Gaussian of width `fwhm` (Wiener, noise 0.01); e = the mean of
//   the sharpened values that a value may come from; v − f − e, fitted by cubic B-splines, is added to f. On each level until f changes by
//   less than `tolerance` (the spread of exp of its change over its mean) or the iterations end; then the mesh is halved, `levels` times.
//   output = image/exp(f), f of mean 0 over the mask; field = exp(f). N. J. Tustison et al., "N4ITK", IEEE TMI 29(6), 2010; B-splines by
//   weighted control points: S. Lee, G. Wolberg, S. Y. Shin, IEEE TVCG 3(3), 1997.
// Order. [slice, row, column] float32, the whole volume at once; the fit uses every shrink-th voxel of each axis.
// Edges. Voxels that are not positive are not used, and are divided like the others. One slice is a plane: no change along slices.
// Precision. Sums in double in chunks of rows, added in order. Twins agree to 1e-5 of the field where both take as many iterations.
#pragma once

#include <cstdint>
#include <vector>

#include "native/core/hd.h"

namespace sino {

struct BiasFieldArgs {
  int64_t slices, rows, columns;
  int64_t shrink[3];  // of slices, rows, columns
  int64_t mesh[3];    // cells of the first level
  int levels, iterations, bins;
  double fwhm, tolerance;
  const float* input;
  const uint8_t* mask;  // null: where positive
  float* field;
  float* output;
};
constexpr int kMostBiasLevels = 8, kSplineTaps = 4;

SINO_HD inline bool bias_uses(const BiasFieldArgs& a, int64_t p) {
  return (!a.mask || a.mask[p]) && a.input[p] > 0 && a.input[p] <= 3.402823466e38f;
}

// Weights of the control points at every shrink-th of n places; one control point where there is one place.
struct SplineAxis {
  SplineAxis(int64_t n, int64_t shrink, int64_t cells);
  int64_t size() const { return static_cast<int64_t>(first.size()); }
  int64_t controls, taps;
  std::vector<int64_t> first;   // control point of each place
  std::vector<double> weights;  // kSplineTaps of each place
};

// A histogram's bins from the lowest value to the highest; where all values are equal they are 1 wide.
struct BiasBins {
  double low, width;
  int64_t count;
  SINO_HD BiasBins(double low, double high, int64_t count) : low(low), width((high - low) / (count - 1)), count(count) {
    if (!(width > 0)) width = 1;
  }
  SINO_HD double place(double value) const { return (value - low) / width; }
  // The one of two neighbouring bins that share a value.
  SINO_HD int64_t first(double place) const {
    const int64_t bin = place > 0 ? static_cast<int64_t>(place) : 0;
    return bin < count - 2 ? bin : count - 2;
  }
  // The mean of the sharpened values behind a value, `means` those behind each bin.
  SINO_HD double mean(const double* means, double value) const {
    const double at = place(value);
    const int64_t bin = first(at);
    return means[bin] + (at - double(bin)) * (means[bin + 1] - means[bin]);
  }
};
std::vector<double> sharpened_means(const BiasFieldArgs& args, const BiasBins& bins,
                                    const std::vector<double>& histogram);

}  // namespace sino
