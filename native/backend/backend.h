// The operation table: what a device can do, one function per operation. The registry hands out the CPU's
// table now and CUDA's where a usable device is found; native/recon is written against the table, once for
// every backend.
#pragma once

#include <string>
#include <vector>

#include "native/ops/backproject.h"
#include "native/ops/components.h"
#include "native/ops/detector.h"
#include "native/ops/distance.h"
#include "native/ops/dose.h"
#include "native/ops/fourier.h"
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
#include "native/runtime/context.h"

namespace sino {

struct Backend {
  const char* name;
  void (*joseph_project)(const Context&, const JosephArgs&);
  void (*joseph_transpose)(const Context&, const JosephArgs&);
  void (*fourier_project)(const Context&, const FourierArgs&);
  void (*fourier_transpose)(const Context&, const FourierArgs&);
  void (*backproject)(const Context&, const BackprojectArgs&);
  void (*ramp_filter)(const Context&, const FilterArgs&);
  void (*rebin)(const Context&, const RebinArgs&);
  void (*rescale)(const Context&, const RescaleArgs&);
  void (*store)(const Context&, const StoreArgs&);
  void (*combine)(const Context&, const CombineArgs&);
  void (*threshold)(const Context&, const ThresholdArgs&);
  void (*non_zero)(const Context&, const NonZeroArgs&);
  void (*select)(const Context&, const SelectArgs&);
  void (*statistics)(const Context&, const StatisticsArgs&);
  void (*interpolate)(const Context&, const InterpolateArgs&);
  void (*distance)(const Context&, const DistanceArgs&);
  void (*morphology)(const Context&, const MorphologyArgs&);
  void (*label_components)(const Context&, const ComponentsArgs&);
  void (*keep_components)(const Context&, const ComponentsArgs&);
  void (*fill_holes)(const Context&, const ComponentsArgs&);
  void (*component_sizes)(const Context&, const ComponentSizesArgs&);
  void (*gaussian)(const Context&, const GaussianArgs&);
  void (*resample)(const Context&, const ResampleArgs&);
  void (*tissue_thresholds)(const Context&, const TissueThresholdsArgs&);
  void (*tissue_prior)(const Context&, const TissuePriorArgs&);
  void (*tissue_split)(const Context&, const TissueSplitArgs&);
  void (*metal_path)(const Context&, const MetalPathArgs&);
  void (*polychromatic)(const Context&, const PolychromaticArgs&);
  void (*water_correction)(const Context&, const WaterCorrectionArgs&);
  void (*photon_noise)(const Context&, const PhotonNoiseArgs&);
  void (*normal_noise)(const Context&, const RandomArgs&);
  void (*random_bits)(const Context&, const RandomArgs&);
  void (*mean_intensity)(const Context&, const MeanIntensityArgs&);
  void (*detector_response)(const Context&, const DetectorArgs&);
  void (*detected_photons)(const Context&, const DoseArgs&);
  void (*lower_dose)(const Context&, const DoseArgs&);
  void (*metrics_window)(const Context&, const WindowArgs&);
  void (*metrics_differences)(const Context&, const DifferenceArgs&);
  void (*metrics_decimate)(const Context&, const DecimateArgs&);
  void (*metrics_ssim)(const Context&, const SsimArgs&);
  void (*sampling_step)(const Context&, const SamplingStepArgs&);
  void (*dual_domain_step)(const Context&, const DualDomainStepArgs&);
};

// device is "auto", "cpu" or "cuda:N". A named device that is not there is an error; only "auto" chooses.
const Backend& backend_for(const std::string& device);

struct DeviceInfo {
  std::string name;         // "cpu", "cuda:0"
  std::string description;  // processor or card
  bool usable;
  std::string reason;  // why not usable
};
std::vector<DeviceInfo> list_devices();

}  // namespace sino
