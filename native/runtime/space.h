// Memory that is not the host's, and the queue of work that uses it: what copies and kernels of one slab go through. Work is queued in
// order and done in that order, later; only wait(), and a download to memory of the host that is not staging, return when it is done.
// One thread at a time. A device offers several (device.h), so that the copies of one slab run beside the kernels of another.
#pragma once

#include <cstdint>

namespace sino {

class Space {
 public:
  virtual ~Space() = default;
  virtual void* allocate(int64_t bytes) = 0;       // throws out_of_memory {needed, available, device}
  virtual void release(void* block) noexcept = 0;  // may be called while queued work uses it
  // Memory of the host that copies reach without a detour. Throws out_of_memory.
  virtual void* allocate_staging(int64_t bytes) = 0;
  virtual void release_staging(void* block) noexcept = 0;  // once nothing queued uses it

  virtual void upload(void* to, const void* from, int64_t bytes) = 0;
  virtual void download(void* to, const void* from, int64_t bytes) = 0;
  virtual void fill(void* to, int byte, int64_t bytes) = 0;
  // Within the space, `rows` of `width` bytes each; pitches are bytes from row to row.
  virtual void copy_rows(void* to, int64_t to_pitch, const void* from, int64_t from_pitch, int64_t width,
                         int64_t rows) = 0;
  virtual void wait() = 0;  // until all that is queued is done; throws what went wrong with it
};

}  // namespace sino
