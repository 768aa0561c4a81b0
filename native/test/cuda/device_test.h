// What tests of kernels share. One source for both targets: over native/test/simt every access is checked, under nvcc the same
// test runs on the card.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda/kernel.cuh"
#include "native/runtime/context.h"
#include "native/test/testing.h"

namespace sino::test {

inline void expect(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorName(error));
}

// An array in device memory, released at the end of its scope.
template <typename T>
class OnDevice {
 public:
  explicit OnDevice(size_t count) : count_(count) { expect(cudaMalloc(&data_, count * sizeof(T))); }
  explicit OnDevice(const std::vector<T>& values) : OnDevice(values.size()) {
    if (count_ > 0) expect(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~OnDevice() { cudaFree(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  T* data() { return data_; }
  std::vector<T> download() { return download(count_); }
  std::vector<T> download(size_t count) {
    std::vector<T> values(count);
    expect(cudaGetLastError());
    if (count > 0) expect(cudaMemcpy(values.data(), data_, count * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  size_t count_;
  T* data_ = nullptr;
};

// What the CPU's twins are called with.
inline const Context& on_cpu() {
  static ThreadPool pool(1);
  static MemoryBudget memory(int64_t(1) << 30);
  static JobControl job;
  static const Context context{pool, memory, job};
  return context;
}

// The same numbers everywhere, between −1 and 1.
class Numbers {
 public:
  explicit Numbers(uint32_t seed = 1) : state_(seed * 2654435761u + 1) {}
  uint32_t bits() {
    state_ = state_ * 1664525u + 1013904223u;
    return state_ >> 8;
  }
  float next() { return float(bits()) / 8388608.f - 1; }
  std::vector<float> floats(size_t count) {
    std::vector<float> values(count);
    for (float& v : values) v = next();
    return values;
  }

 private:
  uint32_t state_;
};

// True where all are equal within `tolerance`; else says where the worst is, unless `quiet`.
inline bool quiet = false;
template <typename T, typename U>
bool close(const std::vector<T>& found, const std::vector<U>& expected, double tolerance) {
  size_t worst = 0, bad = 0;
  double largest = -1;
  if (found.size() != expected.size())
    return std::printf("%zu values, not %zu\n", found.size(), expected.size()), false;
  for (size_t i = 0; i < found.size(); i++) {
    const double a = double(found[i]), b = double(expected[i]);
    const double error = std::isnan(a) && std::isnan(b)   ? 0
                         : std::isnan(a) || std::isnan(b) ? INFINITY
                                                          : std::fabs(a - b);
    bad += error > tolerance;
    if (error > largest) largest = error, worst = i;
  }
  if (bad > 0 && !quiet)
    std::printf("%zu of %zu differ; the worst at %zu: %.9g, not %.9g\n", bad, found.size(), worst, double(found[worst]),
                double(expected[worst]));
  return bad == 0;
}

}  // namespace sino::test
