// joseph: line integrals through an image, ray by ray, and their exact transpose.
//
// Quantity. p(ray) = Σ_m w · [(1−f)·image(m, i) + f·image(m, i+1)]: a ray that runs more along y than along x
//   (counted in pixels) crosses every image row m once, at column s_m = start + m·slope; i = ⌊s_m⌋, f = s_m − i, and
//   w is the path length between two rows in mm. Rays closer to x do the same with rows and columns exchanged. Pixels
//   outside are zero. The transpose adds w·(1−f)·p and w·f·p to the same two pixels: A and Aᵀ share joseph_ray and
//   joseph_place, so ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ up to the rounding of float32 sums. P. M. Joseph, "An improved algorithm for
//   reprojecting rays through pixel images", IEEE TMI 1(3), 1982.
// Order. images [slice, row, column], sinograms [slice, view, bin], float32, contiguous.
// Edges. A ray that misses the grid is zero. Between the outermost pixel centres and one pixel further out the image
//   falls linearly to zero.
// Precision. start and slope are double, s_m is evaluated in double from them (no running sum), f is rounded to
//   float.
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"
#include "native/geometry/geometry.h"

namespace sino {

class Prepared;

struct JosephArgs {
  const Geometry& geometry;
  int64_t slices;
  const float* input;            // images, or sinograms for the transpose
  float* output;                 // overwritten
  Prepared* prepared = nullptr;  // keeps the geometry's tables
};

struct JosephRay {
  double start, slope;  // position on the minor axis at line m is start + m·slope, in pixels
  float weight;         // mm of path per line
  int32_t first, last;  // lines [first, last) on which the position lies in [−1, n)
  bool along_rows;      // true: the lines are image rows; false: columns
};

struct Ray {
  double px, py, vx, vy;  // a point on it and its direction, any length
};

SINO_HD inline Ray ray_at(Beam beam, double sod, const Pose& pose, double u) {
  const double dx = -pose.uy, dy = pose.ux;
  if (beam == Beam::parallel) return {u * pose.ux, u * pose.uy, dx, dy};
  if (beam == Beam::flat) return {-sod * dx, -sod * dy, sod * dx + u * pose.ux, sod * dy + u * pose.uy};
  const double c = cos(u), s = sin(u);
  return {-sod * dx, -sod * dy, c * dx + s * pose.ux, c * dy + s * pose.uy};
}

// Index into a line that has one zero in front, and the fraction towards the next pixel; for s in [−1, n).
struct JosephPlace {
  int32_t index;
  float fraction;
};
SINO_HD inline JosephPlace joseph_place(double s) {
  const int32_t index = static_cast<int32_t>(s + 1.0);
  return {index, static_cast<float>(s + 1.0 - index)};
}

SINO_HD inline JosephRay joseph_ray(const Grid& grid, const Ray& ray) {
  JosephRay j;
  j.along_rows = fabs(ray.vy) * grid.dx >= fabs(ray.vx) * grid.dy;
  const double length = sqrt(ray.vx * ray.vx + ray.vy * ray.vy);
  int64_t lines, n;
  if (j.along_rows) {
    const double q = ray.vx / ray.vy;
    j.start = (ray.px + (grid.y0 - ray.py) * q - grid.x0) / grid.dx;
    j.slope = -grid.dy * q / grid.dx;
    j.weight = static_cast<float>(grid.dy * length / fabs(ray.vy));
    lines = grid.rows;
    n = grid.columns;
  } else {
    const double q = ray.vy / ray.vx;
    j.start = (grid.y0 - ray.py - (grid.x0 - ray.px) * q) / grid.dy;
    j.slope = -grid.dx * q / grid.dy;
    j.weight = static_cast<float>(grid.dx * length / fabs(ray.vx));
    lines = grid.columns;
    n = grid.rows;
  }
  // Lines on which −1 <= start + m·slope < n, found by division and then corrected by the very expression
  // that kernels use.
  double low = 0, high = static_cast<double>(lines);
  if (j.slope != 0) {
    const double a = (-1 - j.start) / j.slope, b = (static_cast<double>(n) - j.start) / j.slope;
    low = fmax(low, floor(fmin(a, b)));
    high = fmin(high, ceil(fmax(a, b)) + 1);
  }
  j.first = static_cast<int32_t>(fmin(low, static_cast<double>(lines)));
  j.last = static_cast<int32_t>(fmax(high, static_cast<double>(j.first)));
  while (j.first < j.last && !(j.start + j.first * j.slope >= -1 && j.start + j.first * j.slope < n)) j.first++;
  while (j.first < j.last && !(j.start + (j.last - 1) * j.slope >= -1 && j.start + (j.last - 1) * j.slope < n))
    j.last--;
  return j;
}

// The transpose seen from a pixel. With the pixel at (a, b) as TileView has it for whole bin `base` (native/ops/backproject.h), the ray of
// bin base + k crosses the pixel's line of pixels |a·x − b·y| pixels beside it. Rows and columns need no telling apart: the ray's
// line is the one on which a pixel is wider, max(dx·|vy|, dy·|vx|), seen along the ray v.
struct JosephEdge {
  float x, y, weight;  // weight: mm of path per line, as in JosephRay
};
template <typename Scanner>
SINO_HD inline JosephEdge joseph_edge(const Scanner& g, const Pose& pose, int base, int k) {
  const float dx = float(g.grid.dx), dy = float(g.grid.dy), ux = float(pose.ux), uy = float(pose.uy);
  const float pitch = float(g.pitch), u = float((base + k - g.centre) * g.pitch);
  float along = 1, across = 0, turn_cos = 1, turn_sin = float(k), unit = fabsf(pitch);
  if (g.beam == Beam::flat) along = float(g.sod), across = u;
  if (g.beam == Beam::arc)
    along = cosf(u), across = sinf(u), turn_cos = cosf(k * pitch), turn_sin = sinf(k * pitch), unit = 1;
  const float vx = across * ux - along * uy, vy = across * uy + along * ux;
  const float widest = fmaxf(dx * fabsf(vy), dy * fabsf(vx)), per_pixel = unit / widest;
  return {per_pixel * turn_cos, per_pixel * turn_sin, dx * dy * sqrtf(vx * vx + vy * vy) / widest};
}

}  // namespace sino
