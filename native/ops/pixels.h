// pixels: what is done to every pixel by itself, and statistics over all of them.
//
// Quantity.
//   combine    out = clamp(offset + Σ_k weight_k · x_k, low, high): sums and differences of images, HU from
//   attenuation and back,
//              clipping
//   threshold  mask = value at least (above), or below, a level
//   select     out = mask ≠ 0 ? a : b, a and b images or one number each
//   non_zero   mask = value ≠ 0 (NaN counts as not zero, as in NumPy)
//   statistics how many values are NaN or infinite; smallest, largest and sum of the others
// Order. Flat arrays of `count` elements, float32 and uint8, contiguous. An iteration is one element; all of it is
//   bound by memory: combine reads 4 bytes per term and writes 4, threshold reads 4 and writes 1.
// Edges. NaN: combine gives NaN (clamping keeps it); no comparison of threshold is true, so the mask is 0.
// Precision. combine works in double and rounds once. Sums are double, added in fixed chunks that are added in order:
//   they do not depend on the number of threads. Twins agree exactly, sums to 1e-12.
#pragma once

#include <cstdint>
#include <vector>

#include "native/core/hd.h"

namespace sino {

struct CombineArgs {
  int64_t count;
  std::vector<const float*> terms;
  std::vector<double> weights;
  double offset, low, high;  // low = −∞ and high = ∞ do not clamp
  float* output;
};

struct ThresholdArgs {
  int64_t count;
  const float* input;
  float level;
  bool above;
  uint8_t* mask;
};

struct NonZeroArgs {
  int64_t count;
  const float* input;
  uint8_t* mask;
};

struct SelectArgs {
  int64_t count;
  const uint8_t* mask;
  const float *a, *b;  // null: the number instead
  float a_value, b_value;
  float* output;
};

struct Statistics {
  int64_t non_finite;
  double minimum, maximum, sum;  // of the finite values; NaN, NaN and 0 where there are none
};
struct StatisticsArgs {
  int64_t count;
  const float* input;
  Statistics* result;
};

// sum + weight · x, where the device, too, rounds twice.
SINO_HD inline double plus_weighted(double sum, double weight, float x) {
#if defined(__CUDA_ARCH__)
  return __dadd_rn(sum, __dmul_rn(weight, double(x)));
#else
  return sum + weight * x;
#endif
}

SINO_HD inline double clamp_keeping_nan(double x, double low, double high) {
  const double raised = x < low ? low : x;
  return raised > high ? high : raised;
}

}  // namespace sino
