#include "native/runtime/memory.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace sino {

namespace {
// A number from a one-line file, or nothing where there is no file or it says "max".
int64_t number_in(const std::string& path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? value : -1;
}
}  // namespace

int64_t MemoryBudget::available_bytes() {
  int64_t available = std::numeric_limits<int64_t>::max();
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key; meminfo >> key;) {
    int64_t kib = 0;
    if (key == "MemAvailable:" && meminfo >> kib) available = kib * 1024;
  }
  return std::min(available, available_in_group("/sys/fs/cgroup"));
}

int64_t MemoryBudget::available_in_group(const std::string& folder) {
  const int64_t limit = number_in(folder + "/memory.max"), current = number_in(folder + "/memory.current");
  if (limit < 0 || current < 0) return std::numeric_limits<int64_t>::max();
  int64_t cached = 0, bytes = 0;
  std::ifstream stat(folder + "/memory.stat");
  for (std::string key; stat >> key >> bytes;)
    if (key == "inactive_file" || key == "active_file" || key == "slab_reclaimable") cached += bytes;
  return std::max<int64_t>(0, limit - std::max<int64_t>(0, current - cached));
}

void use_large_pages([[maybe_unused]] void* data, [[maybe_unused]] int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  const uintptr_t page = 1 << 21, first = reinterpret_cast<uintptr_t>(data);
  const uintptr_t begin = (first + page - 1) / page * page, end = (first + bytes) / page * page;
  if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

void SpareMemory::drop() {
  std::lock_guard lock(mutex_);
  for (const auto& [bytes, block] : blocks_) ::operator delete(block, std::align_val_t(64));
  blocks_.clear();
  budget_.release(bytes_);
  bytes_ = 0;
}

void SpareMemory::reserve(int64_t bytes) {
  try {
    budget_.reserve(bytes);
  } catch (const Error&) {
    drop();
    budget_.reserve(bytes);
  }
}

void* SpareMemory::take(int64_t& bytes) {
  std::lock_guard lock(mutex_);
  const auto found = blocks_.lower_bound(bytes);
  if (found == blocks_.end() || found->first > 2 * bytes) return nullptr;
  void* block = found->second;
  bytes = found->first;
  bytes_ -= bytes;
  blocks_.erase(found);
  return block;
}

bool SpareMemory::keep(void* block, int64_t bytes) {
  std::lock_guard lock(mutex_);
  if (bytes_ + bytes > kMostSpare) return false;
  blocks_.emplace(bytes, block);
  bytes_ += bytes;
  return true;
}

void MemoryBudget::reserve(int64_t bytes) {
  const int64_t used = used_ += bytes;
  const int64_t free_in_budget = limit_ - (used - bytes);
  // Small requests skip the look at the machine: it costs more than they do.
  const int64_t available = bytes < (int64_t(16) << 20) ? free_in_budget : std::min(free_in_budget, available_bytes());
  if (bytes <= available) return;
  used_ -= bytes;
  throw Error(Code::out_of_memory,
              "Not enough memory: " + std::to_string(bytes) + " bytes needed, " +
                  std::to_string(std::max<int64_t>(0, available)) +
                  " available. Process fewer slices at a time or raise the memory limit.",
              {{"needed", double(bytes)}, {"available", double(std::max<int64_t>(0, available))}});
}

}  // namespace sino
