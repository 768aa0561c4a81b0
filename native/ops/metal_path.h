// metal_path: from the projected metal mask to metal line integrals and the metal trace.
//
// Quantity. L is the length of metal on each ray in mm (the projection of a 0/1 mask). trace = L > 0; P = attenuation·L. With
//   Edge::div4, rays of the trace whose left or right neighbour on the detector lies outside it get P/4: the field's stand-in
//   for partial volume (erosion of the trace by 3 bins along the detector; the removed bins are the edge). Edge::none leaves
//   P as it is.
// Order. [lines, bins], one line per slice and view; one iteration is one line. Reads 4 bytes per ray, writes 5.
// Edges. Beyond the detector nothing is known, so its first and last bin are no edges by themselves.
// Precision. One float multiplication and an exact quarter: twins agree bit for bit.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

enum class Edge { none, div4 };

struct MetalPathArgs {
  int64_t lines, bins;
  float attenuation;  // 1/mm
  Edge edge;
  const float* lengths;
  float* paths;
  uint8_t* trace;  // 1 inside
};

constexpr float kBeyondDetector = 1;  // any length: no edge

SINO_HD inline float metal_path_between(const MetalPathArgs& args, float left, float here, float right) {
  if (!(here > 0)) return 0;
  const float path = args.attenuation * here;
  return args.edge == Edge::div4 && (!(left > 0) || !(right > 0)) ? path * 0.25f : path;
}

SINO_HD inline float metal_path_at(const MetalPathArgs& args, const float* lengths, int64_t k) {
  return metal_path_between(args, k > 0 ? lengths[k - 1] : kBeyondDetector, lengths[k],
                            k + 1 < args.bins ? lengths[k + 1] : kBeyondDetector);
}

}  // namespace sino
