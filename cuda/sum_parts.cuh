// out[i] = Σ_part parts[part, i], in order: what blocks that split a sum leave behind is added the same way every time.
#pragma once

#include <algorithm>

#include "cuda/check.cuh"

namespace sino::cuda {

static __global__ void __launch_bounds__(256)
    sum_parts_kernel(const float* parts, int64_t count, int64_t values, float* out) {
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < values; i += int64_t(gridDim.x) * blockDim.x) {
    float sum = parts[i];
    for (int64_t p = 1; p < count; p++) sum += parts[p * values + i];
    out[i] = sum;
  }
}

inline void sum_parts(cudaStream_t stream, const float* parts, int64_t count, int64_t values, float* out) {
  const unsigned blocks = unsigned(std::min<int64_t>((values + 255) / 256, 1 << 16));
  LAUNCH(sum_parts_kernel, blocks, 256, 0, stream)(parts, count, values, out);
  check_launch("sum_parts");
}

}  // namespace sino::cuda
