// What all Node environments (the main thread and worker_threads) of one process share: threads, memory
// budget, and the list of buffers that running jobs read and write. Made by the first environment, gone with
// the last.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "native/runtime/device.h"
#include "native/runtime/memory.h"
#include "native/runtime/thread_pool.h"

namespace sino {

// Memory of the caller that a running job reads or writes.
struct Borrow {
  const char* begin;
  const char* end;
  bool written;
};

class Borrows {
 public:
  // Throws buffer_in_use when a written range overlaps anything borrowed, here or by another job.
  void take(const std::vector<Borrow>& ranges);
  void give_back(const std::vector<Borrow>& ranges);

 private:
  std::mutex mutex_;
  std::vector<Borrow> taken_;
};

struct Runtime {
  Runtime();
  ThreadPool pool;
  MemoryBudget memory;
  Borrows borrows;

  // A device by number, made when first asked for.
  Device& device(int index, std::unique_ptr<Device> (*make)(int index));

  static std::shared_ptr<Runtime> shared();

 private:
  std::mutex devices_mutex_;
  std::map<int, std::unique_ptr<Device>> devices_;
};

}  // namespace sino
