// What tests of the backend share: a job on a CUDA device, and its twin on the processor.
#pragma once

#include <memory>

#include "native/backend/backend.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

// A job's context on a device of its own making. Small slabs, so that small calls take several.
struct OnCuda {
  explicit OnCuda(int index = 0, int64_t slab_slices = 2) : device(make_cuda_device(index)) {
    device->slab_bytes = 1;
    device->slab_slices = slab_slices;
    device->open();
  }
  ThreadPool pool{1};
  MemoryBudget memory{int64_t(1) << 30};
  JobControl job;
  std::unique_ptr<Device> device;
  Context context{pool, memory, job, nullptr, device.get(), nullptr};
};

// The error that `run` ends with; Code::internal and no sentence where there is none.
template <typename Run>
Error error_of(const Run& run) {
  try {
    run();
  } catch (const Error& error) {
    return error;
  }
  return Error(Code::internal, "");
}

}  // namespace sino::test
