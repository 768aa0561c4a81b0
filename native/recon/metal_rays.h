// The metal of one slice seen from its rays: the box around it, its image from solved paths, its outline, and the paths through it.
#pragma once

#include <memory>
#include <utility>

#include "native/recon/polychromatic_mar.h"

namespace sino {

constexpr int kRaysPerBin = 3, kFinerPixels = 4;

class MetalRays {
 public:
  MetalRays(const Context& context, const Backend& backend, const Geometry& geometry, const FbpPlan& plan)
      : context_(context), backend_(backend), geometry_(geometry), plan_(plan) {}

  // The box around the support's pixels; false where there are none.
  bool enclose(const uint8_t* support);

  // The metal's image from its paths, zero on rays outside `where`: FBP, then `refinements` of it inside the support.
  void reconstruct(const float* path, const uint8_t* where, int refinements);

  // Adds to the image, times gain, what paths beyond those of the outline say, smoothed: FBP makes noise to ragged outlines.
  void correct(const float* paths_beyond, double gain);
  void undo() { std::swap(image_, before_); }  // the last correction

  // Level of the metal in its image: the median of the core of what exceeds half the nominal level; nominal for tiny metal.
  double core_level(double nominal);

  // A second metal, of less than half the level: where it is, a few pixels from the first, and its share of the level. Outlines and
  // paths take it into account until the next `reconstruct`. False where there is none, or too little to tell.
  bool find_weaker(double level);

  void outline(double level);                  // mask = what exceeds half the level
  void outline_given() { mask_is_support(); }  // mask = support
  void export_mask(uint8_t* mask) const;       // over the whole image

  // Paths through the mask at a level, per ray: as they are, the mean over sub-rays (`metal`), what the edge model makes of them
  // (`paths`, [ray, sub-rays of the model]), and which rays have any.
  void paths(EdgeRays edge, double level, float* metal, float* paths, uint8_t* trace);

 private:
  void mask_is_support();
  double core_median(const float* image, double least);
  const float* levelled();  // the image, a weaker metal raised to the level
  Scratch<float> floats(int64_t count) const { return context_.scratch<float>(count); }

  const Context& context_;
  const Backend& backend_;
  const Geometry& geometry_;
  const FbpPlan& plan_;
  Geometry box_, fine_;  // fine: pixels of a quarter, sub-rays as bins
  FbpPlan box_plan_;
  int64_t top_ = 0, left_ = 0, pixels_ = 0;
  Scratch<float> image_, before_, levelled_;
  Scratch<uint8_t> support_, mask_;
  double weaker_ = 1;                                    // share of the level …
  Scratch<uint8_t> around_weaker_, around_weaker_fine_;  // … there
};

inline int rays_per_bin(EdgeRays edge) { return edge == EdgeRays::subray ? kRaysPerBin : 1; }

}  // namespace sino
