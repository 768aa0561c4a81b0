// Kernels with faults to order: Bug = 0 is right, Bug = n has fault n, in the lines marked [n]. They test the checker.
#pragma once

#include "cuda/kernel.cuh"

namespace sino::test {

// out[column][row] = in[row][column], by tiles of 32 × 32; blocks of 32 × 8.
template <int Bug>
__global__ void turn(const float* in, float* out, int rows, int columns) {
  SHARED(float, tile, [32][33]);
  int x = int(blockIdx.x * 32 + threadIdx.x), y = int(blockIdx.y * 32 + threadIdx.y);
  for (int j = 0; j < 32; j += 8)
    if (x < columns && y + j < rows) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * columns + x];
  if (Bug == 5) {
    if (x < columns - 3) __syncthreads();  // [5] some threads never come
  } else if (Bug == 18) {
    if (threadIdx.y == 0)
      __syncthreads();  // [18] some threads come
    else
      __syncthreads();  // [18] the others to another one
  } else if (Bug != 1) {
    __syncthreads();
  }
  x = int(blockIdx.y * 32 + threadIdx.x), y = int(blockIdx.x * 32 + threadIdx.y);
  const int end = Bug == 8 ? columns + 1 : columns;
  for (int j = 0; j < 32; j += 8)
    if (x < rows && y + j < end)
      out[(y + j) * rows + x] = tile[threadIdx.x][threadIdx.y + j];  // [1] too early, [8] too far
}

// *out = sum of n values; blocks of 256.
template <int Bug>
__global__ void total(const float* in, float* out, int n) {
  SHARED(float, of_warp, [32]);
  SHARED(int, first, );
  if (threadIdx.x == 0) first = int(blockIdx.x * blockDim.x);  // [11] in reverse order this is the late one
  if (Bug != 11) __syncthreads();
  float sum = 0;
  const int stride = int(gridDim.x * blockDim.x);
  for (int i = first + int(threadIdx.x); i < n; i += stride) sum += __ldg(in + i);  // [11] too early
  const unsigned mask = Bug == 6 && threadIdx.x % 32 < 16 ? 0x0000ffffu : 0xffffffffu;
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(mask, sum, lanes);  // [6] lanes disagree on it
  if (Bug == 14 && threadIdx.x >= 250) return;
  if (Bug == 14) sum = __shfl_sync(mask, sum, 0);  // [14] six lanes have left
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  sum = Bug == 2 || threadIdx.x < blockDim.x / 32 ? of_warp[threadIdx.x] : 0.f;  // [2] words nobody wrote
  sum = cuda::warp_fold(sum, cuda::Sum());
  if (threadIdx.x > 0) return;
  if (Bug == 7)
    *out = *out + sum;  // [7] lost where two blocks do it at once
  else
    atomicAdd(out, sum);
}

// Walsh-Hadamard transform of 256 values per row of a block, in dynamic shared memory; blocks of 128 × rows.
template <int Bug>
__global__ void walsh(float* data) {
  DYN_SHARED(float, lines);
  float* line = lines + threadIdx.y * 256;
  float* row = data + (blockIdx.x * blockDim.y + threadIdx.y) * 256;
  const int t = int(threadIdx.x);
  line[t] = row[t];              // [15] the launch gave too little
  line[t + 128] = row[t + 128];  // [15]
  __syncthreads();
  for (int half = 1; half < 256; half *= 2) {
    const int i = t / half * half * 2 + t % half;
    const float a = line[i], b = line[i + half];  // [3] the next stage reads what this one has not yet read or written
    if (Bug != 3) __syncthreads();
    line[t / half * half * 2 + t % half] = a + b;  // [3]
    line[i + half] = a - b;                        // [3]
    if (Bug != 3) __syncthreads();
  }
  row[t] = line[t];
  row[t + 128] = line[t + 128];
}

// Sums of `taps` neighbours to the right, beyond the end zero; stages windows of 64 by cp.async; blocks of 64, one per line.
template <int Bug>
__global__ void slide(const float* in, float* out, int n, int taps) {
  SHARED(float, window, [64 + 32]);
  const int t = int(threadIdx.x);
  const float* line = in + int64_t(blockIdx.x) * n;
  for (int begin = 0; begin < n; begin += 64) {
    for (int i = t * 4; i < 64 + 32; i += 256) {
      const int present = min(max(n - begin - i, 0), 4);
      const float* from = line + (present > 0 ? begin + i : 0);
      ptx::cp_async<16>(&window[i], from, unsigned(present) * 4);  // [12] others still read
    }
    ptx::cp_async_commit();
    if (Bug != 9) ptx::cp_async_wait<0>();
    __syncthreads();
    float sum = 0;
    for (int k = 0; k < taps; k++) sum += window[Bug == 4 ? t + k + 32 : t + k];  // [4] too far, [9] too early, [12]
    if (begin + t < n) out[int64_t(blockIdx.x) * n + begin + t] = sum;
    if (Bug == 9) ptx::cp_async_wait<0>();
    if (Bug != 12) __syncthreads();
  }
}

// c (16 × 8) = a (16 × 16) · b (16 × 8), one warp; both operands by ldmatrix.
template <int Bug>
__global__ void multiply(const half* a, const half* b, float* c) {
  SHARED(half, rows_of_a, [16][24]);
  SHARED(half, rows_of_b, [16][8]);
  const unsigned lane = threadIdx.x;
  for (unsigned i = lane; i < 256; i += 32) rows_of_a[i / 16][i % 16] = a[i];
  for (unsigned i = lane; i < 128; i += 32) rows_of_b[i / 8][i % 8] = b[i];
  if (Bug != 10) __syncwarp();
  unsigned of_a[4], of_b[2];
  ptx::ldmatrix_x4(of_a, &rows_of_a[lane % 16][lane / 16 * 8]);  // [10] the rows of other lanes
  ptx::ldmatrix_x2_transposed(of_b, &rows_of_b[lane % 16][0]);
  float sum[4] = {0, 0, 0, 0};
  ptx::mma_m16n8k16(sum, of_a, of_b);
  for (unsigned i = 0; i < 4; i++) c[(lane / 4 + 8 * (i / 2)) * 8 + lane % 4 * 2 + i % 2] = sum[i];
}

template <int Bins, int Bug>
__global__ void histogram(const int* values, int* counts, int n) {
  SHARED(int, bins, [Bins]);
  for (int i = int(threadIdx.x); i < Bins; i += int(blockDim.x)) bins[i] = 0;  // [13]
  if (Bug != 13) __syncthreads();
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) atomicAdd(&bins[values[i] % Bins], 1);  // [13] counted before all are cleared
  __syncthreads();
  for (int b = int(threadIdx.x); b < Bins; b += int(blockDim.x)) atomicAdd(&counts[b], bins[b]);
}

// out[i] = in[i] · 2, four at a time where n allows it.
template <int Bug>
__global__ void twice(const float* in, float* out, int n) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (i + 4 > n) return;
  const float4 v = *reinterpret_cast<const float4*>(in + i + (Bug == 16 ? 1 : 0));  // [16] between two multiples of 16
  *reinterpret_cast<float4*>(out + i) = make_float4(2 * v.x, 2 * v.y, 2 * v.z, 2 * v.w);  // [17] host memory
}

// Neighbouring bytes written by different threads: no race.
template <int Bug>
__global__ void mask_above(const float* in, uint8_t* mask, float threshold, int n) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) mask[i] = in[i] > threshold;       // [19]
  if (Bug == 19 && i + 1 < n) mask[i + 1] = 1;  // [19] the neighbour's byte
}

// The last block to finish sums what all have published: ordered by fence and atomic.
template <int Bug>
__global__ void last_block(float* parts, unsigned* finished, float* out) {
  SHARED(unsigned, before, );
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = float(blockIdx.x + 1);
    if (Bug != 20) __threadfence();
    before = atomicAdd(finished, 1u);
  }
  __syncthreads();
  if (before != gridDim.x - 1 || threadIdx.x > 0) return;
  float sum = 0;
  for (unsigned i = 0; i < gridDim.x; i++) sum += parts[i];  // [20] without the fence they may not be there
  *out = sum;
}

}  // namespace sino::test
