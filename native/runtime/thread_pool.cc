#include "native/runtime/thread_pool.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#if defined(__linux__)
#include <sched.h>
#endif

namespace sino {

struct ThreadPool::Loop {
  Loop(int64_t count, int64_t grain, const Body& body, const std::atomic<bool>& stop)
      : count(count), grain(grain), body(body), stop(stop) {}
  const int64_t count, grain;
  const Body& body;
  const std::atomic<bool>& stop;
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;  // written once, by whoever sets failed
  int helpers = 0;             // guarded by the pool's mutex
  std::condition_variable done;
  bool exhausted() const { return next.load(std::memory_order_relaxed) >= count || failed.load() || stop.load(); }
};

ThreadPool::ThreadPool(unsigned threads) {
  workers_.reserve(std::max(1u, threads));
  for (unsigned i = 0; i < std::max(1u, threads); i++) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::submit(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void ThreadPool::take_chunks(Loop& loop) {
  while (!loop.exhausted()) {
    const int64_t begin = loop.next.fetch_add(loop.grain);
    if (begin >= loop.count) return;
    try {
      loop.body(begin, std::min(loop.count, begin + loop.grain));
    } catch (...) {
      if (!loop.failed.exchange(true)) loop.failure = std::current_exception();
    }
  }
}

void ThreadPool::parallel_for(int64_t count, int64_t grain, const Body& body, const std::atomic<bool>& stop) {
  if (count <= 0) return;
  auto loop = std::make_shared<Loop>(count, std::max<int64_t>(1, grain), body, stop);
  if (loop->grain >= count || threads() == 1) {
    take_chunks(*loop);
  } else {
    {
      std::lock_guard lock(mutex_);
      loops_.push_back(loop);
    }
    wake_.notify_all();
    take_chunks(*loop);
    std::unique_lock lock(mutex_);
    loops_.erase(std::find(loops_.begin(), loops_.end(), loop));
    loop->done.wait(lock, [&] { return loop->helpers == 0; });
  }
  if (loop->failed) std::rethrow_exception(loop->failure);
}

void ThreadPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    auto open = std::find_if(loops_.begin(), loops_.end(), [](const auto& loop) { return !loop->exhausted(); });
    if (open != loops_.end()) {
      const std::shared_ptr<Loop> loop = *open;
      loop->helpers++;
      lock.unlock();
      take_chunks(*loop);
      lock.lock();
      if (--loop->helpers == 0) loop->done.notify_all();
    } else if (!jobs_.empty()) {
      std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();  // a job catches its own exceptions
      job = nullptr;
      lock.lock();
    } else if (stopping_) {
      return;
    } else {
      wake_.wait(lock);
    }
  }
}

unsigned ThreadPool::available_processors() {
  unsigned processors = std::max(1u, std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) processors = std::max(1, CPU_COUNT(&set));
  std::ifstream quota_file("/sys/fs/cgroup/cpu.max");  // "max 100000" or "150000 100000"
  std::string quota;
  double period = 0;
  if (quota_file >> quota >> period && quota != "max" && period > 0)
    processors =
        std::min(processors, std::max(1u, static_cast<unsigned>(std::ceil(std::atof(quota.c_str()) / period))));
#endif
  return processors;
}

}  // namespace sino
