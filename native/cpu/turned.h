// One slice as the slices of a batch, for registers that hold several: a scan of `turns` symmetries (geometry/symmetry.h)
// sees one image as a quarter of its views, say, see four turned ones. Index and weight of a ray or a pixel are then worked out
// once for all of them. A batch takes the same way, so that a slice's bits do not depend on what it came with.
#pragma once

#include "native/geometry/symmetry.h"
#include "native/runtime/context.h"

namespace sino::cpu {

// Slices that are turned at a time.
int64_t slices_at_once(const TurnedScan& scan);

// [slice][row][column] to [slice][turn][row][column].
void turn_images(const Context& context, const TurnedScan& scan, int64_t slices, const float* images, float* turned);
// images = sums of what was turned, turned back.
void sum_turned_images(const Context& context, const TurnedScan& scan, int64_t slices, const float* turned,
                       float* images);
// [slice][view][bin], `views` of them, to [slice][turn][leader][bin], zero for views that the scan does not have.
void turn_views(const Context& context, const TurnedScan& scan, int64_t views, int64_t slices, const float* sinograms,
                float* turned);
// The way back.
void turn_views_back(const Context& context, const TurnedScan& scan, int64_t views, int64_t slices, const float* turned,
                     float* sinograms);

}  // namespace sino::cpu
