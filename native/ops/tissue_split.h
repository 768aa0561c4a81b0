// tissue_split: an image divided into water-like and bone-like attenuation, the two basis materials of tissue.
//
// Quantity. µ = max(scale·x + shift, 0) in 1/mm (scale and shift turn HU into µ, or are 1 and 0);
//   w = clamp((µ − low)/(high − low), 0, 1); bone = w·µ; water = µ − bone. A soft threshold, because a hard one would put
//   edges into the projections where the image has none.
// Order. Any; one iteration is one pixel, reads 4 bytes, writes 12.
// Edges. NaN stays NaN in all three.
// Precision. float; water + bone = µ up to one rounding. Twins agree to 1 ulp (contraction of scale·x + shift).
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct TissueSplitArgs {
  int64_t count;
  float scale, shift;  // µ = scale·input + shift
  float low, high;     // 1/mm: all water below, all bone above
  const float* input;
  float *mu, *water, *bone;
};

SINO_HD inline void tissue_split_value(const TissueSplitArgs& args, float input, float* mu, float* water, float* bone) {
  const float x = args.scale * input + args.shift, all = x < 0 ? 0 : x;
  const float t = (all - args.low) / (args.high - args.low), weight = t < 0 ? 0 : t > 1 ? 1 : t, hard = weight * all;
  *mu = all;
  *bone = hard;
  *water = all - hard;
}

}  // namespace sino
