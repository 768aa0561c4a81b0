// The operation table: what a device can do, one function per operation. The registry hands out the CPU's
// table now and CUDA's where a usable device is found; native/recon is written against the table, once for
// every backend.
#pragma once

#include <string>
#include <vector>

#include "native/ops/backproject.h"
#include "native/ops/joseph.h"
#include "native/ops/ramp.h"
#include "native/runtime/context.h"

namespace sino {

struct Backend {
  const char* name;
  void (*joseph_project)(const Context&, const JosephArgs&);
  void (*joseph_transpose)(const Context&, const JosephArgs&);
  void (*backproject)(const Context&, const BackprojectArgs&);
  void (*ramp_filter)(const Context&, const FilterArgs&);
};

// device is "auto", "cpu" or "cuda:N". A named device that is not there is an error; only "auto" chooses.
const Backend& backend_for(const std::string& device);

struct DeviceInfo {
  std::string name;         // "cpu", "cuda:0"
  std::string description;  // processor or card
  bool usable;
  std::string reason;  // why not usable
};
std::vector<DeviceInfo> list_devices();

}  // namespace sino
