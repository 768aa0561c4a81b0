// Memory is reserved here before it is allocated: big allocations "succeed" lazily and kill the process
// later, a refused reservation is an ordinary error that says what was needed and what there was.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "native/core/error.h"
#include "native/runtime/space.h"

namespace sino {

class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t limit_bytes) : limit_(limit_bytes) {}
  void reserve(int64_t bytes);  // throws out_of_memory
  void release(int64_t bytes) { used_ -= bytes; }
  int64_t limit() const { return limit_; }
  int64_t used() const { return used_; }
  void set_limit(int64_t bytes) { limit_ = bytes; }

  // What the machine, or the container around the process, has free now.
  static int64_t available_bytes();
  // What a control group leaves: its limit less what is used, where cached file pages, which give way, do not count.
  static int64_t available_in_group(const std::string& folder);

 private:
  std::atomic<int64_t> limit_;
  std::atomic<int64_t> used_{0};
};

// Asks the system for large pages behind new memory: filling 200 MB in pages of 4 kB takes longer than reading a series.
void use_large_pages(void* data, int64_t bytes);

// Working memory that was given back and waits for the next call, instead of being returned to the system and faulted in
// again page by page. What waits stays counted against the budget; beyond kMostSpare bytes nothing is kept.
class SpareMemory {
 public:
  explicit SpareMemory(MemoryBudget& budget) : budget_(budget) {}
  ~SpareMemory() { drop(); }
  void drop();
  SpareMemory(const SpareMemory&) = delete;
  SpareMemory& operator=(const SpareMemory&) = delete;
  void* take(int64_t& bytes);             // null where nothing fits; else `bytes` becomes the block's
  bool keep(void* block, int64_t bytes);  // false: not kept
  void reserve(int64_t bytes);            // in the budget, giving up what waits where that is short

 private:
  static constexpr int64_t kMostSpare = int64_t(128) << 20;
  MemoryBudget& budget_;
  std::mutex mutex_;
  std::multimap<int64_t, void*> blocks_;  // by size
  int64_t bytes_ = 0;
};

// Uninitialised working memory for `count` elements, aligned for the widest vectors, counted against the
// budget; from `spare` and back to it where there is one. Made on a space it is memory of that device.
template <typename T>
class Scratch {
 public:
  Scratch() = default;
  Scratch(MemoryBudget& budget, int64_t count, SpareMemory* spare = nullptr)
      : budget_(&budget), spare_(spare), count_(count) {
    bytes_ = checked_product(count, sizeof(T));
    if (spare && (data_ = static_cast<T*>(spare->take(bytes_)))) return;
    spare ? spare->reserve(bytes_) : budget.reserve(bytes_);
    data_ = static_cast<T*>(::operator new(bytes_ + kSlack, std::align_val_t(64), std::nothrow));
    if (!data_) {
      budget.release(bytes_);
      throw Error(Code::out_of_memory, "The operating system refused working memory.", {{"needed", double(bytes_)}});
    }
    use_large_pages(data_, bytes_);
  }
  Scratch(Space& space, int64_t count) : space_(&space), count_(count) {
    data_ = static_cast<T*>(space.allocate(checked_product(count, sizeof(T))));
  }
  ~Scratch() {
    if (!data_ || (spare_ && spare_->keep(data_, bytes_))) return;
    if (space_) {
      space_->release(data_);
    } else {
      ::operator delete(data_, std::align_val_t(64));
      budget_->release(bytes_);
    }
  }
  Scratch(Scratch&& other) noexcept { *this = std::move(other); }
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(spare_, other.spare_);
    std::swap(space_, other.space_);
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }

 private:
  static constexpr int64_t kSlack = 64;  // vector loads may look one register past the end
  MemoryBudget* budget_ = nullptr;
  SpareMemory* spare_ = nullptr;
  Space* space_ = nullptr;
  T* data_ = nullptr;
  int64_t count_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace sino
