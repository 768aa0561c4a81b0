// Blocks, one after the other; inside, threads take turns: each runs until it meets a barrier or a collective. Whatever nobody can
// continue from is reported: a barrier that some threads never reach, masks that disagree, threads that wait for each other.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>

#include "native/test/simt/machine.h"

namespace simt {

Self* self = nullptr;
Fiber fibers[kMaxThreads];
Fiber* current = nullptr;
Block block;

namespace {

constexpr int kSecondsPerLaunch = 120;  // of processor time: longer is a spin loop
FiberContext scheduler;
void (*kernel_call)(const void*) = nullptr;
alignas(16) char kernel_closure[4096];  // in the program's data, where kernels may read

struct Collective {
  unsigned mask = 0, arrived = 0;
  const char* what = "";
  void* arguments[32];
};
Collective collectives[kMaxThreads / 32][32];  // by warp and lowest lane of the mask

void leave() {
  Fiber* me = current;
  switch_to(me->context, scheduler);
}
void thread_main() {
  kernel_call(kernel_closure);
  if (!current->copies.empty())
    report({nullptr, current->copies[0].at}, "the thread ended without waiting for cp.async");
  current->state = State::done;
  leave();
}
void resume(Fiber& f) {
  current = &f;
  self = &f;
  if (f.stack == nullptr) {
    f.stack = take_stack();
    prepare(f.context, f.stack, thread_main);
  }
  switch_to(scheduler, f.context);
  if (f.state == State::done) {
    give_stack(f.stack);
    f.stack = nullptr;
  }
  current = nullptr;
  self = nullptr;
}

Fiber* begin_of_block() { return fibers; }
Fiber* end_of_block() { return fibers + block.threads; }

// All threads that still run wait at __syncthreads: let them go on.
void release_barrier(size_t waiting) {
  Fiber* first = std::find_if(begin_of_block(), end_of_block(), [](Fiber& f) { return f.state == State::at_barrier; });
  self = first;
  if (waiting < block.threads)
    report({nullptr, first->at}, "__syncthreads reached by %zu of %u threads", waiting, block.threads);
  int votes = 0;
  for (Fiber* f = first; f < end_of_block(); f++) {
    if (f->state != State::at_barrier) continue;
    votes += f->vote;
    if (f->at.line != first->at.line || std::strcmp(f->at.file, first->at.file) != 0)
      report({nullptr, first->at}, "threads meet at different __syncthreads, the other at line %d", f->at.line);
  }
  self = nullptr;
  block.epoch++;
  for (Fiber* f = first; f < end_of_block(); f++) {
    if (f->state != State::at_barrier) continue;
    f->votes = votes;
    f->state = State::ready;
  }
}

// Nobody can go on: say who waits for whom, and give the block up.
void report_deadlock(size_t at_barrier, size_t done) {
  Fiber* f = std::find_if(begin_of_block(), end_of_block(), [](Fiber& f) { return f.state == State::in_collective; });
  const Collective* c = collectives[f->warp];
  while (!(c->arrived >> f->lane & 1)) c++;
  self = f;
  report({nullptr, f->at},
         "deadlock in %s: lanes %08x of mask %08x came; %zu threads wait at __syncthreads, %zu have ended", f->what,
         c->arrived, c->mask, at_barrier, done);
  self = nullptr;
  block.aborted = true;
}

void run_threads(std::vector<unsigned>& order, std::mt19937& random) {
  while (!block.aborted) {
    bool progress = false;
    if (options.order == Order::random) std::shuffle(order.begin(), order.end(), random);
    for (unsigned i : order)
      if (fibers[i].state == State::ready && !block.aborted) {
        resume(fibers[i]);
        progress = true;
      }
    if (progress) continue;
    const auto in = [](State s) {
      return size_t(std::count_if(begin_of_block(), end_of_block(), [s](Fiber& f) { return f.state == s; }));
    };
    const size_t done = in(State::done), waiting = in(State::at_barrier);
    if (done == block.threads) return;
    if (done + waiting == block.threads)
      release_barrier(waiting);
    else
      report_deadlock(waiting, done);
  }
}

void begin_block(dim3 grid, dim3 size, unsigned index) {
  const unsigned serial = block.serial;
  begin_block_memory();
  block.threads = size.x * size.y * size.z;
  block.serial = serial + 1;
  block.epoch = 1;
  block.acquired.clear();
  block.aborted = false;
  for (unsigned i = 0; i < block.threads; i++) {
    Fiber& f = fibers[i];
    f.thread = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    f.block = {index % grid.x, index / grid.x % grid.y, index / (grid.x * grid.y)};
    f.block_dim = size;
    f.grid_dim = grid;
    f.rank = i;
    f.lane = i % 32;
    f.warp = i / 32;
    f.state = State::ready;
    f.groups = 0;
    f.fenced = false;
    f.copies.clear();
    std::fill_n(f.seen, 32, 0u);
    f.seen[f.lane] = 1;
  }
  for (auto& warp : collectives)
    for (Collective& c : warp) c.arrived = 0;
}

SharedArray& add_array(const void* key, size_t bytes, const char* name) {
  char* begin = arena + block.used;
  const size_t end = block.used + bytes + 64;  // at least 64 bytes of poison between arrays
  block.used = std::min(kArenaBytes - 256, (end + 127) / 128 * 128);
  block.arrays.push_back({key, begin, bytes, name});
  return block.arrays.back();
}

// Last words: where the fast mode has only guard pages, this is what an illegal access looks like.
void on_signal(int signal, siginfo_t* info, void*) {
  std::fprintf(stderr, "simt: %s: ", operation_name);
  if (signal == SIGVTALRM)
    std::fprintf(stderr, "%d s of processor time in one launch; does a thread spin?", kSecondsPerLaunch);
  else
    std::fprintf(stderr, "illegal address %p", info->si_addr);
  if (self != nullptr)
    std::fprintf(stderr, " [block %u,%u,%u thread %u,%u,%u]", self->block.x, self->block.y, self->block.z,
                 self->thread.x, self->thread.y, self->thread.z);
  std::fprintf(stderr, "\n");
  _exit(99);
}
void catch_signals() {
  static char stack[1 << 16];
  stack_t alternative = {};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof stack;
  sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (int signal : {SIGSEGV, SIGBUS, SIGVTALRM}) sigaction(signal, &action, nullptr);
}
void limit_time(int seconds) {
  itimerval limit = {};
  limit.it_value.tv_sec = seconds;
  setitimer(ITIMER_VIRTUAL, &limit, nullptr);
}

}  // namespace

void run_grid(const char* name, dim3 grid, dim3 size, size_t shared_bytes, void (*call)(const void*),
              const void* closure) {
  static const bool once = (catch_signals(), true);
  (void)once;
  make_memory();
  operation_name = name;
  kernel_call = call;
  std::memcpy(kernel_closure, closure, sizeof kernel_closure);
  std::mt19937 random(options.seed);
  std::vector<unsigned> order(size.x * size.y * size.z), blocks(grid.x * grid.y * grid.z);
  std::iota(order.begin(), order.end(), 0u);
  std::iota(blocks.begin(), blocks.end(), 0u);
  if (options.order == Order::reverse) {
    std::reverse(order.begin(), order.end());
    std::reverse(blocks.begin(), blocks.end());
  }
  if (options.order == Order::lane_major)
    std::stable_sort(order.begin(), order.end(), [](unsigned a, unsigned b) { return a % 32 < b % 32; });
  if (options.order == Order::random) std::shuffle(blocks.begin(), blocks.end(), random);
  limit_time(kSecondsPerLaunch);
  for (unsigned index : blocks) {
    begin_block(grid, size, index);
    add_array(&block, shared_bytes, "dynamic shared memory");
    run_threads(order, random);
    if (!block.aborted) continue;
    for (Fiber* f = begin_of_block(); f < end_of_block(); f++)  // abandoned where they stand
      if (f->stack != nullptr) {
        give_stack(f->stack);
        f->stack = nullptr;
      }
    break;
  }
  begin_block_memory();  // looks at the bands of the last block
  limit_time(0);
  operation_name = "host";
}

void abort_launch(cudaError_t error) {
  device_failed(error);
  block.aborted = true;
  current->state = State::in_collective;  // not ready: never resumed
  leave();
  __builtin_unreachable();
}

void* shared_array(const void* key, size_t bytes, const char* name) {
  for (const SharedArray& a : block.arrays)
    if (a.key == key) return a.begin;
  size_t named = bytes;
  for (size_t i = 1; i < block.arrays.size(); i++) named += block.arrays[i].bytes;
  if (named > (48 << 10)) report({}, "%zu bytes of named shared memory; more than 48 KB must be dynamic", named);
  return add_array(key, bytes, name).begin;
}
void* dynamic_shared() { return block.arrays[0].begin; }

int barrier(int vote, Place at) {
  current->vote = vote;
  current->at = at;
  current->state = State::at_barrier;
  leave();
  return current->votes;
}
void fence() { current->fenced = true; }

// ---- collectives: the last lane to arrive does the work of all
namespace {

void collective(unsigned mask, const char* what, Place at, void* argument,
                void (*work)(unsigned mask, void** arguments)) {
  Fiber& f = *current;
  f.at = at;
  const unsigned lanes = std::min(32u, block.threads - f.warp * 32);
  const unsigned existing = lanes == 32 ? ~0u : (1u << lanes) - 1;
  if (mask == ~0u) mask = existing;  // a partial last warp
  if (!(mask >> f.lane & 1))
    report({nullptr, at}, "%s: the calling lane %u is not in its mask %08x", what, f.lane, mask);
  if (mask & ~existing) report({nullptr, at}, "%s: mask %08x names lanes that do not exist", what, mask);
  mask = (mask | 1u << f.lane) & existing;
  Collective& c = collectives[f.warp][__builtin_ctz(mask)];
  if (c.arrived != 0 && (c.mask != mask || std::strcmp(c.what, what) != 0))
    report({nullptr, at}, "%s with mask %08x meets %s with mask %08x", what, mask, c.what, c.mask);
  if (c.arrived == 0) {
    c.mask = mask;
    c.what = what;
  }
  c.arrived |= 1u << f.lane;
  c.arguments[f.lane] = argument;
  f.what = what;
  f.state = State::in_collective;
  if ((c.arrived & c.mask) != c.mask) return leave();
  work(c.mask, c.arguments);
  for (unsigned l = 0; l < 32; l++)
    if (c.arrived >> l & 1) fibers[f.warp * 32 + l].state = State::ready;
  c.arrived = 0;
}

template <typename T, typename Work>
void warp_work(unsigned mask, const char* what, Place at, T& argument, Work) {
  collective(mask, what, at, &argument, [](unsigned m, void** all) {
    T* lanes[32] = {};
    for (int l = 0; l < 32; l++)
      if (m >> l & 1) lanes[l] = static_cast<T*>(all[l]);
    Work()(m, lanes);
  });
}

}  // namespace

// Unlike the other collectives this one orders memory: every lane learns what all of them know.
struct SyncWarp {
  void operator()(unsigned mask, Place** lanes) const {
    (void)lanes;
    Fiber* warp = &fibers[current->warp * 32];
    uint32_t known[32] = {};
    for (int l = 0; l < 32; l++)
      if (mask >> l & 1)
        for (int k = 0; k < 32; k++) known[k] = std::max(known[k], warp[l].seen[k]);
    for (int l = 0; l < 32; l++)
      if (mask >> l & 1) {
        std::copy_n(known, 32, warp[l].seen);
        warp[l].seen[l]++;
      }
  }
};
void sync_warp(unsigned mask, Place at) { warp_work(mask, "__syncwarp", at, at, SyncWarp()); }

unsigned active_mask() {
  unsigned mask = 0;
  for (unsigned l = 0; l < 32 && current->warp * 32 + l < block.threads; l++)
    if (fibers[current->warp * 32 + l].state != State::done) mask |= 1u << l;
  return mask;
}

namespace {
struct Shuffled {
  void* value;
  size_t bytes;
  int source;
  Place at;
};
struct Shuffle {
  void operator()(unsigned mask, Shuffled** lanes) const {
    char values[32][16];
    for (int l = 0; l < 32; l++)
      if (mask >> l & 1) std::memcpy(values[l], lanes[l]->value, lanes[l]->bytes);
    for (int l = 0; l < 32; l++) {
      if (!(mask >> l & 1)) continue;
      const int s = lanes[l]->source;
      if (mask >> s & 1) {
        std::memcpy(lanes[l]->value, values[s], lanes[l]->bytes);
      } else {
        report({nullptr, lanes[l]->at}, "shuffle: lane %d reads lane %d, which is not in mask %08x", l, s, mask);
        std::memset(lanes[l]->value, 0xff, lanes[l]->bytes);
      }
    }
  }
};
}  // namespace
void shuffle(unsigned mask, void* value, size_t bytes, Pick pick, int operand, int width, Place at) {
  const int lane = int(current->lane), begin = lane & ~(width - 1);
  int source = lane;
  if (pick == Pick::index) source = begin | (operand & (width - 1));
  if (pick == Pick::up && lane - operand >= begin) source = lane - operand;
  if (pick == Pick::down && lane + operand < begin + width) source = lane + operand;
  if (pick == Pick::exclusive_or && (lane ^ operand) < begin + width) source = lane ^ operand;
  // lanes of a partial warp that do not exist are undefined on the device too; such code clips what it gets
  if (block.threads - current->warp * 32 <= unsigned(source)) source = lane;
  Shuffled s = {value, bytes, source, at};
  warp_work(mask, "shuffle", at, s, Shuffle());
}

namespace {
struct Voted {
  unsigned vote, result;
};
struct Vote {
  void operator()(unsigned mask, Voted** lanes) const {
    unsigned votes = 0;
    for (int l = 0; l < 32; l++)
      if ((mask >> l & 1) && lanes[l]->vote) votes |= 1u << l;
    for (int l = 0; l < 32; l++)
      if (mask >> l & 1) lanes[l]->result = votes;
  }
};
struct Folded {
  unsigned value;
  Fold fold;
};
unsigned fold_two(Fold fold, unsigned a, unsigned b) {
  switch (fold) {
    case Fold::sum:
      return a + b;
    case Fold::min_signed:
      return unsigned(std::min(int(a), int(b)));
    case Fold::max_signed:
      return unsigned(std::max(int(a), int(b)));
    case Fold::min_unsigned:
      return std::min(a, b);
    case Fold::max_unsigned:
      return std::max(a, b);
    case Fold::all_bits:
      return a & b;
    case Fold::any_bits:
      return a | b;
    case Fold::odd_bits:
      break;
  }
  return a ^ b;
}
struct FoldLanes {
  void operator()(unsigned mask, Folded** lanes) const {
    const int first = __builtin_ctz(mask);
    unsigned result = lanes[first]->value;
    for (int l = first + 1; l < 32; l++)
      if (mask >> l & 1) result = fold_two(lanes[l]->fold, result, lanes[l]->value);
    for (int l = 0; l < 32; l++)
      if (mask >> l & 1) lanes[l]->value = result;
  }
};
struct Matched {
  uint64_t value;
  unsigned result;
};
struct Match {
  void operator()(unsigned mask, Matched** lanes) const {
    for (int l = 0; l < 32; l++)
      for (int k = 0; k < 32; k++)
        if ((mask >> l & 1) && (mask >> k & 1) && lanes[l]->value == lanes[k]->value) lanes[l]->result |= 1u << k;
  }
};
}  // namespace
unsigned ballot(unsigned mask, bool vote, Place at) {
  Voted v = {vote, 0};
  warp_work(mask, "vote", at, v, Vote());
  return v.result;
}
unsigned reduce(unsigned mask, unsigned value, Fold fold, Place at) {
  Folded f = {value, fold};
  warp_work(mask, "__reduce_sync", at, f, FoldLanes());
  return f.value;
}
unsigned match_any(unsigned mask, uint64_t value, Place at) {
  Matched m = {value, 0};
  warp_work(mask, "__match_any_sync", at, m, Match());
  return m.result;
}

// ---- tensor cores and asynchronous copies
namespace {
struct Tile {
  float* c;
  const unsigned *a, *b;
};
// Which thread holds which element of the 16×16, 16×8 and 16×8 matrices: PTX ISA, "Matrix Fragments for mma.m16n8k16".
struct MultiplyTiles {
  void operator()(unsigned, Tile** lanes) const {
    float a[16][16], b[16][8];
    const auto half_of = [](unsigned word, int high) { return half_value(uint16_t(word >> 16 * high)); };
    for (int t = 0; t < 32; t++)
      for (int i = 0; i < 8; i++) {
        const int group = t / 4, pair = t % 4 * 2 + i % 2, word = i / 2;
        a[group + 8 * (word % 2)][pair + 8 * (word / 2)] = half_of(lanes[t]->a[word], i % 2);
        if (word < 2) b[pair + 8 * word][group] = half_of(lanes[t]->b[word], i % 2);
      }
    for (int t = 0; t < 32; t++)
      for (int i = 0; i < 4; i++) {
        float sum = lanes[t]->c[i];
        for (int k = 0; k < 16; k++) sum += a[t / 4 + 8 * (i / 2)][k] * b[k][t % 4 * 2 + i % 2];
        lanes[t]->c[i] = sum;
      }
  }
};
struct Rows {
  unsigned* registers;
  int matrices;
  bool transposed;
  const void* row;
  Place at;
};
struct LoadRows {
  void operator()(unsigned, Rows** lanes) const {
    const int matrices = lanes[0]->matrices;
    if (options.check)
      for (int l = 0; l < 8 * matrices; l++)
        access(lanes[l]->row, 16, Access::read, 16, {nullptr, lanes[l]->at}, &fibers[current->warp * 32 + l]);
    for (int t = 0; t < 32; t++)
      for (int m = 0; m < matrices; m++) {
        uint16_t two[2];
        for (int e = 0; e < 2; e++) {
          const int row = lanes[0]->transposed ? t % 4 * 2 + e : t / 4,
                    column = lanes[0]->transposed ? t / 4 : t % 4 * 2 + e;
          std::memcpy(&two[e], static_cast<const char*>(lanes[8 * m + row]->row) + 2 * column, 2);
        }
        lanes[t]->registers[m] = two[0] | unsigned(two[1]) << 16;
      }
  }
};
}  // namespace
void mma_m16n8k16(float* c, const unsigned* a, const unsigned* b, Place at) {
  Tile tile = {c, a, b};
  warp_work(~0u, "mma", at, tile, MultiplyTiles());
}
void ldmatrix(unsigned* registers, int matrices, bool transposed, const void* row, Place at) {
  Rows rows = {registers, matrices, transposed, row, at};
  warp_work(~0u, "ldmatrix", at, rows, LoadRows());
}

void touch(const void* p, size_t bytes, Access kind, size_t align, Place at) {
  if (options.check && current != nullptr) access(p, bytes, kind, align, {nullptr, at}, current);
}
void cp_async(void* to, const void* from, unsigned bytes, unsigned bytes_read, Place at) {
  if (size_t(static_cast<char*>(to) - arena) >= kArenaBytes)
    report({nullptr, at}, "cp.async writes to shared memory only");
  current->copies.push_back({to, from, bytes, bytes_read, current->groups, at});
}
void cp_async_commit() { current->groups++; }
void cp_async_wait(int groups_pending) {
  std::vector<PendingCopy>& copies = current->copies;
  size_t kept = 0;
  for (PendingCopy& c : copies) {
    if (c.group >= current->groups - groups_pending) {
      copies[kept++] = c;
      continue;
    }
    touch(c.from, c.bytes_read, Access::read, c.bytes, c.at);
    touch(c.to, c.bytes, Access::write, c.bytes, c.at);
    std::memcpy(c.to, c.from, c.bytes_read);
    std::memset(static_cast<char*>(c.to) + c.bytes_read, 0, c.bytes - c.bytes_read);
  }
  copies.resize(kept);
}

// ---- half
uint16_t half_bits(float value) {
  const uint32_t bits = bits_as<uint32_t>(value), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return 0x7fff;                    // NaN, as the device writes it
  if (size >= 0x477ff000u) return uint16_t(sign | 0x7c00);  // 65520 and above
  if (size < 0x38800000u)                                   // below 2⁻¹⁴: multiples of 2⁻²⁴
    return uint16_t(sign | unsigned(std::nearbyint(bits_as<float>(size) * 0x1p24f)));
  return uint16_t(sign | ((size + 0xfffu + (size >> 13 & 1) - 0x38000000u) >> 13));
}
float half_value(uint16_t bits) {
  const uint32_t exponent = bits >> 10 & 31u, fraction = bits & 1023u;
  float size = float(fraction) * 0x1p-24f;
  if (exponent == 31) size = bits_as<float>(0x7f800000u | fraction << 13);
  if (exponent > 0 && exponent < 31) size = bits_as<float>((exponent + 112) << 23 | fraction << 13);
  return bits & 0x8000 ? -size : size;
}

}  // namespace simt
