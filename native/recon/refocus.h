// Motion of a slice while its k-space was measured line by line, found by making the corrected image sharp, and undone.
//
// Quantity. Positions of the slice, one per line (turned_lines.h), that give the image of least gradient entropy
//     −Σ h·ln h, h = |∇image| / Σ|∇image|   (K. P. McGee et al., JMRI 11, 2000; D. Atkinson et al., IEEE TMI 16(6), 1997)
//   where image = Aᴴ·lines, A takes the still image to the lines that were measured. Its gradient with respect to all positions is exact
//   (A. Loktyushin et al., MRM 70(6), 2013).
// Positions are either held from jump to jump ("sudden") or a sine of the line ("periodic"): the sharper of both. Search: coarse to
//   fine, from the middle of k-space outwards; starts from fixed places over what was asked for, descents by BFGS. Position 0 is that of the
//   middle line, and the slice's place that of its middle line.
// Result. |Conjugate gradients on AᴴA|; |input| where sharpness gains no more than `least_gain`.
// Order. [slice, row, column]; lines v = −rows/2 … along columns. Every slice is one task: results depend on nothing beside it.
// Precision. Images and lines float32, sums and positions double.
#pragma once

#include <cstdint>

#include "native/runtime/context.h"

namespace sino {

constexpr int kRefocusReport = 6;

struct RefocusArgs {
  int64_t slices, rows, columns;
  double degrees, pixels;         // largest turn and way that are looked for
  double least_gain;              // of the entropy; negative: what was found is taken whatever it gains
  const float *real, *imaginary;  // of the image
  float* output;                  // magnitudes
  double *turn, *down, *right;    // [slice, rows]
  // [slice, 6]: sharpness before and after, the corrected image put through the motion against what was measured ‖…‖/‖measured‖, periods
  // per scan (0: sudden), jumps, 1 where the slice was corrected
  double* report;
};
void refocus(const Context& context, const RefocusArgs& args);

}  // namespace sino
