// A rank among the values that a block goes over, exact: digit by digit, a histogram of 256 counts each time, in integers.
#pragma once

#include "cuda/kernel.cuh"

namespace sino::cuda {

// Floats in their order as whole numbers.
__device__ __forceinline__ unsigned key_of(float value) {
  const unsigned bits = __float_as_uint(value);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float value_of(unsigned key) {
  return __uint_as_float(key >> 31 ? key & 0x7fffffffu : ~key);
}

// The values are what each(i, take) hands to take(value), i < count; of those the one of a rank, counted from 0. All kThreads threads of
// the block call and get it; `histogram` is shared memory for 256 counts.
template <int kThreads, typename Each>
__device__ float value_of_rank(int64_t count, int64_t rank, unsigned* histogram, const Each& each) {
  unsigned found = 0, known = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    __syncthreads();  // the last one is read
    if (threadIdx.x < 256) histogram[threadIdx.x] = 0;
    __syncthreads();
    for (int64_t i = threadIdx.x; i < count; i += kThreads)
      each(i, [&](float value) {
        const unsigned key = key_of(value);
        if ((key & known) == found) atomicAdd(histogram + (key >> shift & 255), 1u);
      });
    __syncthreads();
    unsigned digit = 0;
    for (; digit < 255 && rank >= int64_t(histogram[digit]); digit++) rank -= histogram[digit];
    found |= digit << shift, known |= 255u << shift;
  }
  return value_of(found);
}

}  // namespace sino::cuda
