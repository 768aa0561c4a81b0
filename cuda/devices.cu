// The CUDA cards of this machine. cudart is linked statically, so this loads and answers where there is no
// driver.
#include <cuda_runtime.h>

#include "native/backend/cuda_devices.h"

namespace sino {

std::vector<DeviceInfo> cuda_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();  // not sticky: clear it for whoever shares the process
    return {{"cuda", "", false, cudaGetErrorString(status)}};
  }
  std::vector<DeviceInfo> devices;
  for (int i = 0; i < count; i++) {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) continue;
    devices.push_back({"cuda:" + std::to_string(i), properties.name, false, "no CUDA kernels in this version"});
  }
  return devices;
}

}  // namespace sino
