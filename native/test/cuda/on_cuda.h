// What tests of the backend share: a job on a CUDA device, and its twin on the processor.
#pragma once

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include "native/backend/needs.h"
#include "native/test/cuda/device_test.h"
#if !defined(__CUDACC__)
#include "native/test/simt/copies.h"
#endif

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

// What was called of noting_backend().
inline std::set<std::string>& called() {
  static std::set<std::string> names;
  return names;
}
template <auto operation, typename Args>
void note(const Context& context, const Args& args) {
  called().insert((cpu_backend().*operation).name);
  (cpu_backend().*operation)(context, args);
}
// The processor's table.
inline const Backend& noting_backend() {
  static const Backend noting = [] {
    Backend table = cpu_backend();
#define SINO_NOTE(name, Args) table.name.kernel = note<&Backend::name, Args>;
    SINO_OPERATIONS(SINO_NOTE)
#undef SINO_NOTE
    return table;
  }();
  return noting;
}

// True where what was called since the last time is what a routine says that it needs, no less and no more.
inline bool are_what_was_called(const Needs& needs) {
  bool same = true;
  const auto compare = [&](const char* name, const Backend& without) {
    const bool is_needed = !needs.met_by(without), was_called = called().count(name) > 0;
    if (is_needed != was_called)
      std::printf("%s is %s\n", name, is_needed ? "needed and never called" : "called and not among the needs");
    same = same && is_needed == was_called;
  };
#define SINO_COMPARE(name, Args)     \
  {                                  \
    Backend without = cpu_backend(); \
    without.name.kernel = nullptr;   \
    compare(#name, without);         \
  }
  SINO_OPERATIONS(SINO_COMPARE)
#undef SINO_COMPARE
  called().clear();
  return same;
}

#if !defined(__CUDACC__)
// True where since the last call arrays of these bytes, in any order, have gone to the device and come back; copies of other sizes
// (tables, numbers) are not looked at.
inline bool went_once(std::vector<size_t> up, std::vector<size_t> down) {
  simt::Copies copies = simt::take_copies();
  std::set<size_t> sizes(up.begin(), up.end());
  sizes.insert(down.begin(), down.end());
  const auto compare = [&](const char* way, std::vector<size_t>& expected, std::vector<size_t>& found) {
    const auto is_other = [&](size_t bytes) { return sizes.count(bytes) == 0; };
    found.erase(std::remove_if(found.begin(), found.end(), is_other), found.end());
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    if (found == expected) return true;
    std::printf("%s the device:", way);
    for (size_t bytes : found) std::printf(" %zu", bytes);
    std::printf(", not");
    for (size_t bytes : expected) std::printf(" %zu", bytes);
    std::printf(" bytes\n");
    return false;
  };
  const bool to = compare("to", up, copies.to_device), from = compare("from", down, copies.from_device);
  return to && from;
}
#endif

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
