#include "native/runtime/runtime.h"

#include <algorithm>
#include <cstdlib>

namespace sino {

namespace {

bool clash(const Borrow& a, const Borrow& b) { return (a.written || b.written) && a.begin < b.end && b.begin < a.end; }

unsigned threads_asked_for() {
  const char* asked = std::getenv("SINOGRAM_THREADS");
  const int threads = asked ? std::atoi(asked) : 0;
  return threads >= 1 && threads <= 1024 ? threads : ThreadPool::available_processors();
}

}  // namespace

void Borrows::take(const std::vector<Borrow>& ranges) {
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < ranges.size(); i++) {
    for (size_t j = 0; j < i; j++)
      if (clash(ranges[i], ranges[j]))
        throw Error(Code::buffer_in_use,
                    "An output overlaps another argument of the same call. Give it memory of its own.");
    for (const Borrow& other : taken_)
      if (clash(ranges[i], other))
        throw Error(Code::buffer_in_use,
                    "A buffer is still used by a running job. Await that job first, or pass a copy.");
  }
  taken_.insert(taken_.end(), ranges.begin(), ranges.end());
}

void Borrows::give_back(const std::vector<Borrow>& ranges) {
  std::lock_guard lock(mutex_);
  for (const Borrow& range : ranges) {
    auto found = std::find_if(taken_.begin(), taken_.end(), [&](const Borrow& other) {
      return other.begin == range.begin && other.end == range.end && other.written == range.written;
    });
    if (found != taken_.end()) taken_.erase(found);
  }
}

Runtime::Runtime() : pool(threads_asked_for()), memory(MemoryBudget::available_bytes() / 10 * 9) {}

Device& Runtime::device(int index, std::unique_ptr<Device> (*make)(int index)) {
  std::lock_guard lock(devices_mutex_);
  std::unique_ptr<Device>& device = devices_[index];
  if (!device) device = make(index);
  return *device;
}

std::shared_ptr<Runtime> Runtime::shared() {
  static std::mutex mutex;
  static std::weak_ptr<Runtime> current;
  std::lock_guard lock(mutex);
  std::shared_ptr<Runtime> runtime = current.lock();
  if (!runtime) current = runtime = std::make_shared<Runtime>();
  return runtime;
}

}  // namespace sino
