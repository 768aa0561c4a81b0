// Arrays of any type and stride made contiguous float32, the form that kernels take.
#include "native/napi/job.h"

namespace sino {

namespace {

constexpr int64_t kChunk = 1 << 16;

struct Strided {
  std::vector<int64_t> shape, stride;
  int64_t offset, count;
  int64_t place(int64_t index) const {
    int64_t at = offset;
    for (size_t axis = shape.size(); axis-- > 0;) {
      at += index % shape[axis] * stride[axis];
      index /= shape[axis];
    }
    return at;
  }
};

template <typename T>
void copy(const Context& context, const Strided& from, const T* data, float* out) {
  const int64_t run = from.shape.empty() ? 1 : from.shape.back(), step = from.shape.empty() ? 1 : from.stride.back();
  context.parallel_for(from.count / run, std::max<int64_t>(1, kChunk / run), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const T* source = data + from.place(r * run);
      for (int64_t i = 0; i < run; i++) out[r * run + i] = static_cast<float>(source[i * step]);
    }
  });
}

Work pack(Arguments& a, int64_t*) {
  Strided from;
  const std::vector<double> shape = a.numbers("shape"), stride = a.numbers("stride");
  require(shape.size() == stride.size(), Code::shape, "Expected one stride per dimension.");
  from.shape.assign(shape.begin(), shape.end());
  from.stride.assign(stride.begin(), stride.end());
  from.count = 1;
  const int64_t length = a.length("input");
  from.offset = a.integer("offset", 0, length);
  int64_t low = from.offset, high = from.offset;
  for (size_t axis = 0; axis < from.shape.size(); axis++) {
    from.count = checked_product(from.count, from.shape[axis]);
    const int64_t reach = (from.shape[axis] - 1) * from.stride[axis];
    (reach < 0 ? low : high) += reach;
  }
  require(from.count == 0 || (low >= 0 && high < length), Code::shape, "The strides reach outside the data.");
  napi_typedarray_type type;
  const void* data = a.any_input("input", length, &type);
  float* out = a.output<float>("output", from.count);
  return {[=](const Context& context, const Backend&) -> Numbers {
    if (from.count == 0) return {};
    switch (type) {
      case napi_int8_array:
        copy(context, from, static_cast<const int8_t*>(data), out);
        break;
      case napi_uint8_array:
      case napi_uint8_clamped_array:
        copy(context, from, static_cast<const uint8_t*>(data), out);
        break;
      case napi_int16_array:
        copy(context, from, static_cast<const int16_t*>(data), out);
        break;
      case napi_uint16_array:
        copy(context, from, static_cast<const uint16_t*>(data), out);
        break;
      case napi_int32_array:
        copy(context, from, static_cast<const int32_t*>(data), out);
        break;
      case napi_uint32_array:
        copy(context, from, static_cast<const uint32_t*>(data), out);
        break;
      case napi_float32_array:
        copy(context, from, static_cast<const float*>(data), out);
        break;
      case napi_float64_array:
        copy(context, from, static_cast<const double*>(data), out);
        break;
      default:
        throw Error(Code::arg_type, "Expected integers of up to 32 bits or floats; 64-bit integers are not taken.");
    }
    return {};
  }};
}

}  // namespace

void add_array_operations(std::map<std::string, Reader>& readers) { readers["pack"] = pack; }

}  // namespace sino
