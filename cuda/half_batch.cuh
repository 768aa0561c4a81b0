// Batches of float32 numbers as half-precision operands of tensor cores: slices side by side, scaled by one power of two per batch so
// that the largest value lies in [2^14, 2^15), in one part (11 bits) or two (22 bits: high + low). Half keeps its 11 bits down
// to 2^-29 of the largest value.
#pragma once

#include <algorithm>
#include <cfloat>

#include "cuda/check.cuh"

namespace sino::cuda {

// The bits of the largest finite magnitude: non-negative floats compare like integers.
static __global__ void __launch_bounds__(256) largest_magnitude(const float* values, int64_t count, unsigned* largest) {
  float most = 0;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += int64_t(gridDim.x) * blockDim.x) {
    const float magnitude = fabsf(values[i]);
    if (magnitude <= FLT_MAX) most = fmaxf(most, magnitude);
  }
  for (int lanes = 16; lanes > 0; lanes /= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, lanes));
  if (threadIdx.x % 32 == 0) atomicMax(largest, __float_as_uint(most));
}

// Exponents that would leave float32 are left alone: such batches are zero, or nearly so.
__device__ __forceinline__ float half_scale(unsigned largest) {
  const int exponent = int(largest >> 23) - 127;
  return exponent < -100 ? 1.f : __uint_as_float(unsigned(127 + 14 - exponent) << 23);
}

// [slice, i] to [group, i, slice of group], N slices a group, zeros where there is none; `low` may be null.
template <int N>
__global__ void __launch_bounds__(256) write_halves(const float* values, int64_t slices, int64_t count, int64_t groups,
                                                    const unsigned* largest, half* high, half* low) {
  SHARED(float, square, [N][33]);
  const float scale = half_scale(*largest);
  const int64_t first = int64_t(blockIdx.x) * 32;
  for (int64_t group = blockIdx.y; group < groups; group += gridDim.y) {
    for (int s = int(threadIdx.y); s < N; s += 8) {
      const int64_t slice = group * N + s, i = first + threadIdx.x;
      square[s][threadIdx.x] = slice < slices && i < count ? scale * values[slice * count + i] : 0.f;
    }
    __syncthreads();
    for (int q = int(threadIdx.y * 32 + threadIdx.x); q < 32 * N / 2; q += 256) {
      const int i = q / (N / 2), s = q % (N / 2) * 2;
      if (first + i >= count) continue;
      const float a = square[s][i], b = square[s + 1][i];
      const half2 both = __floats2half2_rn(a, b);
      const int64_t at = (group * count + first + i) * N + s;
      *reinterpret_cast<half2*>(high + at) = both;
      if (low != nullptr)
        *reinterpret_cast<half2*>(low + at) = __floats2half2_rn(a - __low2float(both), b - __high2float(both));
    }
    __syncthreads();
  }
}

template <int N>
class HalfBatch {
 public:
  HalfBatch(cudaStream_t stream, const float* values, int64_t slices, int64_t count, bool split)
      : groups_((slices + N - 1) / N),
        part_(groups_ * count * N),
        split_(split),
        values_(stream, size_t(part_ * (split ? 2 : 1))),
        largest_(stream, 1) {
    check(cudaMemsetAsync(largest_.data(), 0, sizeof(unsigned), stream), "cudaMemsetAsync");
    const int64_t blocks = std::min<int64_t>((slices * count + 2047) / 2048, 2048);
    LAUNCH(largest_magnitude, unsigned(blocks), 256, 0, stream)(values, slices * count, largest_.data());
    check_launch("largest_magnitude");
    const dim3 grid(unsigned((count + 31) / 32), unsigned(std::min<int64_t>(groups_, 65535)));
    LAUNCH(write_halves<N>, grid, dim3(32, 8), 0, stream)
    (values, slices, count, groups_, largest_.data(), values_.data(), split ? values_.data() + part_ : nullptr);
    check_launch("write_halves");
  }
  int64_t groups() const { return groups_; }
  const half* high() { return values_.data(); }
  const half* low() { return split_ ? values_.data() + part_ : nullptr; }
  const unsigned* largest() { return largest_.data(); }

 private:
  int64_t groups_, part_;
  bool split_;
  StreamMemory<half> values_;
  StreamMemory<unsigned> largest_;
};

}  // namespace sino::cuda
