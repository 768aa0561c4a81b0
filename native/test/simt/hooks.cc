// What a file compiled with -fsanitize=thread calls for each of its memory accesses. libtsan is not linked: these are ours. Outside
// kernels they do nothing. memcpy, memmove and memset come here through checked_copies.h.
#include <cstdint>
#include <cstring>

#include "native/test/simt/machine.h"

using simt::Access;

namespace {
inline void seen(const void* p, size_t bytes, Access kind, size_t align, const void* caller) {
  if (simt::current == nullptr || !simt::options.check) return;
  simt::access(p, bytes, kind, align, {caller, {nullptr, 0}}, simt::current);
}
}  // namespace

#define HERE __builtin_return_address(0)
#define ACCESSES(n)                                                                                             \
  void __tsan_read##n(void* p) { seen(p, n, Access::read, n, HERE); }                                           \
  void __tsan_write##n(void* p) { seen(p, n, Access::write, n, HERE); }                                         \
  void __tsan_unaligned_read##n(void* p) { seen(p, n, Access::read, 1, HERE); }                                 \
  void __tsan_unaligned_write##n(void* p) { seen(p, n, Access::write, 1, HERE); }                               \
  void __tsan_volatile_read##n(void* p) { seen(p, n, Access::read, n, HERE); }                                  \
  void __tsan_volatile_write##n(void* p) { seen(p, n, Access::write, n, HERE); }                                \
  void __tsan_unaligned_volatile_read##n(void* p) { seen(p, n, Access::read, 1, HERE); }                        \
  void __tsan_unaligned_volatile_write##n(void* p) { seen(p, n, Access::write, 1, HERE); }                      \
  void __tsan_read_write##n(void* p) { seen(p, n, Access::read, n, HERE), seen(p, n, Access::write, n, HERE); } \
  void __tsan_unaligned_read_write##n(void* p) {                                                                \
    seen(p, n, Access::read, 1, HERE), seen(p, n, Access::write, 1, HERE);                                      \
  }

// std::atomic and the guards of static locals in host code; there is one host thread.
#define ATOMICS(bits)                                                                                                \
  using Word##bits = uint##bits##_t;                                                                                 \
  Word##bits __tsan_atomic##bits##_load(const volatile Word##bits* p, int) { return *p; }                            \
  void __tsan_atomic##bits##_store(volatile Word##bits* p, Word##bits v, int) { *p = v; }                            \
  Word##bits __tsan_atomic##bits##_exchange(volatile Word##bits* p, Word##bits v, int) {                             \
    const Word##bits old = *p;                                                                                       \
    return *p = v, old;                                                                                              \
  }                                                                                                                  \
  Word##bits __tsan_atomic##bits##_fetch_add(volatile Word##bits* p, Word##bits v, int) {                            \
    const Word##bits old = *p;                                                                                       \
    return *p = Word##bits(old + v), old;                                                                            \
  }                                                                                                                  \
  Word##bits __tsan_atomic##bits##_fetch_sub(volatile Word##bits* p, Word##bits v, int) {                            \
    const Word##bits old = *p;                                                                                       \
    return *p = Word##bits(old - v), old;                                                                            \
  }                                                                                                                  \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile Word##bits* p, Word##bits* c, Word##bits v, int, int) { \
    if (*p == *c) return *p = v, 1;                                                                                  \
    return *c = *p, 0;                                                                                               \
  }                                                                                                                  \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile Word##bits* p, Word##bits* c, Word##bits v, int, int) {   \
    if (*p == *c) return *p = v, 1;                                                                                  \
    return *c = *p, 0;                                                                                               \
  }

extern "C" {
ACCESSES(1);
ACCESSES(2);
ACCESSES(4);
ACCESSES(8);
ACCESSES(16);
ATOMICS(8);
ATOMICS(16);
ATOMICS(32);
ATOMICS(64);
void __tsan_read_range(void* p, size_t n) { seen(p, n, Access::read, 1, HERE); }
void __tsan_write_range(void* p, size_t n) { seen(p, n, Access::write, 1, HERE); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}

#define COPY(name, real)                             \
  void* name(void* to, const void* from, size_t n) { \
    seen(from, n, Access::read, 1, HERE);            \
    seen(to, n, Access::write, 1, HERE);             \
    return real(to, from, n);                        \
  }
#define FILL(name)                            \
  void* name(void* to, int value, size_t n) { \
    seen(to, n, Access::write, 1, HERE);      \
    return std::memset(to, value, n);         \
  }
// -fsanitize=alignment calls this for a vector type's pointer that is no multiple of its size, before the optimiser takes the
// access apart into words.
struct Misaligned {
  const char* file;
  uint32_t line, column;
  const void* type;
  uint8_t log_alignment, kind;
};
void __ubsan_handle_type_mismatch_v1(Misaligned* what, uintptr_t address) {
  const void* p = reinterpret_cast<const void*>(address);
  if (simt::current == nullptr || !simt::options.check) return;
  simt::misaligned(p, size_t(1) << what->log_alignment, {nullptr, {what->file, int(what->line)}});
}

COPY(simt_memcpy, std::memcpy);
COPY(simt_memmove, std::memmove);
COPY(__tsan_memcpy, std::memcpy);
COPY(__tsan_memmove, std::memmove);
FILL(simt_memset);
FILL(__tsan_memset);
}  // extern "C"
