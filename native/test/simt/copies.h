// What tests may ask of the way between host and device. No part of CUDA: tests use it inside #if !defined(__CUDACC__).
#pragma once

#include <cstddef>
#include <vector>

namespace simt {

// Bytes of each copy that was asked for since the last call, in order.
struct Copies {
  std::vector<size_t> to_device, from_device;
};
Copies take_copies();

}  // namespace simt
