// The CUDA twins of native/cpu: same argument structs, with every array in the memory of the current device (device pointers),
// and a stream to queue the work on. They return when the work is queued; they throw sino::Error where it could not be. Small
// results (counts, sizes, thresholds, sums) may be asked for in the host's memory, too; where that is pageable they are there on return.
// The arguments are only named here: a kernel is compiled anew when its own operation changes, not with every other one.
#pragma once

namespace sino {

struct JosephArgs;
struct FourierArgs;
struct BackprojectArgs;
struct FilterArgs;
struct RebinArgs;
struct RescaleArgs;
struct StoreArgs;
struct CombineArgs;
struct AxpyArgs;
struct ReciprocalArgs;
struct TotalVariationArgs;
struct NonLocalArgs;
struct MedianArgs;
struct ThresholdArgs;
struct NonZeroArgs;
struct SelectArgs;
struct StatisticsArgs;
struct InterpolateArgs;
struct DistanceArgs;
struct MorphologyArgs;
struct ComponentsArgs;
struct ComponentSizesArgs;
struct GaussianArgs;
struct ResampleArgs;
struct TissueThresholdsArgs;
struct TissuePriorArgs;
struct TissueSplitArgs;
struct MetalPathArgs;
struct PolychromaticArgs;
struct WaterCorrectionArgs;
struct LinearizeArgs;
struct InversionArgs;
struct MeanPathArgs;
struct RayVarianceArgs;
struct RayCalibrateArgs;
struct RayEvidenceArgs;
struct RaySpreadArgs;
struct RayBlendArgs;
struct NoiseLevelArgs;
struct EqualizeArgs;
struct FindLeakArgs;
struct RemoveLeakArgs;
struct QuantilesArgs;
struct FitPowersArgs;
struct MeanGradientArgs;
struct BoundsArgs;
struct MetalMaskArgs;
struct CovarianceArgs;
struct MixVolumesArgs;
struct RicianArgs;
struct PhotonNoiseArgs;
struct RandomArgs;
struct MeanIntensityArgs;
struct DetectorArgs;
struct DoseArgs;
struct WindowArgs;
struct DifferenceArgs;
struct DecimateArgs;
struct SsimArgs;
struct BlockMatchingArgs;
struct BiasFieldArgs;
struct KspaceArgs;
struct NoisePowerArgs;
struct EdgeLineArgs;
struct EdgeSpreadArgs;
struct ChannelArgs;
struct SamplingStepArgs;
struct DualDomainStepArgs;

}  // namespace sino

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
void fourier_project(Stream stream, const FourierArgs& args);
void fourier_transpose(Stream stream, const FourierArgs& args);

void rescale(Stream stream, const RescaleArgs& args);
void store(Stream stream, const StoreArgs& args);
void gaussian(Stream stream, const GaussianArgs& args);
void resample(Stream stream, const ResampleArgs& args);

void combine(Stream stream, const CombineArgs& args);
void threshold(Stream stream, const ThresholdArgs& args);
void non_zero(Stream stream, const NonZeroArgs& args);
void select(Stream stream, const SelectArgs& args);
void axpy(Stream stream, const AxpyArgs& args);
void reciprocal(Stream stream, const ReciprocalArgs& args);
void total_variation(Stream stream, const TotalVariationArgs& args);
void nonlocal_means(Stream stream, const NonLocalArgs& args);
void median(Stream stream, const MedianArgs& args);
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

void linearize(Stream stream, const LinearizeArgs& args);
void inversion(Stream stream, const InversionArgs& args);
void mean_path(Stream stream, const MeanPathArgs& args);
void ray_variance(Stream stream, const RayVarianceArgs& args);
void ray_calibrate(Stream stream, const RayCalibrateArgs& args);
void ray_evidence(Stream stream, const RayEvidenceArgs& args);
void ray_spread(Stream stream, const RaySpreadArgs& args);
void ray_blend(Stream stream, const RayBlendArgs& args);
void noise_level(Stream stream, const NoiseLevelArgs& args);
void equalize(Stream stream, const EqualizeArgs& args);

void find_leak(Stream stream, const FindLeakArgs& args);
void remove_leak(Stream stream, const RemoveLeakArgs& args);
void quantiles(Stream stream, const QuantilesArgs& args);
void fit_powers(Stream stream, const FitPowersArgs& args);
void mean_gradient(Stream stream, const MeanGradientArgs& args);
void bounds(Stream stream, const BoundsArgs& args);
void metal_mask(Stream stream, const MetalMaskArgs& args);

void covariance(Stream stream, const CovarianceArgs& args);
void mix_volumes(Stream stream, const MixVolumesArgs& args);
void rician(Stream stream, const RicianArgs& args);

void photon_noise(Stream stream, const PhotonNoiseArgs& args);
void normal_noise(Stream stream, const RandomArgs& args);
void random_bits(Stream stream, const RandomArgs& args);
void mean_intensity(Stream stream, const MeanIntensityArgs& args);
void detector_response(Stream stream, const DetectorArgs& args);
void detected_photons(Stream stream, const DoseArgs& args);
void lower_dose(Stream stream, const DoseArgs& args);

void sampling_step(Stream stream, const SamplingStepArgs& args);
void dual_domain_step(Stream stream, const DualDomainStepArgs& args);

void metrics_window(Stream stream, const WindowArgs& args);
void metrics_differences(Stream stream, const DifferenceArgs& args);
void metrics_decimate(Stream stream, const DecimateArgs& args);
void metrics_ssim(Stream stream, const SsimArgs& args);
void block_matching(Stream stream, const BlockMatchingArgs& args);
void bias_field(Stream stream, const BiasFieldArgs& args);
void kspace(Stream stream, const KspaceArgs& args);
void noise_power(Stream stream, const NoisePowerArgs& args);
void edge_line(Stream stream, const EdgeLineArgs& args);
void edge_spread(Stream stream, const EdgeSpreadArgs& args);
void channel_response(Stream stream, const ChannelArgs& args);

}  // namespace sino::cuda
