// What a kernel is written with. Every .cu file includes this and is compiled twice: by nvcc for the device, and by a plain C++
// compiler over native/test/simt, where its threads are fibers and every access is checked. Four things differ between the two
// and are named here; all else is plain CUDA.
//
//   LAUNCH(kernel, grid, block, shared_bytes, stream)(arguments…);   templates with commas in parentheses: LAUNCH((k<1, 2>), …)
//   SHARED(float, tile, [32][33]);                                   a shared array, at the top of a kernel
//   DYN_SHARED(float, lines);                                        a pointer to the launch's shared_bytes, 16-byte aligned
//   ptx::…                                                           mma, ldmatrix, cp.async: ptx.cuh
//
// For both to hold: no texture or constant memory; threads wait for each other at barriers only, never by spinning; a thread that
// left early counts as missing at __syncthreads; __reduce_*_sync needs compute capability 8.0, warp_fold does not.
#pragma once

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#define LAUNCH(kernel, grid, block, shared_bytes, stream) kernel<<<grid, block, shared_bytes, stream>>>
#define SHARED(T, name, dims) __shared__ T name dims
#define DYN_SHARED(T, name)                                             \
  extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[]; \
  T* const name = reinterpret_cast<T*>(dynamic_shared_bytes)
#else
#include <simt/simt.h>
#endif

#include "cuda/ptx.cuh"

namespace sino::cuda {

// The fold of all 32 lanes' values by an associative, commutative function; every lane gets it. All lanes of the warp call.
template <typename T, typename Fold>
__device__ __forceinline__ T warp_fold(T value, Fold fold) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value = fold(value, __shfl_xor_sync(~0u, value, lanes));
  return value;
}
struct Sum {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Smaller {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};
struct Larger {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};

// The same over all threads of a block of whole warps along x, in a fixed order; `of_warp` is shared memory for one value per warp.
// Every thread gets it; all call.
template <typename T, typename Fold>
__device__ __forceinline__ T block_fold(T value, T* of_warp, Fold fold) {
  value = warp_fold(value, fold);
  __syncthreads();  // the last fold is read
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  T all = of_warp[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; warp++) all = fold(all, of_warp[warp]);
  return all;
}

// N values that move in one instruction: the address must be a multiple of N · sizeof(T).
template <typename T, int N>
struct alignas(N * sizeof(T)) Pack {
  T value[N];
};

}  // namespace sino::cuda
