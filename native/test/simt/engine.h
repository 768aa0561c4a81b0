// What kernel code calls when it runs as C++: who am I, barriers, collectives, shared memory, launches. language.h turns CUDA's
// spelling into these; scheduler.cc and memory.cc implement them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "native/test/simt/cuda_api.h"
#include "native/test/simt/types.h"

namespace simt {

struct Place {
  const char* file;
  int line;
};
// The last parameter of every intrinsic: reports name the line that called it.
#define SIMT_AT simt::Place at = {__builtin_FILE(), __builtin_LINE()}
// Functions that the checker must not see into.
#define SIMT_RAW __attribute__((no_sanitize("thread")))

struct Self {
  uint3 thread, block;
  dim3 block_dim, grid_dim;
  unsigned lane, warp, rank;
};
extern Self* self;  // the running thread; null in host code

enum class Access { read, write, atomic };
// Tells the checker of an access that the compiler did not.
void touch(const void* p, size_t bytes, Access access, size_t align, Place at);

void* shared_array(const void* key, size_t bytes, const char* name);
void* dynamic_shared();
int barrier(int vote, Place at);  // how many threads voted
void fence();

void sync_warp(unsigned mask, Place at);
unsigned active_mask();
enum class Pick { index, up, down, exclusive_or };
void shuffle(unsigned mask, void* value, size_t bytes, Pick pick, int operand, int width, Place at);
unsigned ballot(unsigned mask, bool vote, Place at);
enum class Fold { sum, min_signed, max_signed, min_unsigned, max_unsigned, all_bits, any_bits, odd_bits };
unsigned reduce(unsigned mask, unsigned value, Fold fold, Place at);
unsigned match_any(unsigned mask, uint64_t value, Place at);

void mma_m16n8k16(float* c, const unsigned* a, const unsigned* b, Place at);
void ldmatrix(unsigned* registers, int matrices, bool transposed, const void* row, Place at);
// The copy happens at the wait: a missing wait shows as a read of unwritten memory, a missing barrier as a race.
void cp_async(void* shared, const void* global, unsigned bytes, unsigned bytes_read, Place at);
void cp_async_commit();
void cp_async_wait(int groups_pending);

// Threads are fibers that leave the processor at barriers only, so a plain update is atomic.
template <typename T, typename Update>
SIMT_RAW T atomic(T* p, Place at, Update update) {
  touch(p, sizeof(T), Access::atomic, sizeof(T), at);
  const T old = *p;
  *p = update(old);
  return old;
}

void launch(const void* kernel, const char* name, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            void (*call)(const void*), const void* closure, size_t closure_bytes);

// LAUNCH(kernel, …)(arguments…): arguments are copied now, the kernel runs when its stream is drained.
template <typename... P>
struct Launch {
  void (*kernel)(P...);
  const char* name;
  dim3 grid, block;
  size_t shared_bytes;
  cudaStream_t stream;
  void operator()(std::common_type_t<P>... arguments) const {
    const auto call = [kernel = kernel, arguments...] { kernel(arguments...); };
    using Call = std::remove_const_t<decltype(call)>;
    static_assert((std::is_trivially_copyable_v<P> && ...), "kernel arguments are copied bitwise");
    static_assert(sizeof(Call) <= 4096, "kernel arguments take at most 4 KB");
    launch(
        reinterpret_cast<const void*>(kernel), name, grid, block, shared_bytes, stream,
        [](const void* closure) { (*static_cast<const Call*>(closure))(); }, &call, sizeof call);
  }
};
template <typename... P>
Launch<P...> launch_of(void (*kernel)(P...), const char* name, dim3 grid, dim3 block, size_t bytes, cudaStream_t s) {
  return {kernel, name, grid, block, bytes, s};
}

}  // namespace simt
