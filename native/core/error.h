// The one exception type of the native core. Jobs catch it at their border and hand code, sentence and
// numbers to JavaScript (lib/core/errors.ts lists the same codes); nothing in here ends the process.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sino {

enum class Code {
  arg_type,
  buffer_detached,
  out_of_range,
  shape,
  overflow,
  disposed,
  unsupported,
  backend_unavailable,
  device_lost,
  out_of_memory,
  buffer_in_use,
  internal,
  cancelled,
};

inline const char* code_name(Code code) {
  switch (code) {
    case Code::arg_type:
      return "ERR_SINO_ARG_TYPE";
    case Code::buffer_detached:
      return "ERR_SINO_BUFFER_DETACHED";
    case Code::out_of_range:
      return "ERR_SINO_OUT_OF_RANGE";
    case Code::shape:
      return "ERR_SINO_SHAPE";
    case Code::overflow:
      return "ERR_SINO_OVERFLOW";
    case Code::disposed:
      return "ERR_SINO_DISPOSED";
    case Code::unsupported:
      return "ERR_SINO_UNSUPPORTED";
    case Code::backend_unavailable:
      return "ERR_SINO_BACKEND_UNAVAILABLE";
    case Code::device_lost:
      return "ERR_SINO_DEVICE_LOST";
    case Code::out_of_memory:
      return "ERR_SINO_OUT_OF_MEMORY";
    case Code::buffer_in_use:
      return "ERR_SINO_BUFFER_IN_USE";
    case Code::cancelled:
      return "cancelled";
    case Code::internal:
      break;
  }
  return "ERR_SINO_INTERNAL";
}

struct Error : std::runtime_error {
  Error(Code code, const std::string& sentence, std::vector<std::pair<std::string, double>> details = {})
      : std::runtime_error(sentence), code(code), details(std::move(details)) {}
  Error on(const std::string& name) const {
    Error named = *this;
    named.device = name;
    return named;
  }
  Code code;
  std::vector<std::pair<std::string, double>> details;
  std::string device;  // where one is to blame
};

inline void require(bool condition, Code code, const char* sentence) {
  if (!condition) throw Error(code, sentence);
}

// Products of counts, checked: array sizes come from the caller.
inline int64_t checked_product(int64_t a, int64_t b) {
  int64_t product;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product))
    throw Error(Code::overflow, "The array would have more elements than can be counted.");
  return product;
}

}  // namespace sino
