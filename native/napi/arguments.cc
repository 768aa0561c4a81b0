#include "native/napi/arguments.h"

#include <cmath>

namespace sino {

namespace {
const char* const kTypeNames[] = {"Int8Array",    "Uint8Array",    "Uint8ClampedArray", "Int16Array",
                                  "Uint16Array",  "Int32Array",    "Uint32Array",       "Float32Array",
                                  "Float64Array", "BigInt64Array", "BigUint64Array"};
const size_t kTypeSizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};

[[noreturn]] void wrong_type(const char* name, const std::string& expected) {
  throw Error(Code::arg_type, "Expected " + expected + " for " + name + ".");
}
}  // namespace

Napi::Value Arguments::get(const char* name) const { return object_.Get(name); }

bool Arguments::has(const char* name) const {
  const Napi::Value value = get(name);
  return !value.IsUndefined() && !value.IsNull();
}

double Arguments::number(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsNumber()) wrong_type(name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

int64_t Arguments::integer(const char* name, int64_t least, int64_t most) const {
  const double value = number(name);  // never Int32Value, which wraps silently
  if (!(value >= static_cast<double>(least) && value <= static_cast<double>(most)) || std::floor(value) != value)
    throw Error(Code::out_of_range, "Expected an integer between " + std::to_string(least) + " and " +
                                        std::to_string(most) + " for " + name + " but received " +
                                        std::to_string(value) + ".");
  return static_cast<int64_t>(value);
}

bool Arguments::flag(const char* name) const {
  const Napi::Value value = get(name);
  return value.IsBoolean() && value.As<Napi::Boolean>().Value();
}

std::string Arguments::text(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsString()) wrong_type(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

std::vector<double> Arguments::numbers(const char* name) {
  const Napi::TypedArray array = typed(name);
  if (array.TypedArrayType() != napi_float64_array) wrong_type(name, "a Float64Array");
  const double* data = array.As<Napi::Float64Array>().Data();
  return std::vector<double>(data, data + array.ElementLength());
}

Napi::TypedArray Arguments::typed(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsTypedArray()) wrong_type(name, "a typed array");
  return value.As<Napi::TypedArray>();
}

int64_t Arguments::length(const char* name) const { return static_cast<int64_t>(typed(name).ElementLength()); }

void* Arguments::array(const char* name, int type, size_t element, int64_t count, bool written) {
  const Napi::TypedArray array = typed(name);
  if (type >= 0 && array.TypedArrayType() != type)
    wrong_type(name, std::string("a ") + kTypeNames[type] + " (not a " + kTypeNames[array.TypedArrayType()] + ")");
  // From the typed array itself, never .ArrayBuffer(): a shared buffer is not an ArrayBuffer.
  napi_typedarray_type found;
  size_t length, offset;
  void* data;
  napi_value buffer;
  if (napi_get_typedarray_info(array.Env(), array, &found, &length, &data, &buffer, &offset) != napi_ok)
    wrong_type(name, "a typed array");
  if (count > 0 && (length == 0 || !data))
    throw Error(Code::buffer_detached,
                std::string("The buffer of ") + name + " is empty or was transferred elsewhere.");
  if (static_cast<int64_t>(length) != count)
    throw Error(Code::shape, std::string("Expected ") + std::to_string(count) + " elements in " + name +
                                 " but received " + std::to_string(length) + ".");
  kept.push_back(Napi::Persistent(array.As<Napi::Object>()));
  const char* begin = static_cast<const char*>(data);
  if (count > 0) borrows.push_back({begin, begin + count * element, written});
  return data;
}

const void* Arguments::any_input(const char* name, int64_t count, napi_typedarray_type* type) {
  *type = typed(name).TypedArrayType();
  return array(name, -1, kTypeSizes[*type], count, false);
}

void* Arguments::any_output(const char* name, int64_t count, napi_typedarray_type* type) {
  *type = typed(name).TypedArrayType();
  return array(name, -1, kTypeSizes[*type], count, true);
}

Geometry Arguments::geometry(const char* name) {
  const Napi::Value value = get(name);
  if (!value.IsObject()) wrong_type(name, "a geometry");
  Arguments g(value.As<Napi::Object>(), memory);
  GeometryDescription d;
  const std::string beam = g.text("beam");
  if (beam == "parallel")
    d.beam = Beam::parallel;
  else if (beam == "flat")
    d.beam = Beam::flat;
  else if (beam == "arc")
    d.beam = Beam::arc;
  else
    throw Error(Code::out_of_range, "Expected beam \"parallel\", \"flat\" or \"arc\" but received \"" + beam + "\".");
  d.rows = g.integer("rows", 1, 1 << 16);
  d.columns = g.integer("columns", 1, 1 << 16);
  d.bins = g.integer("bins", 1, 1 << 16);
  d.dx = g.number("dx");
  d.dy = g.number("dy");
  d.centre_x = g.number("centreX", 0);
  d.centre_y = g.number("centreY", 0);
  d.pitch = g.number("pitch");
  d.offset_bins = g.number("offsetBins", 0);
  d.sod = g.number("sod", 0);
  d.angles_deg = g.numbers("angles");
  return make_geometry(d);
}

Napi::Error to_js(Napi::Env env, const Error& error) {
  Napi::Error js = Napi::Error::New(env, error.what());
  js.Set("code", Napi::String::New(env, code_name(error.code)));
  if (!error.details.empty() || !error.device.empty()) {
    Napi::Object details = Napi::Object::New(env);
    for (const auto& [name, value] : error.details) details.Set(name, Napi::Number::New(env, value));
    if (!error.device.empty()) details.Set("device", Napi::String::New(env, error.device));
    js.Set("details", details);
  }
  return js;
}

}  // namespace sino
