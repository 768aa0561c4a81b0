// A CUDA device as jobs use it: two streams with memory of their own, counted against what the device has free, kept between jobs.
// Everything belongs to the object and goes with it; errors while it goes are ignored (the driver may be shutting down). It shares the
// process with whoever else uses CUDA: it resets nothing, clears only errors of its own calls, and leaves the current device of other
// threads alone.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "cuda/operations.h"
#include "native/runtime/context.h"
#include "native/runtime/device.h"

namespace sino::cuda {

class CudaDevice;

// A stream and its memory. Blocks given back wait for the next taker of about their size: the stream's order keeps them apart.
class CudaSpace final : public Space {
 public:
  explicit CudaSpace(CudaDevice& device);
  ~CudaSpace() override;
  CudaSpace(const CudaSpace&) = delete;
  CudaSpace& operator=(const CudaSpace&) = delete;

  void* allocate(int64_t bytes) override;
  void release(void* block) noexcept override;
  void* allocate_staging(int64_t bytes) override;
  void release_staging(void* block) noexcept override;
  void upload(void* to, const void* from, int64_t bytes) override;
  void download(void* to, const void* from, int64_t bytes) override;
  void fill(void* to, int byte, int64_t bytes) override;
  void copy_rows(void* to, int64_t to_pitch, const void* from, int64_t from_pitch, int64_t width,
                 int64_t rows) override;
  void wait() override;

  Stream stream() const { return stream_; }
  int64_t spare_bytes() const { return spare_.bytes + spare_staging_.bytes; }
  int64_t spare_device_bytes() const { return spare_.bytes; }
  void drop_spare() noexcept;

 private:
  struct Blocks {
    std::multimap<int64_t, void*> by_size;
    int64_t bytes = 0;
    void* take(int64_t bytes, int64_t* found);
    void keep(void* block, int64_t size);
  };
  CudaDevice& device_;
  Stream stream_ = nullptr;
  std::map<void*, int64_t> taken_, taken_staging_;
  int64_t taken_bytes_ = 0;
  Blocks spare_, spare_staging_;
};

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int index);
  ~CudaDevice() override;
  void open() override;
  Space& space(int number) override;
  int64_t available() override;
  void lose(const std::string& why) noexcept override;
  void tidy() noexcept override;

  int64_t free_bytes() const;  // that nobody has taken, less the reserve
  void drop_spare() noexcept;  // of all its spaces

 private:
  const int index_;
  std::string lost_;  // why
  std::unique_ptr<CudaSpace> spaces_[kSpaces];
};

// The stream of a context whose arrays are on a CUDA device.
inline Stream stream_of(const Context& context) { return static_cast<CudaSpace*>(context.space)->stream(); }

// What keeps device `index` from being used; empty: nothing. `name` receives the card's name where there is one.
std::string obstacle(int index, std::string* name = nullptr);
// Devices that the driver shows; where that is none, `why` says why.
int count_devices(std::string* why);

}  // namespace sino::cuda
