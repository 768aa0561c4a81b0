// How a view looks from a tile of pixels: TileView (native/ops/backproject.h) and the bins that the tile sees. What the kernels
// that go from pixels to bins share: backproject, joseph_transpose, backproject_tensor.
#pragma once

#include <climits>

#include "cuda/scanner.cuh"
#include "native/ops/backproject.h"
#include "native/ops/joseph.h"

namespace sino::cuda {

// The two bins around every pixel, and around its neighbours where asked for, lie in [first, first + count). Where a tile reaches behind the source, count is INT_MAX: ask bin by bin.
struct SeenTile {
  TileView view;
  int32_t first, count;
};

// Where the line through a pixel meets the detector, in bins from view.base, and its weight in FBP.
struct Spot {
  float place, weight;
};
struct Detector {
  float inverse_pitch, sod;
  explicit __device__ Detector(const Scanner& g) : inverse_pitch(float(1 / g.pitch)), sod(float(g.sod)) {}
  template <Beam B>
  __device__ __forceinline__ Spot spot(float a, float b) const {
    if constexpr (B == Beam::parallel) return {a, 1};
    if constexpr (B == Beam::flat) {
      const float inverse = __frcp_rn(b), near = sod * inverse;
      return {a * inverse, near * near};
    }
    return {atan2f(a, b) * inverse_pitch, sod * sod * __frcp_rn(a * a + b * b)};
  }
};

// joseph_edge of bin base + k, with k counted from base.
struct alignas(16) RayEdge {
  float x, y, weight;
};
inline __device__ RayEdge ray_edge(const Scanner& g, const Pose& pose, int base, int k) {
  const JosephEdge e = joseph_edge(g, pose, base, k);
  return {e.x, e.y, e.weight};
}

template <Beam B>
__device__ SeenTile see_tile(const Scanner& g, int64_t view, int64_t row, int64_t column, int rows, int columns,
                             int neighbours = 0) {
  SeenTile seen = {tile_view(g, g.poses[view], row, column, rows, columns), 0, 0};
  const TileView& v = seen.view;
  const Detector detector(g);
  float low = INFINITY, high = -INFINITY;
  bool ahead = true;
  for (int corner = 0; corner < 4; corner++) {
    const float r = float(corner & 1 ? rows - 1 + neighbours : -neighbours);
    const float c = float(corner & 2 ? columns - 1 + neighbours : -neighbours);
    const float a = v.a0 + r * v.ar + c * v.ac, b = v.b0 + r * v.br + c * v.bc;
    const float place = detector.template spot<B>(a, b).place;
    ahead = ahead && b > 0;
    low = fminf(low, place), high = fmaxf(high, place);
  }
  ahead = ahead && low > -1e6f && high < 1e6f;
  const int below = ahead ? __float2int_rd(low) : 0;
  seen.first = v.base + below - 1;
  seen.count = ahead ? __float2int_rd(high) - below + 4 : INT_MAX;
  return seen;
}

}  // namespace sino::cuda
