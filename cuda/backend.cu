// CUDA's part of the registry: the table of operations, and devices by number.
#include "native/backend/backend.h"

#include "cuda/check.cuh"
#include "cuda/device.h"

namespace sino {

namespace cuda {

namespace {

struct Working {
  explicit Working(Space* space) { working_space = space; }
  ~Working() { working_space = nullptr; }
};

// Between launches a cancelled job leaves.
template <typename Args, void (*queue)(Stream, const Args&)>
void queued(const Context& context, const Args& args) {
  context.check();
  const Working working(context.space);
  queue(stream_of(context), args);
}

Backend table() {
  Backend b = {
#define SINO_ENTRY(name, Args) {#name, nullptr},
      SINO_OPERATIONS(SINO_ENTRY)
#undef SINO_ENTRY
  };
#define SINO_KERNEL(name, Args) b.name.kernel = queued<Args, cuda::name>
  SINO_KERNEL(joseph_project, JosephArgs);
  SINO_KERNEL(joseph_transpose, JosephArgs);
  SINO_KERNEL(fourier_project, FourierArgs);
  SINO_KERNEL(fourier_transpose, FourierArgs);
  SINO_KERNEL(backproject, BackprojectArgs);
  SINO_KERNEL(ramp_filter, FilterArgs);
  SINO_KERNEL(rebin, RebinArgs);
  SINO_KERNEL(rescale, RescaleArgs);
  SINO_KERNEL(store, StoreArgs);
  SINO_KERNEL(combine, CombineArgs);
  SINO_KERNEL(threshold, ThresholdArgs);
  SINO_KERNEL(non_zero, NonZeroArgs);
  SINO_KERNEL(select, SelectArgs);
  SINO_KERNEL(axpy, AxpyArgs);
  SINO_KERNEL(reciprocal, ReciprocalArgs);
  SINO_KERNEL(total_variation, TotalVariationArgs);
  SINO_KERNEL(nonlocal_means, NonLocalArgs);
  SINO_KERNEL(median, MedianArgs);
  SINO_KERNEL(statistics, StatisticsArgs);
  SINO_KERNEL(interpolate, InterpolateArgs);
  SINO_KERNEL(distance, DistanceArgs);
  SINO_KERNEL(morphology, MorphologyArgs);
  SINO_KERNEL(label_components, ComponentsArgs);
  SINO_KERNEL(keep_components, ComponentsArgs);
  SINO_KERNEL(fill_holes, ComponentsArgs);
  SINO_KERNEL(component_sizes, ComponentSizesArgs);
  SINO_KERNEL(gaussian, GaussianArgs);
  SINO_KERNEL(resample, ResampleArgs);
  SINO_KERNEL(tissue_thresholds, TissueThresholdsArgs);
  SINO_KERNEL(tissue_prior, TissuePriorArgs);
  SINO_KERNEL(tissue_split, TissueSplitArgs);
  SINO_KERNEL(metal_path, MetalPathArgs);
  SINO_KERNEL(polychromatic, PolychromaticArgs);
  SINO_KERNEL(water_correction, WaterCorrectionArgs);
  SINO_KERNEL(linearize, LinearizeArgs);
  SINO_KERNEL(inversion, InversionArgs);
  SINO_KERNEL(mean_path, MeanPathArgs);
  SINO_KERNEL(ray_variance, RayVarianceArgs);
  SINO_KERNEL(ray_calibrate, RayCalibrateArgs);
  SINO_KERNEL(ray_evidence, RayEvidenceArgs);
  SINO_KERNEL(ray_spread, RaySpreadArgs);
  SINO_KERNEL(ray_blend, RayBlendArgs);
  SINO_KERNEL(noise_level, NoiseLevelArgs);
  SINO_KERNEL(equalize, EqualizeArgs);
  SINO_KERNEL(find_leak, FindLeakArgs);
  SINO_KERNEL(remove_leak, RemoveLeakArgs);
  SINO_KERNEL(quantiles, QuantilesArgs);
  SINO_KERNEL(fit_powers, FitPowersArgs);
  SINO_KERNEL(mean_gradient, MeanGradientArgs);
  SINO_KERNEL(bounds, BoundsArgs);
  SINO_KERNEL(metal_mask, MetalMaskArgs);
  SINO_KERNEL(covariance, CovarianceArgs);
  SINO_KERNEL(mix_volumes, MixVolumesArgs);
  SINO_KERNEL(rician, RicianArgs);
  SINO_KERNEL(photon_noise, PhotonNoiseArgs);
  SINO_KERNEL(normal_noise, RandomArgs);
  SINO_KERNEL(random_bits, RandomArgs);
  SINO_KERNEL(mean_intensity, MeanIntensityArgs);
  SINO_KERNEL(detector_response, DetectorArgs);
  SINO_KERNEL(detected_photons, DoseArgs);
  SINO_KERNEL(lower_dose, DoseArgs);
  SINO_KERNEL(block_matching, BlockMatchingArgs);
  SINO_KERNEL(bias_field, BiasFieldArgs);
  SINO_KERNEL(kspace, KspaceArgs);
  SINO_KERNEL(noise_power, NoisePowerArgs);
  SINO_KERNEL(edge_line, EdgeLineArgs);
  SINO_KERNEL(edge_spread, EdgeSpreadArgs);
  SINO_KERNEL(channel_response, ChannelArgs);
  SINO_KERNEL(metrics_window, WindowArgs);
  SINO_KERNEL(metrics_differences, DifferenceArgs);
  SINO_KERNEL(metrics_decimate, DecimateArgs);
  SINO_KERNEL(metrics_ssim, SsimArgs);
  SINO_KERNEL(sampling_step, SamplingStepArgs);
  SINO_KERNEL(dual_domain_step, DualDomainStepArgs);
#undef SINO_KERNEL
  return b;
}

}  // namespace

}  // namespace cuda

bool built_with_cuda() { return true; }

const Backend& cuda_backend() {
  static const Backend backend = cuda::table();
  return backend;
}

std::unique_ptr<Device> make_cuda_device(int index) { return std::make_unique<cuda::CudaDevice>(index); }

std::vector<DeviceInfo> cuda_devices() {
  std::string why;
  const int count = cuda::count_devices(&why);
  if (count == 0) return {{"cuda", "", false, why}};
  std::vector<DeviceInfo> devices;
  for (int i = 0; i < count; i++) {
    std::string name;
    const std::string reason = cuda::obstacle(i, &name);
    devices.push_back({"cuda:" + std::to_string(i), name, reason.empty(), reason});
  }
  return devices;
}

}  // namespace sino
