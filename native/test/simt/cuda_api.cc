// Devices, streams, events, allocations and copies. A stream is a queue that runs when the host waits for it, or when something
// waited for needs it; what runs knows which operations came before (Clock), so a missing event or synchronisation is a race.
#include "native/test/simt/cuda_api.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>

#include "native/test/simt/copies.h"
#include "native/test/simt/machine.h"

namespace {
using Work = std::function<void()>;
struct Queued {
  Work work;
  simt::Clock host;  // what the host had waited for when it queued this
};
}  // namespace

struct CUstream_st {
  int id, device;
  bool blocking;  // waits for the default stream, and it for this
  std::deque<Queued> queue;
  uint64_t queued = 0, done = 0;
  simt::Clock clock;
};

namespace {
// One cudaEventRecord: shared by the event and by those who wait for it.
struct Record {
  CUstream_st* stream;
  uint64_t ticket;
  bool over = false;
  simt::Clock clock;
  std::chrono::steady_clock::time_point time;
};
}  // namespace
struct CUevent_st {
  std::shared_ptr<Record> record;
  bool timed;
};

namespace simt {
namespace {

using Stream = CUstream_st;
constexpr int kMaxDevices = 8;
Copies copies;
Device devices[kMaxDevices];
int device_count = 1, chosen = 0;
cudaError_t last_error = cudaSuccess;
std::vector<std::unique_ptr<Stream>> streams;  // those destroyed too: clocks count by their number
std::vector<Stream*> open_streams;             // made by the host and not yet destroyed
Stream* default_stream[kMaxDevices] = {};
std::vector<std::unique_ptr<CUevent_st>> events;
std::map<const char*, size_t> pinned;
std::map<const void*, int> dynamic_limit;  // by kernel
Clock host_clock;
Stream* executing = nullptr;

bool is_device_error(cudaError_t e) {
  return e == cudaErrorIllegalAddress || e == cudaErrorMisalignedAddress || e == cudaErrorLaunchFailure ||
         e == cudaErrorECCUncorrectable || e == cudaErrorDevicesUnavailable;
}
cudaError_t failed(cudaError_t e) {
  if (e != cudaSuccess && e != cudaErrorNotReady) last_error = e;
  return e;
}

// Every call passes here: no device, a lost one, or an error planted by a test.
cudaError_t enter() {
  if (device_count < 0) return failed(cudaErrorInsufficientDriver);
  if (device_count == 0) return failed(cudaErrorNoDevice);
  Device& d = devices[chosen];
  if (d.lost != cudaSuccess) return failed(d.lost);
  if (d.calls_left < 0 || d.calls_left-- > 0) return cudaSuccess;
  if (is_device_error(d.planned)) d.lost = d.planned;
  return failed(d.planned);
}
// What came to light while the host waited for a stream.
cudaError_t outcome(const Stream* s) { return failed(devices[s->device].lost); }

Stream* new_stream(int device, bool blocking) {
  streams.push_back(std::make_unique<Stream>());
  Stream* s = streams.back().get();
  s->id = int(streams.size()) - 1;
  s->device = device;
  s->blocking = blocking;
  return s;
}
Stream* stream_of(cudaStream_t s) {
  if (s != nullptr) return s;
  if (default_stream[chosen] == nullptr) default_stream[chosen] = new_stream(chosen, true);
  return default_stream[chosen];
}

void run_until(Stream* s, uint64_t ticket);
void wait_for(Stream* s, Stream* other, uint64_t ticket) {
  run_until(other, ticket);
  if (s->clock.size() <= size_t(other->id)) s->clock.resize(other->id + 1);
  s->clock[other->id] = std::max(s->clock[other->id], ticket);
  join(s->clock, other->clock);
}
void run_until(Stream* s, uint64_t ticket) {
  while (s->done < ticket) {
    Queued next = std::move(s->queue.front());
    s->queue.pop_front();
    join(s->clock, next.host);
    Stream* outer = executing;
    executing = s;
    next.work();
    executing = outer;
    s->done++;
    if (s->clock.size() <= size_t(s->id)) s->clock.resize(s->id + 1);
    s->clock[s->id] = s->done;
  }
}
void queue(Stream* s, Work work) {
  const auto plain = [&](Work w) {
    s->queue.push_back({std::move(w), host_clock});
    s->queued++;
  };
  Stream* base = default_stream[s->device];
  for (const auto& other : streams) {  // the default stream's implicit order
    Stream* o = other.get();
    if (o == s || o->device != s->device || !o->blocking || !s->blocking || (s != base && o != base)) continue;
    if (o->queued > 0) plain([s, o, t = o->queued] { wait_for(s, o, t); });
  }
  plain(std::move(work));
}
void host_waits(Stream* s, uint64_t ticket) {
  run_until(s, ticket);
  join(host_clock, s->clock);
}
void host_waits_for_all() {
  for (size_t i = 0; i < streams.size(); i++) host_waits(streams[i].get(), streams[i]->queued);
  everything_is_over();
}
// A device call outside any kernel, done by the stream that executes.
void begin_call(const char* name, uint32_t serials = 1) {
  operation_name = name;
  const uint32_t first = begin_operation(executing->id, executing->done + 1, executing->clock, serials);
  block.serial = first - 1;
}
bool lost() { return devices[executing->device].lost != cudaSuccess; }

bool is_device(const void* p) { return region_of(p) != nullptr; }
bool is_pinned(const void* p) {
  const auto above = pinned.upper_bound(static_cast<const char*>(p));
  if (above == pinned.begin()) return false;
  const auto& [begin, bytes] = *std::prev(above);
  return static_cast<const char*>(p) < begin + bytes;
}

void copy_now(const char* name, void* to, const void* from, size_t bytes) {
  if (lost()) return;
  begin_call(name);
  const bool from_device = is_device(from), to_device = is_device(to);
  if (from_device && !host_access(from, bytes, Access::read, "source")) return device_failed(cudaErrorIllegalAddress);
  if (to_device && !host_access(to, bytes, Access::write, "destination")) return device_failed(cudaErrorIllegalAddress);
  std::memcpy(to, from, bytes);
  if (from_device && to_device) copy_written(to, from, bytes);
}
cudaError_t copy(const char* name, void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream,
                 bool wait) {
  if (const cudaError_t e = enter()) return e;
  if (bytes == 0) return cudaSuccess;
  const bool to_device = is_device(to), from_device = is_device(from);
  const bool says_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool says_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind != cudaMemcpyDefault && (says_to != to_device || says_from != from_device))
    return failed(cudaErrorInvalidValue);
  if (to_device && !from_device) copies.to_device.push_back(bytes);
  if (from_device && !to_device) copies.from_device.push_back(bytes);
  Stream* s = stream_of(stream);
  if (!from_device && !is_pinned(from)) {  // staged now
    auto staged =
        std::make_shared<std::vector<char>>(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
    queue(s, [=] { copy_now(name, to, staged->data(), bytes); });
  } else {
    queue(s, [=] { copy_now(name, to, from, bytes); });
  }
  if (wait || (!to_device && !is_pinned(to))) host_waits(s, s->queued);
  return outcome(s);
}
void fill_now(void* p, int value, size_t bytes) {
  if (lost()) return;
  begin_call("cudaMemset");
  if (!host_access(p, bytes, Access::write, "destination")) return device_failed(cudaErrorIllegalAddress);
  std::memset(p, value, bytes);
}
void free_now(const char* name, void* p) {
  begin_call(name);
  Region* r = region_of(p);
  if (r == nullptr || r->begin != p || r->freed) return report({}, "%p is no allocation, or freed before", p);
  devices[r->device].used -= r->bytes;
  release(*r);
}
}  // namespace

Device& device(int index) { return devices[index]; }
void device_failed(cudaError_t error) { devices[executing != nullptr ? executing->device : chosen].lost = error; }

Copies take_copies() { return std::exchange(copies, {}); }

void reset(int count) {
  release_all();
  copies = {};
  for (const auto& [p, bytes] : pinned) std::free(const_cast<char*>(p));
  pinned.clear();
  streams.clear();
  open_streams.clear();
  events.clear();
  dynamic_limit.clear();
  std::fill_n(default_stream, kMaxDevices, nullptr);
  std::fill_n(devices, kMaxDevices, Device());
  host_clock.clear();
  everything_is_over();
  last_error = cudaSuccess;
  device_count = count;
  chosen = 0;
}

std::string leaks() {
  size_t blocks = 0, bytes = 0;
  for (const auto& [_, r] : all_regions())
    if (!r.freed) blocks++, bytes += r.bytes;
  std::string text;
  if (blocks > 0) text += std::to_string(blocks) + " device allocations (" + std::to_string(bytes) + " bytes) ";
  if (!pinned.empty()) text += std::to_string(pinned.size()) + " pinned allocations ";
  if (!open_streams.empty()) text += std::to_string(open_streams.size()) + " streams ";
  if (!events.empty()) text += std::to_string(events.size()) + " events ";
  return text.empty() ? text : text + "not released";
}

void launch(const void* kernel, const char* name, dim3 grid, dim3 size, size_t shared_bytes, cudaStream_t stream,
            void (*call)(const void*), const void* closure, size_t closure_bytes) {
  if (enter() != cudaSuccess) return;
  const Device& d = devices[chosen];
  const size_t threads = size_t(size.x) * size.y * size.z;
  const auto limit = dynamic_limit.find(kernel);
  const size_t allowed = limit == dynamic_limit.end() ? d.properties.sharedMemPerBlock : size_t(limit->second);
  if (threads == 0 || threads > kMaxThreads || size.z > 64 || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
      grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    return (void)failed(cudaErrorInvalidConfiguration);
  if (shared_bytes > allowed) return (void)failed(cudaErrorInvalidValue);
  Stream* s = stream_of(stream);
  if (s->device != chosen) return (void)failed(cudaErrorInvalidResourceHandle);
  if (*name == '(') {  // a template's parentheses
    static std::set<std::string> names;
    name = names.insert(std::string(name + 1, std::strlen(name) - 2)).first->c_str();
  }
  auto bytes = std::make_shared<std::vector<char>>(4096);
  std::memcpy(bytes->data(), closure, closure_bytes);
  queue(s, [=] {
    if (lost()) return;
    begin_call(name, grid.x * grid.y * grid.z);
    run_grid(name, grid, size, shared_bytes, call, bytes->data());
  });
}

}  // namespace simt

using namespace simt;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define NAME(e) \
  case e:       \
    return #e;
    NAME(cudaSuccess)
    NAME(cudaErrorInvalidValue)
    NAME(cudaErrorMemoryAllocation)
    NAME(cudaErrorInitializationError)
    NAME(cudaErrorInvalidConfiguration)
    NAME(cudaErrorInsufficientDriver)
    NAME(cudaErrorDevicesUnavailable)
    NAME(cudaErrorNoDevice)
    NAME(cudaErrorInvalidDevice)
    NAME(cudaErrorECCUncorrectable)
    NAME(cudaErrorInvalidResourceHandle)
    NAME(cudaErrorNotReady)
    NAME(cudaErrorIllegalAddress)
    NAME(cudaErrorMisalignedAddress)
    NAME(cudaErrorLaunchFailure)
    NAME(cudaErrorUnknown)
#undef NAME
  }
  return "cudaErrorUnknown";
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }
cudaError_t cudaGetLastError() {
  const cudaError_t e = last_error;
  last_error = cudaSuccess;
  return e != cudaSuccess ? e : devices[chosen].lost;
}
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = std::max(device_count, 0);
  return device_count > 0 ? cudaSuccess : enter();
}
cudaError_t cudaGetDevice(int* device) { return *device = chosen, cudaSuccess; }
cudaError_t cudaSetDevice(int device) {
  if (device_count <= 0) return enter();
  if (device < 0 || device >= device_count) return failed(cudaErrorInvalidDevice);
  return chosen = device, cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= device_count) return failed(cudaErrorInvalidDevice);
  return *properties = devices[device].properties, cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device < 0 || device >= device_count) return failed(cudaErrorInvalidDevice);
  const cudaDeviceProp& p = devices[device].properties;
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return *value = int(p.sharedMemPerBlock), cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      return *value = p.multiProcessorCount, cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      return *value = p.major, cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      return *value = p.minor, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return *value = int(p.sharedMemPerBlockOptin), cudaSuccess;
    case cudaDevAttrMemoryPoolsSupported:
      return *value = 1, cudaSuccess;
  }
  return failed(cudaErrorInvalidValue);
}
cudaError_t cudaDriverGetVersion(int* version) { return *version = device_count < 0 ? 11000 : 13000, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaDeviceSynchronize() {
  if (device_count <= 0) return enter();
  if (const cudaError_t e = enter()) return e;
  host_waits_for_all();
  return failed(devices[chosen].lost);
}
cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  if (const cudaError_t e = enter()) return e;
  *total = devices[chosen].properties.totalGlobalMem;
  return *available = *total - devices[chosen].used, cudaSuccess;
}

cudaError_t simt_malloc(void** p, size_t bytes) {
  if (const cudaError_t e = enter()) return e;
  *p = nullptr;
  if (bytes == 0) return cudaSuccess;
  Device& d = devices[chosen];
  Region* r = bytes > d.properties.totalGlobalMem - d.used ? nullptr : allocate(bytes, chosen);
  if (r == nullptr) return failed(cudaErrorMemoryAllocation);
  d.used += bytes;
  return *p = r->begin, cudaSuccess;
}
cudaError_t simt_malloc_host(void** p, size_t bytes) {
  if (const cudaError_t e = enter()) return e;
  *p = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (*p == nullptr) return failed(cudaErrorMemoryAllocation);
  std::memset(*p, 0xff, bytes);
  pinned[static_cast<char*>(*p)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  const cudaError_t e = enter();  // memory of a lost device is given back all the same
  if (p == nullptr || device_count <= 0) return e;
  host_waits_for_all();
  executing = stream_of(nullptr);
  free_now("cudaFree", p);
  executing = nullptr;
  return e;
}
cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  const cudaError_t e = enter();
  if (p != nullptr && device_count > 0) queue(stream_of(stream), [=] { free_now("cudaFreeAsync", p); });
  return e;
}
cudaError_t cudaFreeHost(void* p) {
  if (p == nullptr) return cudaSuccess;
  if (pinned.erase(static_cast<char*>(p)) == 0) return failed(cudaErrorInvalidValue);
  host_waits_for_all();
  std::free(p);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return copy("cudaMemcpy", to, from, bytes, kind, nullptr, true);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy("cudaMemcpyAsync", to, from, bytes, kind, stream, false);
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t rows,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  if (const cudaError_t e = enter()) return e;
  if (kind != cudaMemcpyDeviceToDevice || !is_device(to) || !is_device(from) || width > to_pitch || width > from_pitch)
    return failed(cudaErrorInvalidValue);
  if (width > 0)
    queue(stream_of(stream), [=] {
      for (size_t r = 0; r < rows; r++)
        copy_now("cudaMemcpy2DAsync", static_cast<char*>(to) + r * to_pitch,
                 static_cast<const char*>(from) + r * from_pitch, width);
    });
  return cudaSuccess;
}
cudaError_t cudaMemset(void* p, int value, size_t bytes) { return cudaMemsetAsync(p, value, bytes, nullptr); }
cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
  if (const cudaError_t e = enter()) return e;
  if (bytes > 0) queue(stream_of(stream), [=] { fill_now(p, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  if (const cudaError_t e = enter()) return e;
  *stream = new_stream(chosen, flags != cudaStreamNonBlocking);
  open_streams.push_back(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const auto found = std::find(open_streams.begin(), open_streams.end(), stream);
  if (found == open_streams.end()) return failed(cudaErrorInvalidResourceHandle);
  run_until(stream, stream->queued);
  open_streams.erase(found);
  return enter();
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (const cudaError_t e = enter()) return e;
  Stream* s = stream_of(stream);
  host_waits(s, s->queued);
  return outcome(s);
}
// Asking makes a little progress, so that polling ends.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  if (const cudaError_t e = enter()) return e;
  Stream* s = stream_of(stream);
  if (s->done == s->queued) return host_waits(s, s->queued), cudaSuccess;
  run_until(s, s->done + 1);
  return cudaErrorNotReady;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (const cudaError_t e = enter()) return e;
  Stream* s = stream_of(stream);
  if (const std::shared_ptr<Record> r = event->record)
    queue(s, [s, r] {
      run_until(r->stream, r->ticket);
      join(s->clock, r->clock);
    });
  return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  if (const cudaError_t e = enter()) return e;
  queue(stream_of(stream), [=] { function(data); });
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  if (const cudaError_t e = enter()) return e;
  events.push_back(std::make_unique<CUevent_st>());
  events.back()->timed = flags != cudaEventDisableTiming;
  return *event = events.back().get(), cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const auto same = [event](const std::unique_ptr<CUevent_st>& e) { return e.get() == event; };
  const auto found = std::find_if(events.begin(), events.end(), same);
  if (found == events.end()) return failed(cudaErrorInvalidResourceHandle);
  events.erase(found);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (const cudaError_t e = enter()) return e;
  Stream* s = stream_of(stream);
  auto record = std::make_shared<Record>();
  queue(s, [s, record] {
    record->clock = s->clock;
    record->time = std::chrono::steady_clock::now();
    record->over = true;
  });
  record->stream = s;
  record->ticket = s->queued;
  event->record = record;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (const cudaError_t e = enter()) return e;
  if (const std::shared_ptr<Record> r = event->record) {
    run_until(r->stream, r->ticket);
    join(host_clock, r->clock);
  }
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (const cudaError_t e = enter()) return e;
  const std::shared_ptr<Record> r = event->record;
  if (!r || r->over) return r ? join(host_clock, r->clock) : void(), cudaSuccess;
  run_until(r->stream, r->stream->done + 1);
  return cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (const cudaError_t e = enter()) return e;
  if (!start->record || !end->record || !start->timed || !end->timed) return failed(cudaErrorInvalidResourceHandle);
  if (!start->record->over || !end->record->over) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(end->record->time - start->record->time).count();
  return cudaSuccess;
}
cudaError_t simt_allow_shared(const void* kernel, int bytes) {
  if (const cudaError_t e = enter()) return e;
  if (size_t(bytes) > devices[chosen].properties.sharedMemPerBlockOptin) return failed(cudaErrorInvalidValue);
  dynamic_limit[kernel] = bytes;
  return cudaSuccess;
}
