// Element-wise kernels: one pass over memory, a row of blocks along each row of elements and one line of them per row. Threads move
// four elements at a time where addresses allow it, the last few of a flat array one by one; where rows do not keep the
// alignment, all of them. An operation is a struct of plain data with
//
//   template <int N> __device__ void at(int64_t row, int64_t k, int64_t i) const;
//
// which does elements k to k + N − 1 of a row; the first has number i in the arrays.
#pragma once

#include <algorithm>

#include "cuda/check.cuh"

namespace sino::cuda {

constexpr int kPointThreads = 256,
              kPointBlocks = 4;  // resident; asked for more, as ptxas does by itself, registers spill

template <int N, typename T>
__device__ __forceinline__ Pack<T, N> load(const T* p, int64_t i) {
  return *reinterpret_cast<const Pack<T, N>*>(p + i);
}
template <typename T, int N>
__device__ __forceinline__ void store(T* p, int64_t i, const Pack<T, N>& pack) {
  *reinterpret_cast<Pack<T, N>*>(p + i) = pack;
}

template <int N, typename Operation, int kBlocks>
__global__ void __launch_bounds__(kPointThreads, kBlocks)
    each_element(int64_t rows, int64_t length, Operation operation) {
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y)
    for (int64_t k = (int64_t(blockIdx.x) * kPointThreads + threadIdx.x) * N; k < length;
         k += int64_t(gridDim.x) * kPointThreads * N) {
      if (k + N <= length)
        operation.template at<N>(row, k, row * length + k);
      else
        for (int64_t last = k; last < length; last++) operation.template at<1>(row, last, row * length + last);
    }
}

// True where rows of so many elements can be moved by fours from and to all of these arrays (null: not used).
template <typename... T>
bool moves_packs(int64_t rows, int64_t length, const T*... arrays) {
  return (rows == 1 || length % 4 == 0) && ((reinterpret_cast<uintptr_t>(arrays) % (4 * sizeof(T)) == 0) && ...);
}

// N elements at a time; operations that need more registers have fewer blocks resident.
template <int N, int kBlocks = kPointBlocks, typename Operation>
void pointwise_by(cudaStream_t stream, int64_t rows, int64_t length, const Operation& operation, const char* name) {
  if (rows == 0 || length == 0) return;
  const int64_t of_block = kPointThreads * N;
  const dim3 grid(unsigned(std::min<int64_t>((length + of_block - 1) / of_block, 1 << 20)),
                  unsigned(std::min<int64_t>(rows, 65535)));
  LAUNCH((each_element<N, Operation, kBlocks>), grid, kPointThreads, 0, stream)(rows, length, operation);
  check_launch(name);
}
template <typename Operation>
void pointwise(cudaStream_t stream, int64_t rows, int64_t length, bool packs, const Operation& operation,
               const char* name) {
  packs ? pointwise_by<4>(stream, rows, length, operation, name)
        : pointwise_by<1>(stream, rows, length, operation, name);
}

}  // namespace sino::cuda
