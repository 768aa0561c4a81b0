// Device memory, shared memory, and the checker. Every stretch of memory has shadow cells that remember the last write and two
// reads. Two accesses are in order if they come from one thread, if a barrier of the block lies between (epoch), if a __syncwarp
// does (vector clock over lanes), if block published to block (fence and atomic), or if streams and events say so (clock over
// streams); otherwise they race unless both read or both are atomic. This is FastTrack's scheme: C. Flanagan, S. Freund, 2009.
#include "native/test/simt/machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" char __executable_start, end;  // the program's own data: constants, closures, the shim's state

namespace simt {

char* arena = nullptr;

namespace {

constexpr size_t kHeapBytes = size_t(1) << 36, kPage = 4096, kAlign = 256;
constexpr int kPoison = 0xff;  // NaN as float, double and half; −1 as integer
char *heap = nullptr, *heap_top = nullptr;
std::map<uintptr_t, Region> regions;
Region* last_region = nullptr;
Space arena_shadow;

struct Operation {
  uint32_t first;
  int stream;
  uint64_t ticket;
};
std::vector<Operation> history;  // since the host last waited for everything
Clock now;                       // what the running operation comes after
uint32_t next_serial = 1, operation_first = 1, all_ordered_before = 1;
std::map<const void*, std::set<uint32_t>> published;  // by atomics after fences; for the running launch

uintptr_t number(const void* p) { return reinterpret_cast<uintptr_t>(p); }

bool knows(const Clock& clock, const Operation& o) {
  return size_t(o.stream) < clock.size() && clock[o.stream] >= o.ticket;
}
bool operation_over(uint32_t serial) {
  if (serial < all_ordered_before) return true;
  const auto later = std::upper_bound(history.begin(), history.end(), serial,
                                      [](uint32_t s, const Operation& o) { return s < o.first; });
  return later == history.begin() || knows(now, later[-1]);
}
bool before(const Event& e, const Fiber* by, bool shared) {
  if (shared && e.serial != block.serial) return true;  // another block's memory
  if (e.serial < operation_first) return operation_over(e.serial);
  if (by == nullptr) return true;  // the running copy itself
  if (e.serial != block.serial) return block.acquired.count(e.serial) > 0;
  if (e.rank == by->rank || e.epoch < block.epoch) return true;
  const Fiber& other = fibers[e.rank];
  return other.warp == by->warp && by->seen[other.lane] >= e.clock;
}

const char* past(Access kind) { return kind == Access::read ? "read" : kind == Access::write ? "write" : "atomic"; }

void report_race(Where where, const char* space, const void* p, Access kind, const Event& first, bool first_wrote) {
  const char* earlier = first.atomic ? "atomic" : first_wrote ? "write" : "read";
  if (first.serial < operation_first)
    return report(where, "race on %s memory at %p: %s while the %s of an earlier operation of another stream may run",
                  space, p, past(kind), earlier);
  if (first.serial != block.serial)
    return report(where, "race on %s memory at %p: %s, unordered with the %s of another block", space, p, past(kind),
                  earlier);
  const uint3 t = fibers[first.rank].thread;
  report(where, "race on %s memory at %p: %s, unordered with the %s of thread %u,%u,%u", space, p, past(kind), earlier,
         t.x, t.y, t.z);
}

void check(Space& space, size_t offset, size_t bytes, Access kind, const Fiber* by, const void* p, Where where) {
  const bool shared = &space == &arena_shadow;
  const char* name = shared ? "shared" : "global";
  const Event me = {by ? block.serial : operation_first, by ? block.epoch : 0, by ? by->seen[by->lane] : 0,
                    uint16_t(by ? by->rank : 0), kind == Access::atomic};
  space.each(offset, bytes, [&](Cell& cell) {
    const bool written = cell.written && (!shared || cell.write.serial == block.serial);
    if (kind != Access::write && !written) {
      report(where, "%s of unwritten %s memory at %p", past(kind), name, p);
      cell = {me, {}, true};
      return false;
    }
    const Event* bad = nullptr;
    if (!before(cell.write, by, shared) && !(kind == Access::atomic && cell.write.atomic)) bad = &cell.write;
    if (kind != Access::read)
      for (const Event& r : cell.reads)
        if (!before(r, by, shared)) bad = &r;
    if (bad != nullptr) {
      report_race(where, name, p, kind, *bad, bad == &cell.write);
      cell = {me, {}, true};
      return false;
    }
    if (kind != Access::read) {
      cell.write = me;
      cell.written = true;
    } else if (before(cell.reads[0], by, shared)) {
      cell.reads[0] = me;
    } else if (before(cell.reads[1], by, shared) ||
               fibers[cell.reads[1].rank].warp == fibers[cell.reads[0].rank].warp) {
      cell.reads[1] = me;  // two reads of different warps are enough to find any write that follows
    }
    return true;
  });
}

void shared_access(const char* p, size_t bytes, Access kind, Where where, const Fiber& by) {
  const SharedArray* near = nullptr;
  for (const SharedArray& a : block.arrays) {
    if (p >= a.begin && p + bytes <= a.begin + a.bytes)
      return check(arena_shadow, size_t(p - arena), bytes, kind, &by, p, where);
    if (p + 64 >= a.begin && (near == nullptr || a.begin <= p)) near = &a;
  }
  report(where, "shared %s of %zu bytes out of bounds: byte %td of '%s', which has %zu", past(kind), bytes,
         near ? p - near->begin : p - arena, near ? near->name : "shared memory", near ? near->bytes : 0);
  abort_launch(cudaErrorIllegalAddress);
}

void global_access(const char* p, size_t bytes, Access kind, Where where, const Fiber& by) {
  Region* r = region_of(p);
  if (r == nullptr || p + bytes > r->begin + r->bytes || r->freed) {
    const auto above = regions.upper_bound(number(p));
    Region* near = r ? r : above == regions.begin() ? nullptr : &std::prev(above)->second;
    if (r != nullptr && r->freed)
      report(where, "global %s of %zu bytes in memory already freed", past(kind), bytes);
    else
      report(where, "global %s of %zu bytes out of bounds: byte %td of an allocation of %zu", past(kind), bytes,
             near ? p - near->begin : 0, near ? near->bytes : 0);
    abort_launch(cudaErrorIllegalAddress);
  }
  check(r->space, size_t(p - r->begin), bytes, kind, &by, p, where);
}

}  // namespace

void join(Clock& clock, const Clock& other) {
  if (clock.size() < other.size()) clock.resize(other.size());
  for (size_t i = 0; i < other.size(); i++) clock[i] = std::max(clock[i], other[i]);
}

void Space::refine() {
  std::vector<Cell> fine(cells.size() * 4);
  for (size_t i = 0; i < fine.size(); i++) fine[i] = cells[i / 4];
  cells.swap(fine);
  shift = 0;
}

void make_memory() {
  if (arena != nullptr) return;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* a = mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  void* h = mmap(nullptr, kHeapBytes, PROT_NONE, flags, -1, 0);
  if (a == MAP_FAILED || h == MAP_FAILED) std::perror("simt: mmap"), std::exit(99);
  arena = static_cast<char*>(a);
  std::memset(arena, kPoison, kArenaBytes);
  heap = heap_top = static_cast<char*>(h);
  arena_shadow = Space(kArenaBytes);
}

// Addresses are not used twice, so that a freed one stays recognisable; a guard page follows each allocation.
Region* allocate(size_t bytes, int device) {
  make_memory();
  const size_t pages = (bytes + kPage - 1) / kPage * kPage;
  if (pages + kPage > size_t(heap + kHeapBytes - heap_top)) return nullptr;
  char* base = heap_top;
  if (mprotect(base, pages, PROT_READ | PROT_WRITE) != 0) return nullptr;
  heap_top += pages + kPage;
  std::memset(base, kPoison, pages);
  char* begin = base + (pages - bytes) / kAlign * kAlign;
  return &regions.emplace(number(begin), Region{begin, bytes, pages, device, false, Space(bytes)}).first->second;
}
void release(Region& r) {
  char* base = heap + (r.begin - heap) / ptrdiff_t(kPage) * ptrdiff_t(kPage);
  madvise(base, r.pages, MADV_DONTNEED);
  mprotect(base, r.pages, PROT_NONE);
  r.freed = true;
  r.space = Space();
}
void release_all() {
  for (auto& [_, r] : regions)
    if (!r.freed) release(r);
  regions.clear();
  last_region = nullptr;
}
const std::map<uintptr_t, Region>& all_regions() { return regions; }

Region* region_of(const void* p) {
  const auto inside = [&](const Region& r) { return number(p) - number(r.begin) < r.bytes; };
  if (last_region != nullptr && inside(*last_region)) return last_region;
  const auto above = regions.upper_bound(number(p));
  if (above == regions.begin() || !inside(std::prev(above)->second)) return nullptr;
  return last_region = &std::prev(above)->second;
}

uint32_t begin_operation(int stream, uint64_t ticket, const Clock& clock, uint32_t serials) {
  now = clock;
  operation_first = next_serial;
  next_serial += std::max<uint32_t>(serials, 1);
  all_ordered_before = operation_first;
  for (const Operation& o : history)
    if (!knows(now, o)) {
      all_ordered_before = o.first;
      break;
    }
  history.push_back({operation_first, stream, ticket});
  published.clear();
  forget_duplicates();
  return operation_first;
}
void everything_is_over() { history.clear(); }

// The bands between arrays, and what is past the last one, must still hold poison; then everything does again.
void begin_block_memory() {
  for (size_t i = 0; i < block.arrays.size() && !block.aborted; i++) {
    const SharedArray& a = block.arrays[i];
    const char* end =
        i + 1 < block.arrays.size() ? block.arrays[i + 1].begin : arena + std::min(kArenaBytes, block.used + 256);
    if (std::any_of(a.begin + a.bytes, const_cast<char*>(end), [](char c) { return c != char(kPoison); }))
      report({}, "write past the end of shared array '%s'", a.name);
  }
  std::memset(arena, kPoison, std::min(kArenaBytes, block.used + 256));
  block.arrays.clear();
  block.used = 0;
}

void access(const void* address, size_t bytes, Access kind, size_t align, Where where, const Fiber* by) {
  const char* p = static_cast<const char*>(address);
  if (bytes == 0 || on_fiber_stack(p)) return;
  const bool shared = size_t(p - arena) < kArenaBytes, global = size_t(p - heap) < kHeapBytes;
  if (!shared && !global) {
    if (p >= &__executable_start && p < &end) return;
    report(where, "%s of host memory at %p", past(kind), address);
    abort_launch(cudaErrorIllegalAddress);
  }
  if (number(p) % align != 0) misaligned(address, align, where);
  if (kind == Access::atomic) {  // coarse: whole blocks come in order, once published
    std::set<uint32_t>& blocks = published[address];
    block.acquired.insert(blocks.begin(), blocks.end());
    if (by->fenced) blocks.insert(block.serial);
  }
  if (shared)
    shared_access(p, bytes, kind, where, *by);
  else
    global_access(p, bytes, kind, where, *by);
}

void misaligned(const void* p, size_t align, Where where) {
  report(where, "misaligned access: %p is no multiple of %zu", p, align);
  abort_launch(cudaErrorMisalignedAddress);
}

bool host_access(const void* address, size_t bytes, Access kind, const char* role) {
  const char* p = static_cast<const char*>(address);
  Region* r = region_of(p);
  if (r == nullptr || r->freed || p + bytes > r->begin + r->bytes) {
    report({}, "the %s is %zu bytes at %p: %s", role, bytes, address,
           r == nullptr ? "no device memory"
           : r->freed   ? "already freed"
                        : "beyond the end of the allocation");
    return false;
  }
  if (options.check) check(r->space, size_t(p - r->begin), bytes, kind, nullptr, p, {});
  return true;
}

void copy_written(const void* to, const void* from, size_t bytes) {
  Region *a = region_of(to), *b = region_of(from);
  const size_t i = size_t(static_cast<const char*>(to) - a->begin),
               j = size_t(static_cast<const char*>(from) - b->begin);
  std::vector<bool> written;
  if (b->space.shift != 0) b->space.refine();
  b->space.each(j, bytes, [&](Cell& c) { return written.push_back(c.written), true; });
  if (a->space.shift != 0) a->space.refine();
  size_t k = 0;
  a->space.each(i, bytes, [&](Cell& c) { return c.written = written[k++], true; });
}

}  // namespace simt
