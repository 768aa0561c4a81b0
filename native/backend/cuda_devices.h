// The CUDA cards of this machine, for `sinogram doctor`. Built without nvcc it is a sentence that says so.
#pragma once

#include <vector>

#include "native/backend/backend.h"

namespace sino {
std::vector<DeviceInfo> cuda_devices();
}
