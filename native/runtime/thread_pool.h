// Own worker threads: not OpenMP (its barriers spin and libgomp is missing in slim images), not libuv's pool
// (four busy jobs there delay every file read of the process).
//
// A job is one task; inside it parallel_for splits work into chunks that the calling worker and every idle
// worker take one by one. Workers prefer chunks of running jobs to new jobs, so early jobs finish early;
// nobody ever spins, and a job waits only for chunks that somebody is already computing, so the pool cannot
// deadlock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sino {

class ThreadPool {
 public:
  using Body = std::function<void(int64_t begin, int64_t end)>;

  explicit ThreadPool(unsigned threads);
  ~ThreadPool();  // runs what is queued to its end
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned threads() const { return static_cast<unsigned>(workers_.size()); }
  void submit(std::function<void()> job);

  // Calls body on [begin, end) chunks of at most `grain` that cover [0, count). The first exception stops the
  // loop and is rethrown here. Stops early, without an exception, once `*stop` is true.
  void parallel_for(int64_t count, int64_t grain, const Body& body, const std::atomic<bool>& stop);

  // Processors this process may use: the affinity mask and the container's CPU quota count.
  static unsigned available_processors();

 private:
  struct Loop;
  void work();
  static void take_chunks(Loop& loop);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::deque<std::shared_ptr<Loop>> loops_;
  std::vector<std::thread> workers_;
  bool stopping_ = false;
};

}  // namespace sino
