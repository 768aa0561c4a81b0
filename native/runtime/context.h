// What every operation gets beside its arguments: threads to work on, memory to reserve, and the job it works
// for (to be told of a cancellation, and to tell of progress).
#pragma once

#include <atomic>
#include <cstdint>

#include "native/core/error.h"
#include "native/runtime/memory.h"
#include "native/runtime/thread_pool.h"

namespace sino {

// Shared between a running job and whoever waits for it.
struct JobControl {
  std::atomic<bool> cancelled{false};
  std::atomic<int64_t> done{0};   // work finished, in units of one view (or one row) of one slice
  std::atomic<int64_t> total{0};  // known when the job starts; 0 = not reported
  void (*notify)(void* owner) = nullptr;
  void* owner = nullptr;
  void advance(int64_t units) {
    done += units;
    if (notify) notify(owner);
  }
};

struct Context {
  ThreadPool& pool;
  MemoryBudget& memory;
  JobControl& job;
  SpareMemory* spare = nullptr;  // a plan's: working memory outlives the call

  // Runs body(begin, end) over [0, count) on all threads; a cancelled job leaves by exception within one
  // chunk, so chunks are kept well below 50 ms.
  void parallel_for(int64_t count, int64_t grain, const ThreadPool::Body& body) const {
    pool.parallel_for(count, grain, body, job.cancelled);
    check();
  }
  void check() const {
    if (job.cancelled) throw Error(Code::cancelled, "The job was cancelled.");
  }
  template <typename T>
  Scratch<T> scratch(int64_t count) const {
    return Scratch<T>(memory, count, spare);
  }
};

}  // namespace sino
