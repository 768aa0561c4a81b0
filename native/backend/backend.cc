#include "native/backend/backend.h"

#include "native/backend/cuda_devices.h"
#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"

namespace sino {

namespace {
constexpr Backend kCpu = {
    "cpu",
    cpu::joseph_project,
    cpu::joseph_transpose,
    cpu::fourier_project,
    cpu::fourier_transpose,
    cpu::backproject,
    cpu::ramp_filter,
    cpu::rebin,
    cpu::rescale,
    cpu::store,
    cpu::combine,
    cpu::threshold,
    cpu::non_zero,
    cpu::select,
    cpu::statistics,
    cpu::interpolate,
    cpu::distance,
    cpu::morphology,
    cpu::label_components,
    cpu::keep_components,
    cpu::fill_holes,
    cpu::component_sizes,
    cpu::gaussian,
    cpu::resample,
    cpu::tissue_thresholds,
    cpu::tissue_prior,
    cpu::tissue_split,
    cpu::metal_path,
    cpu::polychromatic,
    cpu::water_correction,
    cpu::photon_noise,
    cpu::normal_noise,
    cpu::random_bits,
    cpu::mean_intensity,
    cpu::detector_response,
    cpu::detected_photons,
    cpu::lower_dose,
    cpu::metrics_window,
    cpu::metrics_differences,
    cpu::metrics_decimate,
    cpu::metrics_ssim,
    cpu::sampling_step,
    cpu::dual_domain_step,
};
}  // namespace

const Backend& backend_for(const std::string& device) {
  if (device == "auto" || device == "cpu") return kCpu;
  if (device.rfind("cuda:", 0) == 0)
    throw Error(
        Code::backend_unavailable,
        "Device " + device + " was asked for, but this build has no CUDA kernels. Use device \"cpu\" or \"auto\".");
  throw Error(Code::out_of_range, "Expected device \"auto\", \"cpu\" or \"cuda:N\" but received \"" + device + "\".");
}

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> devices = {{"cpu", std::string("SIMD ") + simd_kernels().name, true, ""}};
  for (DeviceInfo& device : cuda_devices()) devices.push_back(std::move(device));
  return devices;
}

}  // namespace sino
