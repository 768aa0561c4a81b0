#include "cuda/device.h"

#include <algorithm>

#include "cuda/check.cuh"

namespace sino::cuda {

namespace {

constexpr int64_t kAlign = 256;
constexpr int64_t kMostSpare = int64_t(512) << 20;  // kept between jobs, staging memory included
constexpr int kReservedShare = 32;                  // of the device's memory is left to others: 1/32
constexpr int kLeastMajor = 7, kLeastMinor = 5;

int64_t rounded(int64_t bytes) { return (std::max<int64_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign; }

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

int count_devices(std::string* why) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return count;
  cudaGetLastError();  // not of a device: cleared for whoever shares the process
  int driver = 0, runtime = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess) driver = 0, cudaGetLastError();
  cudaRuntimeGetVersion(&runtime);
  if (error == cudaErrorInsufficientDriver && driver == 0)
    *why = "there is no NVIDIA driver on this machine (libcuda was not found); install the driver of your GPU";
  else if (error == cudaErrorInsufficientDriver)
    *why = "the NVIDIA driver is too old: it serves CUDA " + version_text(driver) + " and this addon was built with " +
           version_text(runtime) + "; install a newer driver";
  else if (error == cudaErrorNoDevice || error == cudaSuccess)
    *why =
        "the NVIDIA driver shows no device; look at nvidia-smi and CUDA_VISIBLE_DEVICES, in a container at its --gpus "
        "option";
  else
    *why = std::string("CUDA reported ") + cudaGetErrorName(error) + " (" + cudaGetErrorString(error) + ")";
  return 0;
}

std::string obstacle(int index, std::string* name) {
  std::string why;
  const int count = count_devices(&why);
  if (count == 0) return why;
  if (index >= count)
    return "there " + (count == 1
                           ? std::string("is 1 device, cuda:0")
                           : "are " + std::to_string(count) + " devices, cuda:0 to cuda:" + std::to_string(count - 1));
  cudaDeviceProp properties;
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess) {
    cudaGetLastError();
    return std::string("its properties cannot be read: ") + cudaGetErrorString(error);
  }
  const std::string capability = std::to_string(properties.major) + "." + std::to_string(properties.minor);
  if (name) *name = std::string(properties.name) + ", compute capability " + capability;
  if (properties.major * 10 + properties.minor < kLeastMajor * 10 + kLeastMinor)
    return "it has compute capability " + capability + " and 7.5 (Turing) is the least";
  return "";
}

CudaDevice::CudaDevice(int index) : Device("cuda:" + std::to_string(index)), index_(index) {}

CudaDevice::~CudaDevice() {
  join();
  if (!spaces_[0]) return;
  int before = 0;
  const bool known = cudaGetDevice(&before) == cudaSuccess;
  cudaSetDevice(index_);
  for (auto& space : spaces_) space.reset();
  if (known) cudaSetDevice(before);
  cudaGetLastError();
}

void CudaDevice::open() {
  if (!lost_.empty())
    throw Error(Code::device_lost, "Device " + name + " failed earlier (" + lost_ +
                                       ") and cannot be used again by this process. Use another device, or restart.")
        .on(name);
  if (spaces_[0]) return check(cudaSetDevice(index_), "cudaSetDevice");
  if (const std::string why = obstacle(index_); !why.empty())
    throw Error(Code::backend_unavailable,
                "Device " + name + " cannot be used: " + why +
                    ". Use device \"cpu\" or \"auto\", or another device that sinogram doctor lists.")
        .on(name);
  check(cudaSetDevice(index_), "cudaSetDevice");
  std::unique_ptr<CudaSpace> opened[kSpaces];
  for (auto& space : opened) space = std::make_unique<CudaSpace>(*this);
  for (int i = 0; i < kSpaces; i++) spaces_[i] = std::move(opened[i]);
}

Space& CudaDevice::space(int number) { return *spaces_[number]; }

int64_t CudaDevice::free_bytes() const {
  size_t available = 0, total = 0;
  check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
  return std::max<int64_t>(0, int64_t(available) - int64_t(total / kReservedShare));
}

int64_t CudaDevice::available() {
  int64_t bytes = free_bytes();
  for (const auto& space : spaces_)
    if (space) bytes += space->spare_device_bytes();
  return bytes;
}

void CudaDevice::lose(const std::string& why) noexcept {
  if (lost_.empty()) lost_ = why;
}

void CudaDevice::drop_spare() noexcept {
  for (auto& space : spaces_)
    if (space) space->drop_spare();
}

void CudaDevice::tidy() noexcept {
  int64_t bytes = 0;
  for (const auto& space : spaces_)
    if (space) bytes += space->spare_bytes();
  if (bytes > kMostSpare || !lost_.empty()) drop_spare();
}

void* CudaSpace::Blocks::take(int64_t wanted, int64_t* found) {
  const auto block = by_size.lower_bound(wanted);
  if (block == by_size.end() || block->first > 2 * wanted) return nullptr;
  void* data = block->second;
  *found = block->first;
  bytes -= block->first;
  by_size.erase(block);
  return data;
}

void CudaSpace::Blocks::keep(void* block, int64_t size) {
  by_size.emplace(size, block);
  bytes += size;
}

CudaSpace::CudaSpace(CudaDevice& device) : device_(device) {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

CudaSpace::~CudaSpace() {
  cudaStreamSynchronize(stream_);
  drop_spare();
  for (const auto& block : taken_) cudaFree(block.first);
  for (const auto& block : taken_staging_) cudaFreeHost(block.first);
  cudaStreamDestroy(stream_);
}

void CudaSpace::drop_spare() noexcept {
  if (spare_.bytes + spare_staging_.bytes == 0) return;
  cudaStreamSynchronize(stream_);
  for (const auto& block : spare_.by_size) cudaFree(block.second);
  for (const auto& block : spare_staging_.by_size) cudaFreeHost(block.second);
  cudaGetLastError();
  spare_ = spare_staging_ = {};
}

void* CudaSpace::allocate(int64_t bytes) {
  int64_t size = rounded(bytes);
  void* block = spare_.take(size, &size);
  if (!block) {
    if (size > device_.free_bytes()) device_.drop_spare();
    const int64_t available = device_.free_bytes();
    cudaError_t error = cudaErrorMemoryAllocation;
    if (size <= available) error = cudaMalloc(&block, size_t(size));
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      const int64_t needed = taken_bytes_ + size, there = taken_bytes_ + available;
      throw Error(Code::out_of_memory,
                  "Not enough memory on " + device_.name + ": " + std::to_string(needed) + " bytes needed at once, " +
                      std::to_string(there) +
                      " available. Use smaller slices or the device \"cpu\", or free memory of the device.",
                  {{"needed", double(needed)}, {"available", double(there)}})
          .on(device_.name);
    }
    check(error, "cudaMalloc");
  }
  taken_[block] = size;
  taken_bytes_ += size;
  return block;
}

void CudaSpace::release(void* block) noexcept {
  const auto found = taken_.find(block);
  if (found == taken_.end()) return;
  spare_.keep(block, found->second);
  taken_bytes_ -= found->second;
  taken_.erase(found);
}

void* CudaSpace::allocate_staging(int64_t bytes) {
  int64_t size = rounded(bytes);
  void* block = spare_staging_.take(size, &size);
  if (!block) check(cudaMallocHost(&block, size_t(size)), "cudaMallocHost");
  taken_staging_[block] = size;
  return block;
}

void CudaSpace::release_staging(void* block) noexcept {
  const auto found = taken_staging_.find(block);
  if (found == taken_staging_.end()) return;
  spare_staging_.keep(block, found->second);
  taken_staging_.erase(found);
}

void CudaSpace::upload(void* to, const void* from, int64_t bytes) {
  check(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyHostToDevice, stream_), "upload");
}
void CudaSpace::download(void* to, const void* from, int64_t bytes) {
  check(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDeviceToHost, stream_), "download");
}
void CudaSpace::fill(void* to, int byte, int64_t bytes) {
  check(cudaMemsetAsync(to, byte, size_t(bytes), stream_), "cudaMemsetAsync");
}
void CudaSpace::copy_rows(void* to, int64_t to_pitch, const void* from, int64_t from_pitch, int64_t width,
                          int64_t rows) {
  if (width == 0 || rows == 0) return;
  check(cudaMemcpy2DAsync(to, size_t(to_pitch), from, size_t(from_pitch), size_t(width), size_t(rows),
                          cudaMemcpyDeviceToDevice, stream_),
        "cudaMemcpy2DAsync");
}
void CudaSpace::wait() { check(cudaStreamSynchronize(stream_), "work that was queued"); }

}  // namespace sino::cuda
