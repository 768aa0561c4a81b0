// ramp: the filter of FBP, applied to every row of a sinogram by FFT.
//
// Quantity. q = s_v · (h ∗ (w·p)): ray weights w (cosine of the fan angle, Parker), the band-limited ramp h, and one
//   factor s_v per view (its share of the scan, the bin pitch). h is designed in the space of bins,
//     parallel, flat   h(0) = 1/4,  h(odd n) = −1/(π n)²,  h(even n) = 0        (in units of 1/pitch²)
//     arc              h(n) multiplied by (n·α / sin n·α)², α the bin pitch in radians
//   and only then transformed: sampling |f| instead would set the mean of every row to zero (a DC error).
//   The window (ram-lak, shepp-logan, cosine, hamming, hann) multiplies the transform up to the cut-off,
//   given as a fraction of the Nyquist frequency, on a power of two of frequencies; above it the response is zero. Of what
//   comes back to the space of bins, the taps that two bins of a row can be apart are the filter, whatever the length of
//   the transform that applies it. Kak & Slaney §3.3; G. N. Ramachandran, A. V. Lakshminarayanan, PNAS 68, 1971.
// Order. rows of `bins` float32, contiguous.
// Edges. Rows are padded with zeros to 2^a or 3·2^a, at least 2·bins − 1, so nothing wraps around.
#pragma once

#include <cstdint>
#include <vector>

#include "native/geometry/geometry.h"

namespace sino {

class Prepared;

enum class Window { ram_lak, shepp_logan, cosine, hamming, hann };

struct FilterPlan {
  int64_t bins = 0, views = 0;
  int64_t length = 0;               // of the FFT: 2^a or 3·2^a, at least 24
  std::vector<float> response;      // real and even, natural order, including 1/length
  std::vector<float> ray_weights;   // [bins], or [views·bins] where they depend on the view; empty = 1
  std::vector<float> view_weights;  // [views]
  bool weights_per_view = false;
};

struct FilterArgs {
  const FilterPlan& plan;
  int64_t slices;
  const float* sinograms;
  float* filtered;               // may be the same array
  Prepared* prepared = nullptr;  // keeps the plan's tables
};

// The response of one window, as long as the FFT; `arc_pitch` is the bin pitch in radians on an arc detector, else 0.
std::vector<float> ramp_response(int64_t bins, Window window, double cutoff, double arc_pitch);

}  // namespace sino
