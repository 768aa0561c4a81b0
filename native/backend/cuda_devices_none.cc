#include "native/backend/cuda_devices.h"

#if !defined(SINO_WITH_CUDA)
namespace sino {
std::vector<DeviceInfo> cuda_devices() { return {{"cuda", "", false, "built without CUDA (no nvcc was found)"}}; }
}  // namespace sino
#endif
