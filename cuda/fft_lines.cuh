// Fourier transforms of many lines of any length 2^a·3^b·5^c: load, transform, store, in one kernel; in shared memory, or in device memory
// where that does not hold a line. It is the transform of native/ops/fourier.h with its tables: decimation in frequency, natural order
// in, frequency f at place[f]; the way back is the adjoint of every step, rounded turns included, so that ⟨Ax, y⟩ = ⟨x, Aᵀy⟩.
//
// What is transformed is a job, a struct of plain data:
//
//   static constexpr bool kForward, kBack;       which transforms; with both, `multiply` is between them
//   static constexpr bool kLinesIn, kLinesOut;   neighbouring threads take neighbouring lines, not numbers, of input and output
//   int lines, outputs;                          lines of a slice; calls of put per line
//   float2 get(slice, line, n)                   number n; of a transform back alone, frequency n
//   void put(slice, line, k, at)                 at(f): frequency f; after a transform back, number f
//   float multiply(f)                            where both transforms are
//
// A block transforms several neighbouring lines, so that columns of images move in pieces of 64 bytes and more. Every 32nd number is
// followed by a gap of one: steps of radix 4 and 16 meet two-fold bank conflicts.
#pragma once

#include <algorithm>

#include "cuda/device.cuh"
#include "cuda/dft.cuh"
#include "native/ops/fourier.h"

namespace sino::cuda {

constexpr int kMostSteps = 24, kLineThreads = 256, kMostLines = 8;
constexpr int kLongBlocks = 2;  // resident; asked for more, as ptxas does by itself, registers spill

struct FftTable {
  int length, steps;
  int radix[kMostSteps];
  const float2* turns;
  const int* place;
};

// A transform's tables on the device.
class FftTables {
 public:
  FftTables(cudaStream_t stream, const FourierTransform& t) : turns_(stream, t.twiddles), place_(stream, t.place) {
    table_ = {int(t.length), int(t.radices.size()), {}, reinterpret_cast<const float2*>(turns_.data()), place_.data()};
    std::copy(t.radices.begin(), t.radices.end(), table_.radix);
  }
  const FftTable& table() const { return table_; }

 private:
  Uploaded<float> turns_;
  Uploaded<int> place_;
  FftTable table_;
};

__host__ __device__ constexpr int with_gaps(int i) { return i + i / 32; }

// One step of radix R over blocks of `span` numbers of `lines` lines.
template <int R, bool Back>
__device__ __forceinline__ void fft_step(float2* numbers, int lines, int length, int span, const float2* turns) {
  const int part = span / R, of_line = length / R, size = with_gaps(length);
  for (int i = int(threadIdx.x); i < lines * of_line; i += kLineThreads) {
    const int line = i / of_line, butterfly = i - line * of_line, k = butterfly % part;
    float2* const first = numbers + line * size;
    const int begin = (butterfly - k) * R + k;
    const float2* turn = turns + k * (R - 1) - 1;
    float2 z[R];
#pragma unroll
    for (int m = 0; m < R; m++) z[m] = first[with_gaps(begin + m * part)];
    if (Back) {
#pragma unroll
      for (int m = 1; m < R; m++) z[m] = z[m] * conjugate(turn[m]);
      inverse_dft(z);
    } else {
      dft(z);
#pragma unroll
      for (int m = 1; m < R; m++) z[m] = z[m] * turn[m];
    }
#pragma unroll
    for (int m = 0; m < R; m++) first[with_gaps(begin + m * part)] = z[m];
  }
  __syncthreads();
}
template <bool Back>
__device__ __forceinline__ void fft_any_step(int radix, float2* numbers, int lines, int length, int span,
                                             const float2* turns) {
  if (radix == 4)
    fft_step<4, Back>(numbers, lines, length, span, turns);
  else if (radix == 5)
    fft_step<5, Back>(numbers, lines, length, span, turns);
  else if (radix == 3)
    fft_step<3, Back>(numbers, lines, length, span, turns);
  else
    fft_step<2, Back>(numbers, lines, length, span, turns);
}

// Place i of the loop over lines × count.
struct LinePlace {
  int line, number;
  __device__ LinePlace(int i, int lines, int count, bool lines_first)
      : line(lines_first ? i % lines : i / count), number(lines_first ? i / lines : i % count) {}
};

// Lines [first, first + lines) of a slice.
template <typename Job>
__device__ __forceinline__ void transform_lines(const Job& job, const FftTable& t, float2* numbers, int64_t slice,
                                                int first, int lines) {
  const int size = with_gaps(t.length);
  for (int i = int(threadIdx.x); i < lines * t.length; i += kLineThreads) {
    const LinePlace p(i, lines, t.length, Job::kLinesIn);
    const int to = Job::kForward ? p.number : t.place[p.number];
    numbers[p.line * size + with_gaps(to)] = job.get(slice, first + p.line, p.number);
  }
  __syncthreads();
  const float2* turns = t.turns;
  int span = t.length;
  if (Job::kForward) {
    for (int s = 0; s < t.steps; s++) {
      fft_any_step<false>(t.radix[s], numbers, lines, t.length, span, turns);
      span /= t.radix[s], turns += span * (t.radix[s] - 1);
    }
  } else {
    for (int s = 0; s < t.steps; s++) span /= t.radix[s], turns += span * (t.radix[s] - 1);
  }
  if constexpr (Job::kForward && Job::kBack) {
    for (int i = int(threadIdx.x); i < lines * t.length; i += kLineThreads) {
      const LinePlace p(i, lines, t.length, false);
      float2& z = numbers[p.line * size + with_gaps(t.place[p.number])];
      z = job.multiply(p.number) * z;
    }
    __syncthreads();
  }
  if (Job::kBack)
    for (int s = t.steps - 1; s >= 0; s--) {
      turns -= span * (t.radix[s] - 1), span *= t.radix[s];
      fft_any_step<true>(t.radix[s], numbers, lines, t.length, span, turns);
    }
  for (int i = int(threadIdx.x); i < lines * job.outputs; i += kLineThreads) {
    const LinePlace p(i, lines, job.outputs, Job::kLinesOut);
    const float2* line = numbers + p.line * size;
    job.put(slice, first + p.line, p.number, [&](int f) { return line[with_gaps(Job::kBack ? f : t.place[f])]; });
  }
  __syncthreads();
}

template <typename Job>
__global__ void __launch_bounds__(kLineThreads) fft_lines_kernel(Job job, FftTable t, int at_once, int64_t slices) {
  DYN_SHARED(float2, numbers);
  const int first = int(blockIdx.x) * at_once, lines = min(at_once, job.lines - first);
  for (int64_t slice = blockIdx.y; slice < slices; slice += gridDim.y)
    transform_lines(job, t, numbers, slice, first, lines);
}

// Lines too long for shared memory: one at a time in the workspace of the block.
template <typename Job>
__global__ void __launch_bounds__(kLineThreads, kLongBlocks)
    long_lines_kernel(Job job, FftTable t, int64_t slices, float2* workspace) {
  float2* const numbers = workspace + int64_t(blockIdx.x) * with_gaps(t.length);
  for (int64_t i = blockIdx.x; i < slices * job.lines; i += gridDim.x)
    transform_lines(job, t, numbers, i / job.lines, int(i % job.lines), 1);
}

template <typename Job>
void fft_lines(cudaStream_t stream, const Job& job, const FftTables& tables, int64_t slices, const char* name) {
  const FftTable& t = tables.table();
  const size_t of_line = size_t(with_gaps(t.length)) * sizeof(float2);
  if (of_line <= most_shared_bytes()) {
    const int at_once = int(std::clamp<size_t>((48 << 10) / of_line, 1, kMostLines));
    allow_shared(fft_lines_kernel<Job>, at_once * of_line);
    const dim3 grid(unsigned((job.lines + at_once - 1) / at_once), unsigned(std::min<int64_t>(slices, 65535)));
    LAUNCH(fft_lines_kernel<Job>, grid, kLineThreads, at_once * of_line, stream)(job, t, at_once, slices);
  } else {
    const int64_t blocks =
        std::min<int64_t>(slices * job.lines, 2 * kLongBlocks * device_attribute(cudaDevAttrMultiProcessorCount));
    StreamMemory<float2> workspace(stream, size_t(blocks) * size_t(with_gaps(t.length)));
    LAUNCH(long_lines_kernel<Job>, unsigned(blocks), kLineThreads, 0, stream)(job, t, slices, workspace.data());
  }
  check_launch(name);
}

}  // namespace sino::cuda
