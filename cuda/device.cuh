// What launchers ask of the current device, and small tables on their way to it.
#pragma once

#include <algorithm>
#include <vector>

#include "cuda/check.cuh"

namespace sino::cuda {

inline int device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&value, attribute, device), "cudaDeviceGetAttribute");
  return value;
}

// mma.m16n8k16 and cp.async.
inline bool has_tensor_cores() { return device_attribute(cudaDevAttrComputeCapabilityMajor) >= 8; }

// Shared memory of a block that this device has, and leave for a kernel to take more than 48 KB of it.
inline size_t most_shared_bytes() { return size_t(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)); }
template <typename Kernel>
void allow_shared(Kernel kernel, size_t bytes) {
  if (bytes > 48 << 10)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes)),
          "cudaFuncSetAttribute");
}

template <typename T>
struct Uploaded : StreamMemory<T> {
  Uploaded(cudaStream_t stream, const std::vector<T>& values)
      : StreamMemory<T>(stream, std::max<size_t>(1, values.size())) {
    if (!values.empty()) this->upload(values.data(), values.size());
  }
};

}  // namespace sino::cuda
