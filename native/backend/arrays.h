// What the arguments of every operation consist of, and how a call of it is cut into slabs (native/runtime/slabs.h).
#pragma once

#include <cmath>

#include "native/ops/axpy.h"
#include "native/ops/backproject.h"
#include "native/ops/bias_field.h"
#include "native/ops/block_matching.h"
#include "native/ops/components.h"
#include "native/ops/detector.h"
#include "native/ops/distance.h"
#include "native/ops/dose.h"
#include "native/ops/equalize.h"
#include "native/ops/fourier.h"
#include "native/ops/gaussian.h"
#include "native/ops/image_quality.h"
#include "native/ops/interpolate.h"
#include "native/ops/inversion.h"
#include "native/ops/joseph.h"
#include "native/ops/kspace.h"
#include "native/ops/leak.h"
#include "native/ops/median.h"
#include "native/ops/metal_path.h"
#include "native/ops/metrics.h"
#include "native/ops/morphology.h"
#include "native/ops/noise.h"
#include "native/ops/nonlocal.h"
#include "native/ops/pixels.h"
#include "native/ops/polychromatic.h"
#include "native/ops/ramp.h"
#include "native/ops/rebin.h"
#include "native/ops/regression.h"
#include "native/ops/resample.h"
#include "native/ops/rescale.h"
#include "native/ops/rician.h"
#include "native/ops/robust.h"
#include "native/ops/sampling_step.h"
#include "native/ops/tissue.h"
#include "native/ops/tissue_split.h"
#include "native/ops/total_variation.h"
#include "native/ops/trust.h"
#include "native/runtime/slabs.h"

namespace sino {

// Calls from one array of slices to another: projection and its kin, whatever they are made of.
struct SliceArrays {
  int64_t slices;
  const float* input;
  int64_t input_size;  // elements of a slice
  float* output;
  int64_t output_size;
  const char* finite_input = nullptr;  // its name, where NaN is refused
  int64_t working_bytes = 0;           // of a slice
};
inline void arrays(Cut& cut, SliceArrays& a) {
  cut.along(a.slices);
  if (a.finite_input)
    cut.finite(a.input, a.input_size, a.finite_input);
  else
    cut.in(a.input, a.input_size);
  cut.out(a.output, a.output_size);
  cut.working(a.working_bytes);
}

inline void arrays(Cut& cut, RescaleArgs& a) {
  const int width = a.type <= StoredType::u8 ? 1 : a.type <= StoredType::u16 ? 2 : 4;
  cut.along(a.slices);
  cut.in_bytes(a.stored, a.pixels * width);
  cut.in(a.slopes, 1);
  cut.in(a.intercepts, 1);
  cut.out(a.values, a.pixels);
}
inline void arrays(Cut& cut, StoreArgs& a) {
  cut.along(a.slices);
  cut.in(a.values, a.pixels);
  cut.in(a.slopes, 1);
  cut.in(a.intercepts, 1);
  cut.out_bytes(a.stored, a.pixels * 2);
  cut.sum(a.clipped);
}

inline void arrays(Cut& cut, CombineArgs& a) {
  cut.along(a.count);
  for (const float*& term : a.terms) cut.in(term, 1);
  cut.out(a.output, 1);
}
inline void arrays(Cut& cut, ThresholdArgs& a) {
  cut.along(a.count);
  cut.in(a.input, 1);
  cut.out(a.mask, 1);
}
inline void arrays(Cut& cut, NonZeroArgs& a) {
  cut.along(a.count);
  cut.in(a.input, 1);
  cut.out(a.mask, 1);
}
inline void arrays(Cut& cut, SelectArgs& a) {
  cut.along(a.count);
  cut.in(a.mask, 1);
  cut.in(a.a, 1);
  cut.in(a.b, 1);
  cut.out(a.output, 1);
}
inline void arrays(Cut& cut, StatisticsArgs& a) {
  cut.along(a.count);
  cut.in(a.input, 1);
  cut.result<Statistics>(a.result, [](Statistics& all, const Statistics& part) {
    all.non_finite += part.non_finite;
    all.minimum = std::fmin(all.minimum, part.minimum);  // NaN: none yet
    all.maximum = std::fmax(all.maximum, part.maximum);
    all.sum += part.sum;
  });
}

// Factors and sums of slices are the host's: only pipelines, which are on the device already, have more than one.
inline void arrays(Cut& cut, AxpyArgs& a) {
  cut.at_once();
  cut.in(a.x, a.slices * a.length);
  cut.in(a.y, a.slices * a.length);
  cut.in(a.weights, a.length);
  cut.out(a.output, a.slices * a.length);
}
inline void arrays(Cut& cut, ReciprocalArgs& a) {
  cut.along(a.count);
  cut.in(a.values, 1);
  cut.in(a.mask, 1);
  cut.out(a.output, 1);
}
inline void arrays(Cut& cut, TotalVariationArgs& a) {
  cut.at_once();
  const int64_t pixels = a.rows * a.columns;
  cut.in(a.input, a.slices * pixels);
  cut.in(a.curvature, pixels);
  cut.out(a.output, a.slices * pixels);
  cut.working(pixels * 6 * int64_t(sizeof(float)));
}

inline void arrays(Cut& cut, NonLocalArgs& a) {
  cut.at_once();  // numbers of slices are the host's
  cut.in(a.input, a.slices * a.rows * a.columns);
  cut.out(a.output, a.slices * a.rows * a.columns);
}
inline void arrays(Cut& cut, NoiseLevelArgs& a) {
  cut.along(a.slices);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.sigmas, 1);
}
inline void arrays(Cut& cut, MedianArgs& a) {
  cut.along(a.slices);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.output, a.rows * a.columns);
}

inline void arrays(Cut& cut, EqualizeArgs& a) {
  cut.along(a.slices);
  cut.in(a.low, 1);
  cut.in(a.high, 1);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.output, a.rows * a.columns);
}
inline void arrays(Cut& cut, BlockMatchingArgs& a) {
  cut.at_once();  // numbers of slices are the host's
  cut.in(a.input, a.slices * a.rows * a.columns);
  cut.out(a.output, a.slices * a.rows * a.columns);
}
inline void arrays(Cut& cut, BiasFieldArgs& a) {
  cut.at_once();
  cut.in(a.input, a.slices * a.rows * a.columns);
  cut.in(a.mask, a.slices * a.rows * a.columns);
  cut.out(a.field, a.slices * a.rows * a.columns);
  cut.out(a.output, a.slices * a.rows * a.columns);
}
inline void arrays(Cut& cut, KspaceArgs& a) {
  cut.along(a.slices);
  if (a.mask) cut.table(a.mask, a.rows * a.columns);
  for (const double** motion : {&a.turn, &a.down, &a.right}) cut.in(*motion, a.rows);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.output, a.rows * a.columns);
}
inline void arrays(Cut& cut, NoisePowerArgs& a) {
  cut.at_once();
  cut.in(a.input, a.slices * a.rows * a.columns);
  cut.out(a.power, a.size * a.size);
}
inline void arrays(Cut& cut, EdgeLineArgs& a) {
  cut.along(a.slices);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.lines, 4);
}
inline void arrays(Cut& cut, EdgeSpreadArgs& a) {
  cut.along(a.slices);
  cut.in(a.edges, 5);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.sums, a.bins);
  cut.out(a.counts, a.bins);
}
inline void arrays(Cut& cut, ChannelArgs& a) {
  cut.along(a.slices);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.responses, a.channels);
}

inline void arrays(Cut& cut, InterpolateArgs& a) {
  cut.along(a.slices);
  cut.in(a.sinograms, a.views * a.bins);
  cut.in(a.trace, a.views * a.bins);
  cut.in(a.prior, a.views * a.bins);
  cut.out(a.output, a.views * a.bins);
  cut.sum(a.full_views);
}

inline void arrays(Cut& cut, DistanceArgs& a) {
  const int64_t pixels = a.rows * a.columns, slices = a.volume ? a.slices : 1;
  a.volume ? cut.at_once() : cut.along(a.slices);
  cut.in(a.mask, slices * pixels);
  cut.out(a.distances, slices * pixels);
  cut.out(a.indices, slices * pixels * (a.volume ? 3 : 2));
}
inline void arrays(Cut& cut, MorphologyArgs& a) {
  cut.along(a.slices);
  cut.in(a.mask, a.rows * a.columns);
  cut.out(a.result, a.rows * a.columns);
}
// Labels go on from slice to slice; what is kept and filled does not.
inline void arrays(Cut& cut, ComponentsArgs& a) {
  const bool together = a.labels || a.connectivity == 6 || a.connectivity == 18 || a.connectivity == 26;
  const int64_t pixels = (together ? a.slices : 1) * a.rows * a.columns;
  together ? cut.at_once() : cut.along(a.slices);
  cut.in(a.mask, pixels);
  cut.out(a.labels, pixels);
  cut.out(a.result, pixels);
  cut.sum(a.count);
}
inline void arrays(Cut& cut, ComponentSizesArgs& a) {
  cut.at_once();
  cut.in(a.labels, a.pixels);
  cut.out(a.sizes, a.count);
}

inline void arrays(Cut& cut, GaussianArgs& a) {
  cut.along(a.slices);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.output, a.rows * a.columns);
}
inline void arrays(Cut& cut, ResampleArgs& a) {
  cut.along(a.slices);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.output, a.out_rows * a.out_columns);
}

inline void arrays(Cut& cut, TissueThresholdsArgs& a) {
  cut.along(a.slices);
  cut.in(a.images, a.pixels);
  cut.out(a.water, 1);
  cut.out(a.bone, 1);
}
inline void arrays(Cut& cut, TissuePriorArgs& a) {
  cut.along(a.slices);
  cut.in(a.water, 1);
  cut.in(a.bone, 1);
  cut.in(a.images, a.pixels);
  cut.out(a.prior, a.pixels);
}
inline void arrays(Cut& cut, TissueSplitArgs& a) {
  cut.along(a.count);
  cut.in(a.input, 1);
  cut.out(a.mu, 1);
  cut.out(a.water, 1);
  cut.out(a.bone, 1);
}
inline void arrays(Cut& cut, MetalPathArgs& a) {
  cut.along(a.lines);
  cut.in(a.lengths, a.bins);
  cut.out(a.paths, a.bins);
  cut.out(a.trace, a.bins);
}

inline void arrays(Cut& cut, PolychromaticArgs& a) {
  cut.along(a.rays);
  for (int m = 0; m < a.materials; m++) cut.in(a.paths[m], 1);
  cut.table(a.weights, a.energies);
  cut.table(a.ratios, int64_t(a.materials) * a.energies);
  cut.table(a.least_most, int64_t(a.materials) * 2);
  cut.out(a.output, 1);
}
inline void arrays(Cut& cut, WaterCorrectionArgs& a) {
  cut.along(a.count);
  cut.in(a.input, 1);
  cut.out(a.output, 1);
}

// Philox makes numbers four at a time.
inline void arrays(Cut& cut, PhotonNoiseArgs& a) {
  cut.along(a.count, 4);
  cut.position(a.first);
  cut.in(a.line_integrals, 1);
  cut.out(a.noisy, 1);
}
inline void arrays(Cut& cut, RandomArgs& a) {
  cut.along(a.count, 4);
  cut.position(a.first);
  cut.out_bytes(a.output, 4);
}
inline void arrays(Cut& cut, MeanIntensityArgs& a) {
  cut.along(a.lines);
  for (int i = 0; i < a.inputs; i++) cut.in(a.line_integrals[i], a.bins * a.parts);
  cut.out(a.output, a.bins);
}
inline void arrays(Cut& cut, DetectorArgs& a) {
  cut.along(a.lines);
  cut.table(a.kernel, 2 * a.reach + 1);
  if (a.air) cut.table(a.air, a.bins);
  cut.in(a.line_integrals, a.bins);
  cut.out(a.output, a.bins);
}
inline void arrays(Cut& cut, DoseArgs& a) {
  cut.along(a.count, a.bins);  // whole lines
  cut.position(a.first);
  if (a.air) cut.table(a.air, a.bins);
  cut.in(a.line_integrals, 1);
  cut.out(a.output, 1);
}
inline void arrays(Cut& cut, SamplingStepArgs& a) {
  cut.along(a.count, 4);
  cut.position(a.first);
  cut.in(a.sample, 1);
  cut.in(a.output, 1);
  for (int t = 0; t < a.term_count; t++) cut.in(a.terms[t], 1);
  cut.in(a.variance, 1);
  for (int r = 0; r < a.row_count; r++) cut.out(a.rows[r].target, 1);
  cut.out(a.clean, 1);
  cut.sum(a.non_finite);
}
inline void arrays(Cut& cut, DualDomainStepArgs& a) {
  cut.along(a.count, 4);
  cut.position(a.first);
  for (const float** input : {&a.clean, &a.consistent, &a.measured, &a.base}) cut.in(*input, 1);
  cut.out(a.output, 1);
  cut.sum(a.non_finite);
}

inline void arrays(Cut& cut, CovarianceArgs& a) {
  cut.at_once();
  cut.in(a.input, a.volumes * a.voxels);
  cut.in(a.where, a.voxels);
  cut.out(a.means, a.volumes);
  cut.out(a.covariance, a.volumes * a.volumes);
}
inline void arrays(Cut& cut, MixVolumesArgs& a) {
  cut.at_once();
  cut.in(a.input, a.volumes * a.voxels);
  cut.in(a.matrix, a.outputs * a.volumes);
  cut.in(a.offsets, a.outputs);
  cut.out(a.output, a.outputs * a.voxels);
}
inline void arrays(Cut& cut, RicianArgs& a) {
  cut.along(a.count);
  cut.in(a.input, 1);
  cut.out(a.output, 1);
}

inline void arrays(Cut& cut, WindowArgs& a) {
  cut.along(a.slices);
  if (a.mask_slices == 1)
    cut.table(a.mask, a.pixels);
  else
    cut.in(a.mask, a.pixels);
  cut.in(a.input, a.pixels);
  cut.out(a.output, a.pixels);
}
inline void arrays(Cut& cut, DifferenceArgs& a) {
  const int64_t pixels = a.rows * a.columns;
  cut.along(a.slices);
  if (a.mask_slices == 1)
    cut.table(a.mask, pixels);
  else
    cut.in(a.mask, pixels);
  cut.in(a.a, pixels);
  cut.in(a.b, pixels);
  cut.out(a.sums, kDifferenceSums);
}
inline void arrays(Cut& cut, DecimateArgs& a) {
  const int64_t f = a.factor;
  cut.along(a.slices);
  cut.in(a.input, a.rows * a.columns);
  cut.out(a.output, (a.rows + f - 1) / f * ((a.columns + f - 1) / f));
}
inline void arrays(Cut& cut, SsimArgs& a) {
  cut.along(a.slices);
  cut.in(a.a, a.rows * a.columns);
  cut.in(a.b, a.rows * a.columns);
  cut.out(a.values, 1);
}

}  // namespace sino
