// The operation table: what a device can do, one entry per operation. The registry hands out the processor's table, and CUDA's with a
// device to use it on; native/recon is written against the table, once for every backend.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "native/backend/arrays.h"
#include "native/backend/operation.h"
#include "native/runtime/device.h"

namespace sino {

#define SINO_OPERATIONS(X)                   \
  X(joseph_project, JosephArgs)              \
  X(joseph_transpose, JosephArgs)            \
  X(fourier_project, FourierArgs)            \
  X(fourier_transpose, FourierArgs)          \
  X(backproject, BackprojectArgs)            \
  X(ramp_filter, FilterArgs)                 \
  X(rebin, RebinArgs)                        \
  X(rescale, RescaleArgs)                    \
  X(store, StoreArgs)                        \
  X(combine, CombineArgs)                    \
  X(threshold, ThresholdArgs)                \
  X(non_zero, NonZeroArgs)                   \
  X(select, SelectArgs)                      \
  X(axpy, AxpyArgs)                          \
  X(reciprocal, ReciprocalArgs)              \
  X(total_variation, TotalVariationArgs)     \
  X(equalize, EqualizeArgs)                  \
  X(block_matching, BlockMatchingArgs)       \
  X(bias_field, BiasFieldArgs)               \
  X(kspace, KspaceArgs)                      \
  X(noise_power, NoisePowerArgs)             \
  X(edge_line, EdgeLineArgs)                 \
  X(edge_spread, EdgeSpreadArgs)             \
  X(channel_response, ChannelArgs)           \
  X(nonlocal_means, NonLocalArgs)            \
  X(noise_level, NoiseLevelArgs)             \
  X(median, MedianArgs)                      \
  X(statistics, StatisticsArgs)              \
  X(interpolate, InterpolateArgs)            \
  X(distance, DistanceArgs)                  \
  X(morphology, MorphologyArgs)              \
  X(label_components, ComponentsArgs)        \
  X(keep_components, ComponentsArgs)         \
  X(fill_holes, ComponentsArgs)              \
  X(component_sizes, ComponentSizesArgs)     \
  X(gaussian, GaussianArgs)                  \
  X(resample, ResampleArgs)                  \
  X(tissue_thresholds, TissueThresholdsArgs) \
  X(tissue_prior, TissuePriorArgs)           \
  X(tissue_split, TissueSplitArgs)           \
  X(metal_path, MetalPathArgs)               \
  X(polychromatic, PolychromaticArgs)        \
  X(water_correction, WaterCorrectionArgs)   \
  X(linearize, LinearizeArgs)                \
  X(inversion, InversionArgs)                \
  X(mean_path, MeanPathArgs)                 \
  X(ray_variance, RayVarianceArgs)           \
  X(ray_calibrate, RayCalibrateArgs)         \
  X(ray_evidence, RayEvidenceArgs)           \
  X(ray_spread, RaySpreadArgs)               \
  X(ray_blend, RayBlendArgs)                 \
  X(find_leak, FindLeakArgs)                 \
  X(remove_leak, RemoveLeakArgs)             \
  X(quantiles, QuantilesArgs)                \
  X(fit_powers, FitPowersArgs)               \
  X(mean_gradient, MeanGradientArgs)         \
  X(bounds, BoundsArgs)                      \
  X(metal_mask, MetalMaskArgs)               \
  X(photon_noise, PhotonNoiseArgs)           \
  X(normal_noise, RandomArgs)                \
  X(random_bits, RandomArgs)                 \
  X(mean_intensity, MeanIntensityArgs)       \
  X(detector_response, DetectorArgs)         \
  X(detected_photons, DoseArgs)              \
  X(lower_dose, DoseArgs)                    \
  X(covariance, CovarianceArgs)              \
  X(mix_volumes, MixVolumesArgs)             \
  X(rician, RicianArgs)                      \
  X(metrics_window, WindowArgs)              \
  X(metrics_differences, DifferenceArgs)     \
  X(metrics_decimate, DecimateArgs)          \
  X(metrics_ssim, SsimArgs)                  \
  X(sampling_step, SamplingStepArgs)         \
  X(dual_domain_step, DualDomainStepArgs)

struct Backend {
#define SINO_ENTRY(name, Args) Operation<Args> name;
  SINO_OPERATIONS(SINO_ENTRY)
#undef SINO_ENTRY
};

const Backend& cpu_backend();
const Backend& cuda_backend();  // without kernels where the build has no CUDA

// Where a call is to run. "auto" is CUDA's first device where there is one that can do it and the work is worth the way, else the
// processor; a named device is that device or an error.
struct DeviceName {
  enum class Kind { automatic, cpu, cuda } kind;
  int index = 0;
};
DeviceName device_named(const std::string& name);  // "auto", "cpu", "cuda:N"; else out_of_range

// From so many steps of the processor's on (a step: one sample of one ray or one pixel of one view, 0.5 to 2 ns of one core) "auto"
// takes a device: a second of one core, beside which copies and the first call's start are small.
constexpr double kStepsWorthADevice = 1e9;

// A CUDA device by number, whether it is there or not: it says so when it is opened.
std::unique_ptr<Device> make_cuda_device(int index);
bool built_with_cuda();

struct DeviceInfo {
  std::string name;         // "cpu", "cuda:0"
  std::string description;  // processor or card
  bool usable;
  std::string reason;  // why not usable
};
std::vector<DeviceInfo> list_devices();
std::vector<DeviceInfo> cuda_devices();

}  // namespace sino
