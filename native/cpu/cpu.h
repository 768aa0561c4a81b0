// The CPU twins of native/ops, as the operation table of native/backend takes them.
#pragma once

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
#include "native/runtime/context.h"

namespace sino::cpu {

void joseph_project(const Context& context, const JosephArgs& args);
void joseph_transpose(const Context& context, const JosephArgs& args);
void fourier_project(const Context& context, const FourierArgs& args);
void fourier_transpose(const Context& context, const FourierArgs& args);
void backproject(const Context& context, const BackprojectArgs& args);
void ramp_filter(const Context& context, const FilterArgs& args);
void rebin(const Context& context, const RebinArgs& args);
void rescale(const Context& context, const RescaleArgs& args);
void covariance(const Context& context, const CovarianceArgs& args);
void mix_volumes(const Context& context, const MixVolumesArgs& args);
void rician(const Context& context, const RicianArgs& args);
void store(const Context& context, const StoreArgs& args);
void combine(const Context& context, const CombineArgs& args);
void threshold(const Context& context, const ThresholdArgs& args);
void non_zero(const Context& context, const NonZeroArgs& args);
void select(const Context& context, const SelectArgs& args);
void statistics(const Context& context, const StatisticsArgs& args);
void interpolate(const Context& context, const InterpolateArgs& args);
void distance(const Context& context, const DistanceArgs& args);
void morphology(const Context& context, const MorphologyArgs& args);
void label_components(const Context& context, const ComponentsArgs& args);
void keep_components(const Context& context, const ComponentsArgs& args);
void fill_holes(const Context& context, const ComponentsArgs& args);
void component_sizes(const Context& context, const ComponentSizesArgs& args);
void gaussian(const Context& context, const GaussianArgs& args);
void axpy(const Context& context, const AxpyArgs& args);
void reciprocal(const Context& context, const ReciprocalArgs& args);
void nonlocal_means(const Context& context, const NonLocalArgs& args);
void noise_level(const Context& context, const NoiseLevelArgs& args);
void median(const Context& context, const MedianArgs& args);
void equalize(const Context& context, const EqualizeArgs& args);
void block_matching(const Context& context, const BlockMatchingArgs& args);
void bias_field(const Context& context, const BiasFieldArgs& args);
void kspace(const Context& context, const KspaceArgs& args);
void noise_power(const Context& context, const NoisePowerArgs& args);
void edge_line(const Context& context, const EdgeLineArgs& args);
void edge_spread(const Context& context, const EdgeSpreadArgs& args);
void channel_response(const Context& context, const ChannelArgs& args);
void total_variation(const Context& context, const TotalVariationArgs& args);
void resample(const Context& context, const ResampleArgs& args);
void tissue_thresholds(const Context& context, const TissueThresholdsArgs& args);
void tissue_prior(const Context& context, const TissuePriorArgs& args);

void tissue_split(const Context& context, const TissueSplitArgs& args);
void metal_path(const Context& context, const MetalPathArgs& args);
void polychromatic(const Context& context, const PolychromaticArgs& args);
void water_correction(const Context& context, const WaterCorrectionArgs& args);
void linearize(const Context& context, const LinearizeArgs& args);
void inversion(const Context& context, const InversionArgs& args);
void mean_path(const Context& context, const MeanPathArgs& args);
void find_leak(const Context& context, const FindLeakArgs& args);
void remove_leak(const Context& context, const RemoveLeakArgs& args);
void ray_variance(const Context& context, const RayVarianceArgs& args);
void ray_calibrate(const Context& context, const RayCalibrateArgs& args);
void ray_evidence(const Context& context, const RayEvidenceArgs& args);
void ray_spread(const Context& context, const RaySpreadArgs& args);
void ray_blend(const Context& context, const RayBlendArgs& args);
void quantiles(const Context& context, const QuantilesArgs& args);
void fit_powers(const Context& context, const FitPowersArgs& args);
void mean_gradient(const Context& context, const MeanGradientArgs& args);
void bounds(const Context& context, const BoundsArgs& args);
void metal_mask(const Context& context, const MetalMaskArgs& args);
void photon_noise(const Context& context, const PhotonNoiseArgs& args);
void normal_noise(const Context& context, const RandomArgs& args);
void random_bits(const Context& context, const RandomArgs& args);
void mean_intensity(const Context& context, const MeanIntensityArgs& args);
void detector_response(const Context& context, const DetectorArgs& args);
void detected_photons(const Context& context, const DoseArgs& args);
void lower_dose(const Context& context, const DoseArgs& args);
void metrics_window(const Context& context, const WindowArgs& args);
void metrics_differences(const Context& context, const DifferenceArgs& args);
void metrics_decimate(const Context& context, const DecimateArgs& args);
void metrics_ssim(const Context& context, const SsimArgs& args);
void sampling_step(const Context& context, const SamplingStepArgs& args);
void dual_domain_step(const Context& context, const DualDomainStepArgs& args);

}  // namespace sino::cpu
