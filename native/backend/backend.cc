#include "native/backend/backend.h"

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"

namespace sino {

namespace {

constexpr Backend kCpu = {
#define SINO_ENTRY(name, Args) {#name, cpu::name},
    SINO_OPERATIONS(SINO_ENTRY)
#undef SINO_ENTRY
};

constexpr size_t kMostDigits = 3;

}  // namespace

const Backend& cpu_backend() { return kCpu; }

DeviceName device_named(const std::string& name) {
  if (name == "auto") return {DeviceName::Kind::automatic};
  if (name == "cpu") return {DeviceName::Kind::cpu};
  const std::string number = name.rfind("cuda:", 0) == 0 ? name.substr(5) : "";
  if (!number.empty() && number.size() <= kMostDigits && number.find_first_not_of("0123456789") == std::string::npos)
    return {DeviceName::Kind::cuda, std::stoi(number)};
  throw Error(Code::out_of_range, "Expected device \"auto\", \"cpu\" or \"cuda:N\" but received \"" + name + "\".");
}

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> devices = {{"cpu", std::string("SIMD ") + simd_kernels().name, true, ""}};
  for (DeviceInfo& device : cuda_devices()) devices.push_back(std::move(device));
  return devices;
}

}  // namespace sino
