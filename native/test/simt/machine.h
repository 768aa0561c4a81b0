// What the shim's own files share: the threads of the running block, device memory and its shadow, and who comes before whom.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "native/test/simt/control.h"
#include "native/test/simt/engine.h"
#include "native/test/simt/fiber.h"
#include "native/test/simt/report.h"

namespace simt {

constexpr unsigned kMaxThreads = 1024;

// ---- order between operations of streams
// Per stream, how many of its operations are known to be over.
using Clock = std::vector<uint64_t>;
void join(Clock& clock, const Clock& other);

// ---- threads
enum class State : uint8_t { ready, at_barrier, in_collective, done };
struct PendingCopy {
  void* to;
  const void* from;
  unsigned bytes, bytes_read;
  int group;
  Place at;
};
struct Fiber : Self {
  FiberContext context;
  char* stack = nullptr;
  State state = State::ready;
  Place at = {"", 0};
  const char* what = "";    // the collective it waits in
  int vote = 0, votes = 0;  // __syncthreads_count
  int groups = 0;           // cp.async groups committed
  bool fenced = false;
  uint32_t seen[32] = {};  // vector clock over the lanes of this warp, advanced by __syncwarp
  std::vector<PendingCopy> copies;
};
extern Fiber fibers[kMaxThreads];
extern Fiber* current;  // null in host code

struct SharedArray {
  const void* key;
  char* begin;
  size_t bytes;
  const char* name;
};
struct Block {
  unsigned threads = 0;
  uint32_t serial = 0, epoch = 0;   // epoch: barriers passed
  std::vector<SharedArray> arrays;  // [0] is the dynamic one
  size_t used = 0;
  std::set<uint32_t> acquired;  // blocks that came before this one, by fence and atomic
  bool aborted = false;
};
extern Block block;

void run_grid(const char* name, dim3 grid, dim3 size, size_t shared_bytes, void (*call)(const void*),
              const void* closure);
// Ends the launch from inside a thread: an illegal access loses the device, here as there. Does not return.
[[noreturn]] void abort_launch(cudaError_t error);
void device_failed(cudaError_t error);

// ---- memory
constexpr size_t kArenaBytes = 512 << 10;
extern char* arena;  // shared memory of the running block

struct Event {  // one access, as far as later ones need to know it
  uint32_t serial = 0, epoch = 0, clock = 0;
  uint16_t rank = 0, atomic = 0;
};
struct Cell {
  Event write, reads[2];
  bool written = false;
};
// Shadow of a stretch of memory: a cell per 4 bytes, until somebody touches less; then a cell per byte.
struct Space {
  size_t bytes = 0;
  unsigned shift = 2;
  std::vector<Cell> cells;
  explicit Space(size_t bytes = 0) : bytes(bytes), cells((bytes + 3) >> 2) {}
  void refine();
  template <typename Visit>  // visit(cell) returns false to stop
  void each(size_t offset, size_t count, const Visit& visit) {
    if (shift == 2 && ((offset | count) & 3) != 0) refine();
    for (size_t i = offset >> shift; i < (offset + count) >> shift; i++)
      if (!visit(cells[i])) return;
  }
};
struct Region {
  char* begin;
  size_t bytes, pages;
  int device;
  bool freed;
  Space space;
};
void make_memory();
Region* allocate(size_t bytes, int device);
void release(Region& region);
void release_all();
Region* region_of(const void* p);  // the one that contains p, freed or not
const std::map<uintptr_t, Region>& all_regions();

// The operation of a stream that starts now: takes `serials` numbers, returns the first.
uint32_t begin_operation(int stream, uint64_t ticket, const Clock& clock, uint32_t serials);
void everything_is_over();  // the host waited for all streams

void begin_block_memory();
void access(const void* p, size_t bytes, Access kind, size_t align, Where where, const Fiber* by);
[[noreturn]] void misaligned(const void* p, size_t align, Where where);
// Copies and fills by the runtime: bounds, order between streams, and (reading) whether everything was written.
bool host_access(const void* p, size_t bytes, Access kind, const char* role);
void copy_written(const void* to, const void* from, size_t bytes);

}  // namespace simt
