// detector: what stands between rays and the numbers that a detector reports.
//
// Quantity. mean_intensity: a bin collects rays of several places (parts of the bin, of the focal spot, of the view's turn) and
//   sees the mean of their intensities, not of their line integrals: p = −ln( mean_{i,s} e^{−p_i[k·parts + s]} ) over the
//   `inputs` arrays i and the parts s of bin k. detector_response: neighbours share light and scatter,
//   q_k = −ln( Σ_j h_j·e^{−p_{k+j}} + floor ) − air_k, |j| ≤ reach: h is any kernel (crosstalk: three taps; scatter that follows
//   the object smoothly: a wide one of small weight), floor scatter that is the same everywhere, as a share of the
//   unattenuated beam, and air_k what the same beam gives without the object, behind a bow-tie.
// Order. [lines, bins]; inputs of mean_intensity are [lines, bins·parts]. One iteration is one line. mean_intensity: one exp per
//   part, 4 bytes read per part; detector_response: one exp and 2·reach + 1 multiply-adds per bin, reads and writes 4 bytes.
// Edges. The first and last bin are repeated beyond the detector. One part alone, or the kernel {1} without floor and air, gives
//   back p up to rounding. Intensities that add up to nothing (p beyond 700 everywhere) give the smallest p. NaN spreads over the kernel.
// Precision. Intensities and sums in double, shifted by the smallest p of what is added in mean_intensity; one rounding at the end.
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"

namespace sino {

constexpr int kMaxRays = 64;
constexpr int64_t kMaxReach = 4096;

struct MeanIntensityArgs {
  int64_t lines, bins, parts;
  int inputs;
  const float* line_integrals[kMaxRays];
  float* output;
};

struct DetectorArgs {
  int64_t lines, bins, reach;
  const double* kernel;  // [2·reach + 1]
  double floor;
  const float* air;             // [bins], or null
  const float* line_integrals;  // not the output
  float* output;
};

SINO_HD inline float mean_intensity_at(const MeanIntensityArgs& args, int64_t bin_of_all) {
  const int64_t first = bin_of_all * args.parts;
  float least = args.line_integrals[0][first];
  for (int i = 0; i < args.inputs; i++)
    for (int64_t s = 0; s < args.parts; s++) least = fminf(least, args.line_integrals[i][first + s]);
  double sum = 0;
  for (int i = 0; i < args.inputs; i++)
    for (int64_t s = 0; s < args.parts; s++) sum += exp(double(least) - args.line_integrals[i][first + s]);
  return float(least - log(sum / (double(args.inputs) * args.parts)));
}

SINO_HD inline int64_t bin_within(int64_t k, int64_t bins) { return k < 0 ? 0 : k >= bins ? bins - 1 : k; }

// From the collected intensity to the line integral; `p` is the bin's own, where nothing was collected.
SINO_HD inline float reported(const DetectorArgs& args, double intensity, int64_t k, float p) {
  const double q = intensity > 0 || intensity != intensity ? -log(intensity) : double(p);
  return float(args.air ? q - args.air[k] : q);
}

}  // namespace sino
