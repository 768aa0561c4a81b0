// What a test may set and ask: thread order, checking, devices and their failures, reports. No part of CUDA: tests use it inside
// #if !defined(__CUDACC__).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "native/test/simt/cuda_api.h"

namespace simt {

enum class Order { forward, reverse, lane_major, random };
struct Options {
  Order order = Order::forward;
  unsigned seed = 1;
  bool check = true;  // false: bounds by guard pages only, no races; several times faster
  bool print = true;  // reports go to stderr too
};
extern Options options;

// What was found since the last call, work still queued included; a sentence each, with file:line, block and thread.
std::vector<std::string> take_reports();

struct Device {
  cudaDeviceProp properties{"SIMT shim", size_t(8) << 30, 9, 0, 4, 32, 1024, 48 << 10, 227 << 10};
  size_t used = 0;      // bytes allocated; at properties.totalGlobalMem memory is out
  int calls_left = -1;  // the runtime call after so many fails with `planned`; below zero: none
  cudaError_t planned = cudaSuccess;
  cudaError_t lost = cudaSuccess;  // errors of the device itself (IllegalAddress, ECCUncorrectable, …) stay
};
Device& device(int index = 0);
// A fresh machine with so many devices: nothing allocated, no streams, no errors. 0: none; a driver version too old: -1.
void reset(int devices = 1);
// Allocations (device and pinned) and streams that nobody released.
std::string leaks();

}  // namespace simt
