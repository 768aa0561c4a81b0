// Small scans of every kind, and how near two results are.
#pragma once

#include "native/geometry/geometry.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

struct Scan {
  Beam beam;
  int64_t rows, columns, bins, views;
  double bin = 1, offset_bins = 0, span_deg = 360, first_deg = 0, dx = 1, dy = 1, centre_x = 0, centre_y = 0;
  int64_t stride = 7;  // of the views through the list of angles: not in order
};

inline Geometry geometry(const Scan& s) {
  GeometryDescription d;
  d.beam = s.beam;
  d.rows = s.rows, d.columns = s.columns, d.bins = s.bins;
  d.dx = s.dx, d.dy = s.dy, d.centre_x = s.centre_x, d.centre_y = s.centre_y;
  d.offset_bins = s.offset_bins;
  d.sod = 1.5 * double(s.rows + s.columns);
  d.pitch = s.beam == Beam::arc ? s.bin / d.sod : s.bin;
  // uneven steps
  for (int64_t v = 0; v < s.views; v++)
    d.angles_deg.push_back(s.first_deg + s.span_deg * double(v * s.stride % s.views) / double(s.views) +
                           (v % 3) * 0.37);
  return make_geometry(d);
}

constexpr Scan kScans[] = {
    {Beam::parallel, 1, 1, 1, 1},
    {Beam::parallel, 13, 33, 37, 5, 1, 0.3, 180},
    {Beam::flat, 13, 33, 41, 5},
    {Beam::arc, 13, 33, 41, 5},
    {Beam::parallel, 35, 7, 20, 17, -1, 2.25, 180, 11, 0.8, 1.3, 5, -3},
    {Beam::flat, 35, 7, 20, 17, -1.2, 2.25, 360, 11, 0.8, 1.3, 5, -3},
    {Beam::arc, 35, 7, 20, 17, -1.2, 2.25, 360, 11, 0.8, 1.3, 5, -3},
    {Beam::flat, 5, 5, 1, 2},
};

// Relative to the largest value expected.
inline bool near(const std::vector<float>& found, const std::vector<float>& expected, double tolerance) {
  double largest = 1e-30;
  for (float v : expected) largest = std::fmax(largest, std::fabs(double(v)));
  return close(found, expected, tolerance * largest);
}

inline double relative_l2(const std::vector<float>& found, const std::vector<float>& expected) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < found.size(); i++) {
    error += (double(found[i]) - expected[i]) * (double(found[i]) - expected[i]);
    norm += double(expected[i]) * expected[i];
  }
  return std::sqrt(error / norm);
}

}  // namespace sino::test
