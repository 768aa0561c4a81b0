// Errors of the CUDA runtime as sino::Error, and memory that lives as long as the work queued before its end.
#pragma once

#include <string>

#include "cuda/kernel.cuh"
#include "native/core/error.h"

namespace sino::cuda {

inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // cleared for whoever shares the process; an error of the device itself stays
  const std::string sentence =
      std::string("CUDA reported ") + cudaGetErrorName(error) + " (" + cudaGetErrorString(error) + ") in " + what + ".";
  if (error == cudaErrorMemoryAllocation) throw Error(Code::out_of_memory, sentence);
  throw Error(Code::backend_unavailable, sentence);
}
inline void check_launch(const char* kernel) { check(cudaGetLastError(), kernel); }

// Working memory of queued kernels: taken and given back in the stream's order.
template <typename T>
class StreamMemory {
 public:
  StreamMemory(cudaStream_t stream, size_t count) : stream_(stream) {
    check(cudaMallocAsync(&data_, count * sizeof(T), stream), "cudaMallocAsync");
  }
  ~StreamMemory() { cudaFreeAsync(data_, stream_); }
  StreamMemory(const StreamMemory&) = delete;
  StreamMemory& operator=(const StreamMemory&) = delete;
  T* data() { return data_; }
  // Elements from number `at` on. The other side may be the host's or the device's; what pageable memory of the host gets is there
  // on return.
  void upload(const T* from, size_t count, size_t at = 0) { copy(data_ + at, from, count); }
  void download(T* to, size_t count, size_t at = 0) { copy(to, data_ + at, count); }
  void clear(size_t count) { check(cudaMemsetAsync(data_, 0, count * sizeof(T), stream_), "cudaMemsetAsync"); }

 private:
  void copy(T* to, const T* from, size_t count) {
    check(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyDefault, stream_), "cudaMemcpyAsync");
  }
  cudaStream_t stream_;
  T* data_ = nullptr;
};

}  // namespace sino::cuda
