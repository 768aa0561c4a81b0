// Reads the arguments of an operation from one JavaScript object, on the JavaScript thread, into plain data.
// TypeScript has checked what they mean (lib/); here every size is checked again, because memory safety may
// not depend on the caller.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "native/geometry/geometry.h"
#include "native/runtime/runtime.h"

namespace sino {

class Plans;

class Arguments {
 public:
  Arguments(Napi::Object object, MemoryBudget& memory, Plans* plans = nullptr)
      : memory(memory), plans(plans), object_(object) {}

  bool has(const char* name) const;
  double number(const char* name) const;
  double number(const char* name, double fallback) const { return has(name) ? number(name) : fallback; }
  int64_t integer(const char* name, int64_t least, int64_t most) const;
  bool flag(const char* name) const;
  std::string text(const char* name) const;
  std::vector<double> numbers(const char* name);  // copied: tables, not images
  Geometry geometry(const char* name);

  // A typed array of T with exactly `count` elements, kept alive and marked as borrowed until the job ends.
  template <typename T>
  const T* input(const char* name, int64_t count) {
    return static_cast<const T*>(array(name, type_of<T>(), sizeof(T), count, false));
  }
  template <typename T>
  T* output(const char* name, int64_t count) {
    return static_cast<T*>(array(name, type_of<T>(), sizeof(T), count, true));
  }
  // Any of the integer and float types; tells which.
  const void* any_input(const char* name, int64_t count, napi_typedarray_type* type);
  void* any_output(const char* name, int64_t count, napi_typedarray_type* type);
  int64_t length(const char* name) const;

  MemoryBudget& memory;
  Plans* plans;  // the environment's
  std::vector<Borrow> borrows;
  std::vector<Napi::ObjectReference> kept;

 private:
  template <typename T>
  static napi_typedarray_type type_of();
  void* array(const char* name, int type, size_t element, int64_t count, bool written);
  Napi::Value get(const char* name) const;
  Napi::TypedArray typed(const char* name) const;
  Napi::Object object_;
};

template <>
inline napi_typedarray_type Arguments::type_of<float>() {
  return napi_float32_array;
}
template <>
inline napi_typedarray_type Arguments::type_of<double>() {
  return napi_float64_array;
}
template <>
inline napi_typedarray_type Arguments::type_of<uint8_t>() {
  return napi_uint8_array;
}
template <>
inline napi_typedarray_type Arguments::type_of<int32_t>() {
  return napi_int32_array;
}

// Throws a JavaScript error of the code's kind; lib/native turns it into the documented class.
Napi::Error to_js(Napi::Env env, const Error& error);

}  // namespace sino
