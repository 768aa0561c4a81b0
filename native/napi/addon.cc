// The addon's exports: start, cancel, and a few questions that are answered at once. lib/native types them.
#include "native/backend/backend.h"
#include "native/cpu/kernels.h"
#include "native/napi/job.h"
#include "native/recon/fbp_rebinned.h"

namespace sino {

namespace {

constexpr int kAbi = 1;  // lib/native/addon.ts expects the same number

Jobs& jobs_of(const Napi::CallbackInfo& info) { return *info.Env().GetInstanceData<Jobs>(); }

Napi::Value cancel(const Napi::CallbackInfo& info) {
  if (info[0].IsNumber()) jobs_of(info).cancel(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
  return info.Env().Undefined();
}

// Throws ERR_SINO_OUT_OF_MEMORY when that many bytes could not be had now.
Napi::Value check_memory(const Napi::CallbackInfo& info) {
  try {
    MemoryBudget& memory = jobs_of(info).runtime().memory;
    const double bytes = info[0].As<Napi::Number>().DoubleValue();
    if (!(bytes >= 0 && bytes < 9e15))
      throw Error(Code::overflow, "The array would have more bytes than can be counted.");
    memory.reserve(static_cast<int64_t>(bytes));
    memory.release(static_cast<int64_t>(bytes));
  } catch (const Error& error) {
    throw to_js(info.Env(), error);
  }
  return info.Env().Undefined();
}

Napi::Value large_pages(const Napi::CallbackInfo& info) {
  if (info[0].IsTypedArray()) {
    napi_typedarray_type type;
    size_t length, offset;
    void* data;
    napi_value buffer;
    if (napi_get_typedarray_info(info.Env(), info[0], &type, &length, &data, &buffer, &offset) == napi_ok && data)
      use_large_pages(data, info[0].As<Napi::TypedArray>().ByteLength());
  }
  return info.Env().Undefined();
}

Napi::Value set_memory_limit(const Napi::CallbackInfo& info) {
  jobs_of(info).runtime().memory.set_limit(static_cast<int64_t>(info[0].As<Napi::Number>().DoubleValue()));
  return info.Env().Undefined();
}

Napi::Value describe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Runtime& runtime = jobs_of(info).runtime();
  Napi::Object result = Napi::Object::New(env);
  result.Set("abi", kAbi);
  result.Set("simd", simd_kernels().name);
  result.Set("threads", runtime.pool.threads());
  result.Set("memoryLimit", double(runtime.memory.limit()));
  result.Set("memoryUsed", double(runtime.memory.used()));
  result.Set("cuda", built_with_cuda());
  result.Set("compiler", __VERSION__);
  Napi::Array devices = Napi::Array::New(env);
  for (const DeviceInfo& device : list_devices()) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", device.name);
    entry.Set("description", device.description);
    entry.Set("usable", device.usable);
    entry.Set("reason", device.reason);
    devices.Set(devices.Length(), entry);
  }
  result.Set("devices", devices);
  return result;
}

Napi::Value describe_scan(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    Napi::Object holder = Napi::Object::New(env);
    holder.Set("geometry", info[0]);
    Arguments arguments(holder, jobs_of(info).runtime().memory);
    const Scan scan = scan_of(arguments.geometry("geometry"));
    const char* names[] = {"full", "half", "short", "limited"};
    Napi::Object result = Napi::Object::New(env);
    result.Set("coverage", names[static_cast<int>(scan.coverage)]);
    const double degree = 3.14159265358979323846 / 180;
    result.Set("coveredDeg", scan.covered_rad / degree);
    result.Set("innerGapDeg", scan.inner_gap_rad / degree);
    return result;
  } catch (const Error& error) {
    throw to_js(env, error);
  }
}

// The parallel scan that a fan is rebinned to.
Napi::Value describe_rebinned(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    Napi::Object holder = Napi::Object::New(env);
    holder.Set("geometry", info[0]);
    Arguments arguments(holder, jobs_of(info).runtime().memory);
    const ParallelScan scan = parallel_scan_of(arguments.geometry("geometry"));
    const Geometry& g = scan.geometry;
    const double degree = 3.14159265358979323846 / 180;
    Napi::Object result = Napi::Object::New(env);
    result.Set("views", double(g.views()));
    result.Set("startDeg", scan.first_rad / degree);
    result.Set("stepDeg", scan.step_rad / degree);
    result.Set("bins", double(g.bins));
    result.Set("binMm", g.pitch);
    result.Set("offsetBins", g.centre - (g.bins - 1) / 2.0);
    return result;
  } catch (const Error& error) {
    throw to_js(env, error);
  }
}

Napi::Value make_plan(const Napi::CallbackInfo& info) {
  try {
    if (!info[0].IsObject()) throw Error(Code::arg_type, "Expected a plan's description.");
    Jobs& jobs = jobs_of(info);
    Arguments arguments(info[0].As<Napi::Object>(), jobs.runtime().memory);
    return Napi::Number::New(info.Env(), double(jobs.plans().add(plan_of(arguments))));
  } catch (const Error& error) {
    throw to_js(info.Env(), error);
  }
}

Napi::Value drop_plan(const Napi::CallbackInfo& info) {
  if (info[0].IsNumber()) jobs_of(info).plans().drop(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
  return info.Env().Undefined();
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Jobs(env, Runtime::shared()));
  exports.Set("start",
              Napi::Function::New(env, [](const Napi::CallbackInfo& info) { return jobs_of(info).start(info); }));
  exports.Set("cancel", Napi::Function::New(env, cancel));
  exports.Set("checkMemory", Napi::Function::New(env, check_memory));
  exports.Set("useLargePages", Napi::Function::New(env, large_pages));
  exports.Set("setMemoryLimit", Napi::Function::New(env, set_memory_limit));
  exports.Set("describe", Napi::Function::New(env, describe));
  exports.Set("describeScan", Napi::Function::New(env, describe_scan));
  exports.Set("describeRebinned", Napi::Function::New(env, describe_rebinned));
  exports.Set("makePlan", Napi::Function::New(env, make_plan));
  exports.Set("dropPlan", Napi::Function::New(env, drop_plan));
  return exports;
}

}  // namespace

}  // namespace sino

static Napi::Object sinogram_initialise(Napi::Env env, Napi::Object exports) { return sino::initialise(env, exports); }
NODE_API_MODULE(sinogram, sinogram_initialise)
