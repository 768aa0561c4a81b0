#include "native/recon/metal_rays.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace sino {

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kBoxMargin = 4;          // pixels: beyond what resampling and FBP's overshoot reach
constexpr double kCorrectionWidth = 1;     // pixels
constexpr int64_t kLeastCore = 8;          // pixels; below, the level of a part is not to be read off its image
constexpr double kApart = 4, kAround = 3;  // pixels: how far a weaker metal is from the first, and what surrounds it
constexpr double kLeastWeaker = 0.15;      // of the level
constexpr double kLeastFirst =
    0.7;  // of the level, in the core of the first metal: else all of it would be the weaker one
}  // namespace

bool MetalRays::enclose(const uint8_t* support) {
  const Grid& whole = geometry_.grid;
  int64_t bounds[5];
  backend_.bounds(context_, {whole.rows, whole.columns, support, bounds});
  if (bounds[4] == 0) return false;
  top_ = std::max<int64_t>(0, bounds[0] - kBoxMargin), left_ = std::max<int64_t>(0, bounds[2] - kBoxMargin);
  box_ = geometry_;
  Grid& grid = box_.grid;
  grid.rows = std::min(whole.rows, bounds[1] + 1 + kBoxMargin) - top_;
  grid.columns = std::min(whole.columns, bounds[3] + 1 + kBoxMargin) - left_;
  grid.x0 += left_ * grid.dx, grid.y0 -= top_ * grid.dy;
  pixels_ = grid.pixels();
  box_plan_ = plan_;
  box_plan_.geometry.grid = grid;
  box_plan_.prepared = std::make_shared<Prepared>();
  fine_ = box_;
  Grid& fine = fine_.grid;
  fine.rows *= kFinerPixels, fine.columns *= kFinerPixels, fine.dx /= kFinerPixels, fine.dy /= kFinerPixels;
  fine.x0 -= (grid.dx - fine.dx) / 2, fine.y0 += (grid.dy - fine.dy) / 2;
  fine_.bins *= kRaysPerBin;
  fine_.pitch /= kRaysPerBin;
  fine_.centre = (geometry_.centre + 0.5) * kRaysPerBin - 0.5;
  image_ = floats(pixels_);
  support_ = context_.scratch<uint8_t>(pixels_), mask_ = context_.scratch<uint8_t>(pixels_);
  context_.copy_rows(support_.data(), grid.columns, support + top_ * whole.columns + left_, whole.columns, grid.columns,
                     grid.rows);
  return true;
}

void MetalRays::mask_is_support() {
  const int64_t columns = box_.grid.columns;
  context_.copy_rows(mask_.data(), columns, support_.data(), columns, columns, box_.grid.rows);
}

void MetalRays::export_mask(uint8_t* mask) const {
  const Grid &whole = geometry_.grid, &grid = box_.grid;
  context_.fill_zero(mask, whole.pixels());
  context_.copy_rows(mask + top_ * whole.columns + left_, whole.columns, mask_.data(), grid.columns, grid.columns,
                     grid.rows);
}

void MetalRays::reconstruct(const float* path, const uint8_t* where, int refinements) {
  const int64_t rays = geometry_.rays();
  weaker_ = 1;
  Scratch<float> inside = floats(pixels_), projected = floats(rays), difference = floats(rays);
  fbp(context_, backend_, box_plan_, 1, path, image_.data());
  for (int k = 0;; k++) {
    backend_.combine(context_, {pixels_, {image_.data()}, {1}, 0, 0, kInfinity, inside.data()});
    backend_.select(context_, {pixels_, support_.data(), inside.data(), nullptr, 0, 0, image_.data()});
    if (k == refinements) return;
    backend_.joseph_project(context_, {box_, 1, image_.data(), projected.data()});
    backend_.combine(context_, {rays, {path, projected.data()}, {1, -1}, 0, -kInfinity, kInfinity, projected.data()});
    backend_.select(context_, {rays, where, projected.data(), nullptr, 0, 0, difference.data()});
    fbp(context_, backend_, box_plan_, 1, difference.data(), inside.data());
    backend_.combine(context_,
                     {pixels_, {image_.data(), inside.data()}, {1, 1}, 0, -kInfinity, kInfinity, image_.data()});
  }
}

void MetalRays::correct(const float* paths_beyond, double gain) {
  const Grid& grid = box_.grid;
  Scratch<float> change = floats(pixels_), smooth = floats(pixels_);
  before_ = floats(pixels_);
  std::swap(image_, before_);
  fbp(context_, backend_, box_plan_, 1, paths_beyond, change.data());
  backend_.gaussian(
      context_, {1, grid.rows, grid.columns, kCorrectionWidth, kCorrectionWidth, 3, 3, change.data(), smooth.data()});
  backend_.combine(context_,
                   {pixels_, {before_.data(), smooth.data()}, {1, gain}, 0, -kInfinity, kInfinity, change.data()});
  backend_.select(context_, {pixels_, support_.data(), change.data(), nullptr, 0, 0, image_.data()});
}

const float* MetalRays::levelled() {
  if (weaker_ == 1) return image_.data();
  Scratch<float> raised = floats(pixels_);
  levelled_ = floats(pixels_);
  backend_.combine(context_, {pixels_, {image_.data()}, {1 / weaker_}, 0, -kInfinity, kInfinity, raised.data()});
  backend_.select(context_, {pixels_, around_weaker_.data(), raised.data(), image_.data(), 0, 0, levelled_.data()});
  return levelled_.data();
}

void MetalRays::outline(double level) {
  backend_.threshold(context_, {pixels_, levelled(), static_cast<float>(level / 2), true, mask_.data()});
}

// Of the core of what reaches a value; 0 where the core is too small. The mask becomes what reaches it.
double MetalRays::core_median(const float* image, double least) {
  Scratch<uint8_t> core = context_.scratch<uint8_t>(pixels_);
  backend_.threshold(context_, {pixels_, image, static_cast<float>(least), true, mask_.data()});
  backend_.morphology(context_,
                      {1, box_.grid.rows, box_.grid.columns, mask_.data(), true, Reach::cross, 1, core.data()});
  double median[3];
  backend_.quantiles(context_, {pixels_, image, core.data(), false, 1, {0.5}, median});
  return median[1] > kLeastCore ? median[0] : 0;
}

double MetalRays::core_level(double nominal) {
  const double median = core_median(image_.data(), nominal / 2);
  return median > 0 ? median : nominal;
}

bool MetalRays::find_weaker(double level) {
  const Grid &grid = box_.grid, &fine = fine_.grid;
  Scratch<uint8_t> first = context_.scratch<uint8_t>(pixels_);
  Scratch<float> rest = floats(pixels_), around = floats(pixels_), around_fine = floats(fine.pixels());
  const auto dilate = [&](double radius, uint8_t* to) {
    backend_.morphology(context_, {1, grid.rows, grid.columns, mask_.data(), false, Reach::disk, radius, to});
  };
  weaker_ = 1;
  if (!(core_median(image_.data(), level / 2) >= kLeastFirst * level)) return false;
  dilate(kApart, first.data());
  backend_.select(context_, {pixels_, first.data(), nullptr, image_.data(), 0, 0, rest.data()});
  double median = core_median(rest.data(), kLeastWeaker * level);
  if (median > 0) median = core_median(rest.data(), median / 2);
  if (!(median > 0)) return false;
  weaker_ = median / level;
  around_weaker_ = context_.scratch<uint8_t>(pixels_);
  around_weaker_fine_ = context_.scratch<uint8_t>(fine.pixels());
  dilate(kAround, around_weaker_.data());
  backend_.select(context_, {pixels_, around_weaker_.data(), nullptr, nullptr, 1, 0, around.data()});
  backend_.resample(context_, {1, grid.rows, grid.columns, fine.rows, fine.columns, Resampling::cubic, around.data(),
                               around_fine.data()});
  backend_.threshold(context_, {fine.pixels(), around_fine.data(), 0.5f, true, around_weaker_fine_.data()});
  return true;
}

void MetalRays::paths(EdgeRays edge, double level, float* metal, float* paths, uint8_t* trace) {
  const int64_t rays = geometry_.rays(), views = geometry_.views(), bins = geometry_.bins;
  const auto attenuation = static_cast<float>(level);
  if (edge == EdgeRays::div4) {
    Scratch<float> ones = floats(pixels_), lengths = floats(rays);
    backend_.select(context_, {pixels_, mask_.data(), nullptr, nullptr, 1, 0, ones.data()});
    backend_.joseph_project(context_, {box_, 1, ones.data(), lengths.data()});
    backend_.metal_path(context_, {views, bins, attenuation, Edge::none, lengths.data(), metal, trace});
    backend_.metal_path(context_, {views, bins, attenuation, Edge::div4, lengths.data(), paths, trace});
    return;
  }
  const Grid& grid = box_.grid;
  const int64_t finer = fine_.grid.pixels();
  Scratch<float> fine = floats(finer);
  Scratch<uint8_t> inside = context_.scratch<uint8_t>(finer);
  backend_.resample(context_, {1, grid.rows, grid.columns, fine_.grid.rows, fine_.grid.columns, Resampling::cubic,
                               levelled(), fine.data()});
  backend_.threshold(context_, {finer, fine.data(), attenuation / 2, true, inside.data()});
  backend_.select(context_, {finer, inside.data(), nullptr, nullptr, attenuation, 0, fine.data()});
  if (weaker_ != 1) {
    Scratch<float> weaker = floats(finer);
    backend_.combine(context_, {finer, {fine.data()}, {weaker_}, 0, -kInfinity, kInfinity, weaker.data()});
    backend_.select(context_, {finer, around_weaker_fine_.data(), weaker.data(), fine.data(), 0, 0, fine.data()});
  }
  backend_.joseph_project(context_, {fine_, 1, fine.data(), paths});
  backend_.mean_path(context_, {rays, kRaysPerBin, paths, metal, trace});
}

}  // namespace sino
