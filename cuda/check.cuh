// Errors of the CUDA runtime as sino::Error, and memory that lives as long as the work queued before its end.
#pragma once

#include <string>

#include "cuda/kernel.cuh"
#include "native/core/error.h"
#include "native/runtime/space.h"

namespace sino::cuda {

// Errors after which every call on the device fails until the process ends: addresses, launches, memory errors, lost links. By number:
// toolkits differ in the names they have.
inline bool loses_the_device(cudaError_t error) {
  switch (int(error)) {
    case 214:  // uncorrectable ECC error
    case 220:  // uncorrectable NVLink error
    case 226:  // contained error
    case 700:  // illegal address
    case 702:  // launch time-out
    case 709:  // context destroyed
    case 710:  // assertion
    case 714:  // hardware stack error
    case 715:  // illegal instruction
    case 716:  // misaligned address
    case 717:  // invalid address space
    case 718:  // invalid program counter
    case 719:  // launch failure
    case 721:  // tensor leak
    case 999:  // unknown
      return true;
    default:
      return false;
  }
}

inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // cleared for whoever shares the process; an error of the device itself stays
  const std::string sentence =
      std::string("CUDA reported ") + cudaGetErrorName(error) + " (" + cudaGetErrorString(error) + ") in " + what + ".";
  if (error == cudaErrorMemoryAllocation) throw Error(Code::out_of_memory, sentence);
  if (loses_the_device(error)) throw Error(Code::device_lost, sentence);
  throw Error(Code::backend_unavailable, sentence);
}
inline void check_launch(const char* kernel) { check(cudaGetLastError(), kernel); }

// The space that the operation at work on this thread is called for, where there is one: its memory is counted and kept.
inline thread_local Space* working_space = nullptr;

// Working memory of queued kernels: taken and given back in the stream's order.
template <typename T>
class StreamMemory {
 public:
  StreamMemory(cudaStream_t stream, size_t count) : stream_(stream), space_(working_space) {
    if (space_)
      data_ = static_cast<T*>(space_->allocate(int64_t(count * sizeof(T))));
    else
      check(cudaMallocAsync(&data_, count * sizeof(T), stream), "cudaMallocAsync");
  }
  ~StreamMemory() {
    if (space_)
      space_->release(data_);
    else
      cudaFreeAsync(data_, stream_);
  }
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
  Space* space_;
  T* data_ = nullptr;
};

}  // namespace sino::cuda
