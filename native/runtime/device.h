// A device beside the processor: it takes whole jobs, one after the other, on a thread of its own, so that jobs of different devices
// run at once, none holds up the pool, and each finds the memory that its device has.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "native/core/error.h"
#include "native/runtime/space.h"
#include "native/runtime/thread_pool.h"

namespace sino {

class Device {
 public:
  static constexpr int kSpaces = 2;  // slabs under way: one is copied while another is computed

  explicit Device(std::string name) : name(std::move(name)) {}
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const std::string name;  // "cuda:0"
  // How much of a call is sent at a time (slabs.h): bytes, enough for the way and the kernels to be busy for some milliseconds, but
  // that many slices where they fit, which share a view's work.
  int64_t slab_bytes = int64_t(64) << 20, slab_slices = 16;

  // Any thread. Queues a job.
  void submit(std::function<void()> job) {
    std::lock_guard lock(mutex_);
    if (!thread_) thread_ = std::make_unique<ThreadPool>(1);
    thread_->submit(std::move(job));
  }

  // Whether it was found unusable before.
  bool is_known_unusable() const { return unusable_; }

  // One thread at a time from here on: the device's own, or a test's.
  // Makes it the calling thread's device. Throws backend_unavailable, saying what was found, or device_lost.
  virtual void open() = 0;
  // The same as an answer, remembered.
  bool is_usable() {
    try {
      open();
    } catch (const Error&) {
      unusable_ = true;
    }
    return !unusable_;
  }
  virtual Space& space(int number) = 0;                    // below kSpaces; after open
  virtual int64_t available() = 0;                         // bytes that could be allocated now
  virtual void lose(const std::string& why) noexcept = 0;  // open throws device_lost from now on
  virtual void tidy() noexcept = 0;                        // after a job: gives back what is not worth keeping

 protected:
  // For the destructors of devices: nothing runs on it any more.
  void join() { thread_.reset(); }

 private:
  std::atomic<bool> unusable_{false};
  std::mutex mutex_;
  std::unique_ptr<ThreadPool> thread_;
};

}  // namespace sino
