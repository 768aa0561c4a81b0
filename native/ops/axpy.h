// axpy: what iterative methods do between projections, to batches of slices that each have factors of their own.
//
// Quantity.
//   axpy         out = clamp(a·x + b·w·y, low, high), a and b one number per slice, w one factor per element for all slices; and if asked
//                the sum of out² of every slice. x, w or y null: 0, 1 and 0. out may be x or y, or null where only sums are asked for.
//   reciprocal   out = scale·m/v where v > least, else 0; m null: 1
// Order. [slice, element] float32, elements contiguous; factors and sums are the host's.
// Edges. NaN stays NaN.
// Precision. float32; sums in double over fixed chunks, added in order: the same for any number of threads. Twins agree to 1e-6 of the
//   largest term.
#pragma once

#include <cstdint>
#include <vector>

#include "native/core/hd.h"

namespace sino {

struct AxpyArgs {
  int64_t slices, length;
  std::vector<double> a;  // one, or one per slice
  const float* x;
  std::vector<double> b;
  const float* weights;  // [length]
  const float* y;
  float low, high;  // −∞ and ∞ do not clamp
  float* output;
  double* squares = nullptr;  // [slices], of the host
};

struct ReciprocalArgs {
  int64_t count;
  float scale, least;
  const float* values;
  const float* mask;
  float* output;
};

inline double factor_of(const std::vector<double>& factors, int64_t slice) {
  return factors[factors.size() == 1 ? 0 : slice];
}

SINO_HD inline float axpy_of(float a, float x, float b, float y, float low, float high) {
  const float sum = a * x + b * y, raised = sum < low ? low : sum;
  return raised > high ? high : raised;
}

SINO_HD inline float reciprocal_of(const ReciprocalArgs& args, int64_t i) {
  const float v = args.values[i];
  const bool counts = v > args.least;
  const float quotient = args.scale * (args.mask ? args.mask[i] : 1.0f) / (counts ? v : 1.0f);
  return counts ? quotient : 0.0f;
}

}  // namespace sino
