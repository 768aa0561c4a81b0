// tissue: which pixels are air, soft tissue and bone, and the prior image that NMAR makes of them.
//
// Quantity.
//   thresholds  3-class k-means of the pixel values of each slice (Lloyd's iteration, exact, not on a histogram), centres starting at 0,
//               µw and 2µw, until nothing moves or after 300 iterations. T_water = the smallest value in the middle class, T_bone =
//               max(smallest value in the upper class, 1.2·µw) (E. Meyer et al., Med. Phys. 37, 2010, as the field computes it).
//   prior       value ≤ T_water → 0;  T_water < value < T_bone → µw;  value ≥ T_bone → value
// Order. images [slice, pixel] float32, thresholds double [slice]. An iteration is one slice.
// Edges. NaN and infinite pixels belong to no class, and are 0 in the prior (+∞ stays). A value midway between two
//   centres belongs to the lower one. A class without pixels keeps its centre; its smallest value is then taken to be
//   the midpoint to the centre below.
// Precision. Sums in double. Twins agree to 1 ulp of float32 unless a pixel lies within rounding of a class boundary.
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct TissueThresholdsArgs {
  int64_t slices, pixels;
  double mu_water;
  const float* images;
  double *water, *bone;  // [slices]
};

struct TissuePriorArgs {
  int64_t slices, pixels;
  float mu_water;
  const double *water, *bone;  // [slices]
  const float* images;
  float* prior;
};

constexpr int kMostTissueIterations = 300;
constexpr double kLeastBoneOverWater = 1.2;

// The largest float that is not above the midpoint: value > edge in float is value > midpoint in double.
SINO_HD inline float class_edge(double a, double b) {
  const double middle = (a + b) / 2;
  const float edge = static_cast<float>(middle);
  return edge > middle ? nextafterf(edge, -INFINITY) : edge;
}

// From the centres and the smallest values above the edges, infinite where there are none.
SINO_HD inline double water_threshold(const double* centres, float high, float smallest) {
  return smallest <= high ? smallest : (centres[0] + centres[1]) / 2;
}
SINO_HD inline double bone_threshold(const double* centres, double mu_water, float smallest) {
  const double bone = smallest < INFINITY ? smallest : (centres[1] + centres[2]) / 2;
  const double least = kLeastBoneOverWater * mu_water;
  return bone < least ? least : bone;
}

SINO_HD inline float tissue_prior_value(float value, float water, float bone, float mu_water) {
  if (value >= bone) return value;
  return value > water ? mu_water : 0.0f;
}

}  // namespace sino
