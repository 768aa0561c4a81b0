// Fourier transforms of many lines of any length in double, the twin of native/core/small_fft.h with its roots: plain sums over the odd part of
// the length, then steps of two. Beside fft_lines.cuh this is slow and takes every length exactly. A block transforms a line at a time, in
// shared memory, or in device memory where that does not hold it. A job is a struct of plain data:
//
//   static constexpr bool kBack;                 after the transform comes another one, back
//   double2 get(line, k)                         number k
//   double2 between(line, f, value)              where both are: what becomes of frequency f
//   void put(line, k, value)                     frequency k, or number k
#pragma once

#include <algorithm>

#include "cuda/device.cuh"
#include "native/core/small_fft.h"

namespace sino::cuda {

constexpr int kSmallThreads = 128, kSmallBlocks = 4;  // resident

__device__ __forceinline__ double2 times(double2 a, double2 b) {
  return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x};
}
__device__ __forceinline__ double2 conjugate(double2 a) { return {a.x, -a.y}; }

// n = odd · 2^twos; roots[k] = e^{−2πi·k/n}.
struct SmallFftTable {
  int n, odd, twos;
  const double2* roots;
};
class SmallFftTables {
 public:
  SmallFftTables(cudaStream_t stream, int64_t n) : roots_(stream, SmallFft(n).roots()) {
    table_ = {int(n), int(n), 0, reinterpret_cast<const double2*>(roots_.data())};
    for (; table_.odd % 2 == 0; table_.odd /= 2) table_.twos++;
  }
  const SmallFftTable& table() const { return table_; }

 private:
  Uploaded<SmallFft::Complex> roots_;
  SmallFftTable table_;
};

__device__ __forceinline__ int with_bits_reversed(int value, int bits) {
  int result = 0;
  for (; bits > 0; bits--, value >>= 1) result = 2 * result + (value & 1);
  return result;
}

// `numbers` to `out`; all threads of the block call, when numbers are there, and leave when out is.
__device__ inline void small_fft_of(const SmallFftTable& t, const double2* numbers, double2* out) {
  for (int i = int(threadIdx.x); i < t.n; i += kSmallThreads) {
    const int k = i % t.odd, first = with_bits_reversed(i / t.odd, t.twos);
    double2 sum = numbers[first];
    for (int j = 1; j < t.odd; j++) {
      const double2 term = times(numbers[first + (j << t.twos)], t.roots[int(int64_t(j) * k % t.odd) << t.twos]);
      sum.x += term.x, sum.y += term.y;
    }
    out[i] = sum;
  }
  __syncthreads();
  for (int span = t.odd; span < t.n; span *= 2) {
    for (int i = int(threadIdx.x); i < t.n / 2; i += kSmallThreads) {
      const int k = i % span, at = 2 * (i - k) + k;
      const double2 even = out[at], odd = times(out[at + span], t.roots[k * (t.n / (2 * span))]);
      out[at] = {even.x + odd.x, even.y + odd.y};
      out[at + span] = {even.x - odd.x, even.y - odd.y};
    }
    __syncthreads();
  }
}

template <typename Job>
__global__ void __launch_bounds__(kSmallThreads, kSmallBlocks)
    small_fft_lines(Job job, SmallFftTable t, int64_t lines, double2* workspace) {
  DYN_SHARED(double2, shared);
  double2 *const numbers = workspace ? workspace + int64_t(blockIdx.x) * 2 * t.n : shared, *const out = numbers + t.n;
  for (int64_t line = blockIdx.x; line < lines; line += gridDim.x) {
    for (int k = int(threadIdx.x); k < t.n; k += kSmallThreads) numbers[k] = job.get(line, k);
    __syncthreads();
    small_fft_of(t, numbers, out);
    if constexpr (Job::kBack) {
      for (int k = int(threadIdx.x); k < t.n; k += kSmallThreads) numbers[k] = conjugate(job.between(line, k, out[k]));
      __syncthreads();
      small_fft_of(t, numbers, out);
    }
    for (int k = int(threadIdx.x); k < t.n; k += kSmallThreads)
      job.put(line, k, Job::kBack ? conjugate(out[k]) : out[k]);
  }
}

template <typename Job>
void small_fft(cudaStream_t stream, const Job& job, const SmallFftTables& tables, int64_t lines, const char* name) {
  const SmallFftTable& t = tables.table();
  const size_t bytes = 2 * size_t(t.n) * sizeof(double2);
  if (bytes <= most_shared_bytes()) {
    allow_shared(small_fft_lines<Job>, bytes);
    LAUNCH(small_fft_lines<Job>, unsigned(std::min<int64_t>(lines, 1 << 16)), kSmallThreads, bytes, stream)
    (job, t, lines, nullptr);
  } else {
    const int64_t most = int64_t(kSmallBlocks) * device_attribute(cudaDevAttrMultiProcessorCount);
    const int64_t blocks = std::min(lines, most);
    StreamMemory<double2> workspace(stream, size_t(blocks) * 2 * size_t(t.n));
    LAUNCH(small_fft_lines<Job>, unsigned(blocks), kSmallThreads, 0, stream)(job, t, lines, workspace.data());
  }
  check_launch(name);
}

}  // namespace sino::cuda
