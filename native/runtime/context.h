// What every operation gets beside its arguments: threads to work on, memory to reserve, and the job it works
// for (to be told of a cancellation, and to tell of progress).
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "native/core/error.h"
#include "native/runtime/memory.h"
#include "native/runtime/thread_pool.h"

namespace sino {

class Device;

// Shared between a running job and whoever waits for it.
struct JobControl {
  std::atomic<bool> cancelled{false};
  std::atomic<int64_t> done{0};      // work finished, in units of one view (or one row) of one slice
  std::atomic<int64_t> total{0};     // known when the job starts; 0 = not reported
  std::atomic<bool> written{false};  // results of a device have reached the caller's memory
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
  Device* device = nullptr;      // null: the processor. Else arrays of the caller get there in slabs (slabs.h),
  Space* space = nullptr;        // and where this is set, arrays and working memory are in that space

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
    return space ? Scratch<T>(*space, count) : Scratch<T>(memory, count, spare);
  }
  // Slices to work on at once: 16 bound the working memory of the host; a device's slab has been made to fit.
  int64_t batch(int64_t slices) const { return space || slices < 16 ? slices : 16; }

  void fill_zero(void* to, int64_t bytes) const {
    space ? space->fill(to, 0, bytes) : static_cast<void>(std::memset(to, 0, bytes));
  }
  // `rows` rows of `width` bytes; pitches are bytes from row to row.
  void copy_rows(void* to, int64_t to_pitch, const void* from, int64_t from_pitch, int64_t width, int64_t rows) const {
    if (space) return space->copy_rows(to, to_pitch, from, from_pitch, width, rows);
    for (int64_t r = 0; r < rows; r++)
      std::memcpy(static_cast<char*>(to) + r * to_pitch, static_cast<const char*>(from) + r * from_pitch, width);
  }
};

}  // namespace sino
