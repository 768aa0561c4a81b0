#include "native/geometry/geometry.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr int64_t kMostPixelsPerSide = 1 << 16;
constexpr int64_t kMostBins = 1 << 16;
constexpr int64_t kMostViews = 1 << 20;

void check_count(int64_t value, int64_t most, const char* name) {
  if (value < 1 || value > most)
    throw Error(Code::out_of_range, "Expected " + std::string(name) + " between 1 and " + std::to_string(most) +
                                        " but received " + std::to_string(value) + ".");
}

void check_positive(double value, const char* name) {
  if (!(value > 0) || !std::isfinite(value))
    throw Error(Code::out_of_range,
                "Expected a positive " + std::string(name) + " but received " + std::to_string(value) + ".");
}

// Exact at multiples of 90°, where cos(π/2) would leave 6e-17 and tilt a ray by that much.
Pose pose_at(double degrees) {
  const double turn = std::remainder(degrees, 360.0);
  if (std::remainder(turn, 90.0) == 0) {
    switch (static_cast<int>(std::lround(turn / 90)) & 3) {
      case 0:
        return {1, 0};
      case 1:
        return {0, 1};
      case 2:
        return {-1, 0};
      default:
        return {0, -1};
    }
  }
  return {std::cos(turn * kPi / 180), std::sin(turn * kPi / 180)};
}

}  // namespace

Geometry make_geometry(const GeometryDescription& d) {
  check_count(d.rows, kMostPixelsPerSide, "image rows");
  check_count(d.columns, kMostPixelsPerSide, "image columns");
  check_count(d.bins, kMostBins, "bins");
  check_count(static_cast<int64_t>(d.angles_deg.size()), kMostViews, "the number of views");
  check_positive(d.dx, "pixel width");
  check_positive(d.dy, "pixel height");
  check_positive(std::fabs(d.pitch), "bin pitch");
  if (!std::isfinite(d.centre_x) || !std::isfinite(d.centre_y) || !std::isfinite(d.offset_bins))
    throw Error(Code::out_of_range, "Expected finite image centre and detector offset.");

  Geometry g;
  g.beam = d.beam;
  g.grid = {
      d.rows, d.columns, d.dx, d.dy, d.centre_x - (d.columns - 1) / 2.0 * d.dx, d.centre_y + (d.rows - 1) / 2.0 * d.dy};
  g.bins = d.bins;
  g.centre = (d.bins - 1) / 2.0 + d.offset_bins;
  g.pitch = d.pitch;
  if (d.beam != Beam::parallel) {
    check_positive(d.sod, "source-to-axis distance (sod)");
    g.sod = d.sod;
    const double reach =
        std::hypot(std::fabs(d.centre_x) + d.columns * d.dx / 2, std::fabs(d.centre_y) + d.rows * d.dy / 2);
    if (reach >= d.sod)
      throw Error(Code::out_of_range, "The source orbit (sod " + std::to_string(d.sod) +
                                          " mm) must pass outside the image, whose farthest corner is " +
                                          std::to_string(reach) + " mm from the axis.");
    if (d.beam == Beam::arc) {
      const double widest = std::max(std::fabs(0 - g.centre), std::fabs(d.bins - 1 - g.centre)) * std::fabs(d.pitch);
      if (widest >= kPi / 2)
        throw Error(Code::out_of_range,
                    "The detector arc must stay below 90 degrees to either side of the central ray.");
    }
  }
  g.poses.reserve(d.angles_deg.size());
  for (double degrees : d.angles_deg) {
    if (!std::isfinite(degrees)) throw Error(Code::out_of_range, "Expected finite view angles.");
    g.poses.push_back(pose_at(degrees));
  }
  return g;
}

}  // namespace sino
