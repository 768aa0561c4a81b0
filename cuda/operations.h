// The CUDA twins of native/cpu: same argument structs, with every array in the memory of the current device (device pointers),
// and a stream to queue the work on. They return when the work is queued; they throw sino::Error where it could not be. Small
// results (counts, sizes, thresholds, sums) may be asked for in the host's memory, too; where that is pageable they are there on return.
#pragma once

#include "native/ops/backproject.h"
#include "native/ops/components.h"
#include "native/ops/distance.h"
#include "native/ops/gaussian.h"
#include "native/ops/interpolate.h"
#include "native/ops/joseph.h"
#include "native/ops/metal_path.h"
#include "native/ops/metrics.h"
#include "native/ops/morphology.h"
#include "native/ops/noise.h"
#include "native/ops/pixels.h"
#include "native/ops/polychromatic.h"
#include "native/ops/ramp.h"
#include "native/ops/rebin.h"
#include "native/ops/resample.h"
#include "native/ops/rescale.h"
#include "native/ops/sampling_step.h"
#include "native/ops/tissue.h"
#include "native/ops/tissue_split.h"

struct CUstream_st;

namespace sino::cuda {

using Stream = CUstream_st*;  // cudaStream_t, for files that nvcc does not compile

// What tensor cores may do to a batch: nothing; products of two halves each (float32 but for 5e-6); of halves (1e-4 of relative L2).
enum class Precision { single, split, half };

void joseph_project(Stream stream, const JosephArgs& args);
void joseph_project(Stream stream, const JosephArgs& args, Precision precision);
void joseph_transpose(Stream stream, const JosephArgs& args);
void backproject(Stream stream, const BackprojectArgs& args);
void backproject(Stream stream, const BackprojectArgs& args, Precision precision);
void ramp_filter(Stream stream, const FilterArgs& args);
void rebin(Stream stream, const RebinArgs& args);

void rescale(Stream stream, const RescaleArgs& args);
void store(Stream stream, const StoreArgs& args);
void gaussian(Stream stream, const GaussianArgs& args);
void resample(Stream stream, const ResampleArgs& args);

void combine(Stream stream, const CombineArgs& args);
void threshold(Stream stream, const ThresholdArgs& args);
void non_zero(Stream stream, const NonZeroArgs& args);
void select(Stream stream, const SelectArgs& args);
void statistics(Stream stream, const StatisticsArgs& args);

void distance(Stream stream, const DistanceArgs& args);
void morphology(Stream stream, const MorphologyArgs& args);
void label_components(Stream stream, const ComponentsArgs& args);
void keep_components(Stream stream, const ComponentsArgs& args);
void fill_holes(Stream stream, const ComponentsArgs& args);
void component_sizes(Stream stream, const ComponentSizesArgs& args);

void interpolate(Stream stream, const InterpolateArgs& args);
void metal_path(Stream stream, const MetalPathArgs& args);
void tissue_thresholds(Stream stream, const TissueThresholdsArgs& args);
void tissue_prior(Stream stream, const TissuePriorArgs& args);
void tissue_split(Stream stream, const TissueSplitArgs& args);

void polychromatic(Stream stream, const PolychromaticArgs& args);
void water_correction(Stream stream, const WaterCorrectionArgs& args);
void photon_noise(Stream stream, const PhotonNoiseArgs& args);
void normal_noise(Stream stream, const RandomArgs& args);
void random_bits(Stream stream, const RandomArgs& args);

void sampling_step(Stream stream, const SamplingStepArgs& args);
void dual_domain_step(Stream stream, const DualDomainStepArgs& args);

void metrics_window(Stream stream, const WindowArgs& args);
void metrics_differences(Stream stream, const DifferenceArgs& args);
void metrics_decimate(Stream stream, const DecimateArgs& args);
void metrics_ssim(Stream stream, const SsimArgs& args);

}  // namespace sino::cuda
