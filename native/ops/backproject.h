// backproject: the weighted, pixel-driven back-projection of filtered views, the last step of FBP. It is not
// the transpose of the projection (see joseph.h for that): it samples every view at the pixel's own place on
// the detector.
//
// Quantity. image(x) = Σ_v W_v(x) · lerp(q_v, t_v(x)), with
//     parallel   t = (x·û)/pitch + centre                              W = 1
//     flat fan   t = sod·(x·û)/(sod + x·d̂)/pitch + centre              W = sod² / (sod + x·d̂)²
//     arc fan    t = atan2(x·û, sod + x·d̂)/pitch + centre              W = sod² / |x − source|²
//   A. C. Kak, M. Slaney, Principles of Computerized Tomographic Imaging, IEEE Press 1988, §3.2–3.4.
// Order. filtered sinograms [slice, view, bin], images [slice, row, column], float32, contiguous.
// Edges. One bin beyond the detector the view falls linearly to zero; further out it contributes nothing.
// Precision. Positions inside a tile of 16 × 16 pixels are float32 relative to a whole bin near the tile, and that
//   bin's place is found in double: a position errs by 1e-7 of the bins that the tile spans (24 in common
//   geometries), wherever the tile lies. Sums over views are float32.
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"
#include "native/geometry/geometry.h"

namespace sino {

class Prepared;

struct BackprojectArgs {
  const Geometry& geometry;
  int64_t slices;
  const float* sinograms;
  float* images;                 // overwritten
  Prepared* prepared = nullptr;  // keeps the geometry's tables
};

// What a view looks like from one tile. With (r, c) counted from the tile's first pixel,
//   a = a0 + r·ar + c·ac and b = b0 + r·br + c·bc; then
//   parallel  t − base = a;    flat  t − base = a/b;    arc  t − base = atan(a/b)/pitch.
struct TileView {
  float a0, ar, ac, b0, br, bc;
  int32_t base;
};

// Scanner: Geometry, or what kernels have of it.
template <typename Scanner>
SINO_HD inline TileView tile_view(const Scanner& g, const Pose& pose, int64_t row, int64_t column, int64_t rows,
                                  int64_t columns) {
  const double x = g.grid.x0 + column * g.grid.dx, y = g.grid.y0 - row * g.grid.dy;
  const double half_x = (columns - 1) / 2.0 * g.grid.dx, half_y = (rows - 1) / 2.0 * g.grid.dy;
  // n = x·û and d = sod + x·d̂ at the first pixel, their steps per row and per column, and n, d at the tile's
  // middle
  const double n0 = x * pose.ux + y * pose.uy, nr = -g.grid.dy * pose.uy, nc = g.grid.dx * pose.ux;
  const double d0 = g.sod - x * pose.uy + y * pose.ux, dr = -g.grid.dy * pose.ux, dc = -g.grid.dx * pose.uy;
  const double n_mid = n0 + half_x * pose.ux - half_y * pose.uy, d_mid = d0 - half_x * pose.uy - half_y * pose.ux;
  TileView v;
  if (g.beam == Beam::parallel) {
    const double base = floor(n_mid / g.pitch + g.centre);
    v = {float(n0 / g.pitch + g.centre - base), float(nr / g.pitch), float(nc / g.pitch), 1, 0, 0, int32_t(base)};
  } else if (g.beam == Beam::flat) {
    const double base = floor(g.sod * n_mid / d_mid / g.pitch + g.centre);
    const double k = g.sod / g.pitch, shift = g.centre - base;
    v = {float(k * n0 + shift * d0),
         float(k * nr + shift * dr),
         float(k * nc + shift * dc),
         float(d0),
         float(dr),
         float(dc),
         int32_t(base)};
  } else {
    // turned so that the whole bin `base` lies straight ahead
    const double base = floor(atan2(n_mid, d_mid) / g.pitch + g.centre);
    const double c = cos((base - g.centre) * g.pitch), s = sin((base - g.centre) * g.pitch);
    v = {float(n0 * c - d0 * s), float(nr * c - dr * s), float(nc * c - dc * s), float(d0 * c + n0 * s),
         float(dr * c + nr * s), float(dc * c + nc * s), int32_t(base)};
  }
  return v;
}

}  // namespace sino
