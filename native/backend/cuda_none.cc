// CUDA's part of the registry in a build without nvcc: it says so. Weak, because the kernels' test program links this library and brings
// the real part with it.
#include "native/backend/backend.h"

#if !defined(SINO_WITH_CUDA)
namespace sino {

namespace {

constexpr const char* kReason = "built without CUDA (no nvcc was found)";

constexpr Backend kNothing = {
#define SINO_ENTRY(name, Args) {#name, nullptr},
    SINO_OPERATIONS(SINO_ENTRY)
#undef SINO_ENTRY
};

class NoDevice final : public Device {
 public:
  explicit NoDevice(int index) : Device("cuda:" + std::to_string(index)) {}
  ~NoDevice() override { join(); }
  void open() override {
    throw Error(Code::backend_unavailable,
                "Device " + name + " was asked for, but this addon was " + kReason +
                    ". Use device \"cpu\" or \"auto\", or install the CUDA toolkit and run npm run build:native.");
  }
  Space& space(int) override { throw Error(Code::backend_unavailable, kReason); }
  int64_t available() override { return 0; }
  void lose(const std::string&) noexcept override {}
  void tidy() noexcept override {}
};

}  // namespace

[[gnu::weak]] bool built_with_cuda() { return false; }
[[gnu::weak]] const Backend& cuda_backend() { return kNothing; }
[[gnu::weak]] std::unique_ptr<Device> make_cuda_device(int index) { return std::make_unique<NoDevice>(index); }
[[gnu::weak]] std::vector<DeviceInfo> cuda_devices() { return {{"cuda", "", false, kReason}}; }

}  // namespace sino
#endif
