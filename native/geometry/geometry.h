// Image grid, detector and one pose per view: everything a kernel needs to know about where rays run. Angles
// end here; kernels see poses. docs/conventions.md draws it. Lengths in mm, in double, everywhere on the
// host.
#pragma once

#include <cstdint>
#include <vector>

#include "native/core/error.h"

namespace sino {

enum class Beam { parallel, flat, arc };

// Pixel (row r, column c) has its centre at x = x0 + c·dx, y = y0 − r·dy: x to the right, y up, rows
// downwards.
struct Grid {
  int64_t rows = 0, columns = 0;
  double dx = 1, dy = 1;
  double x0 = 0, y0 = 0;
  int64_t pixels() const { return rows * columns; }
};

// Detector axis û = (ux, uy); rays of the middle of the beam run along d̂ = (−uy, ux). The source of a fan
// beam is −sod·d̂.
struct Pose {
  double ux = 1, uy = 0;
};

struct Geometry {
  Beam beam = Beam::parallel;
  Grid grid;
  int64_t bins = 0;
  double centre = 0;  // bin index, fractional, that the ray through the rotation axis hits
  double pitch = 1;   // parallel: mm; flat: mm on a detector moved to the axis; arc: radians. Negative = bins
                      // run the other way
  double sod = 0;     // source to rotation axis, mm (fan beams)
  std::vector<Pose> poses;
  int64_t views() const { return static_cast<int64_t>(poses.size()); }
  int64_t rays() const { return views() * bins; }
};

struct GeometryDescription {
  Beam beam = Beam::parallel;
  int64_t rows = 0, columns = 0, bins = 0;
  double dx = 1, dy = 1, centre_x = 0, centre_y = 0;
  double pitch = 1;        // as in Geometry
  double offset_bins = 0;  // centre − (bins − 1)/2
  double sod = 0;
  std::vector<double> angles_deg;
};

// Throws out_of_range, with the field's name, for anything kernels could not survive.
Geometry make_geometry(const GeometryDescription& description);

}  // namespace sino
