// CUDA's language under plain C++: qualifiers, indices, barriers, warp intrinsics, atomics. Comes after every standard header,
// because those use some of these spellings themselves.
#pragma once

#include <algorithm>
#include <cmath>

#include "native/test/simt/engine.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

#define threadIdx (simt::self->thread)
#define blockIdx (simt::self->block)
#define blockDim (simt::self->block_dim)
#define gridDim (simt::self->grid_dim)
constexpr int warpSize = 32;

inline void __syncthreads(SIMT_AT) { simt::barrier(0, at); }
inline int __syncthreads_count(int vote, SIMT_AT) { return simt::barrier(vote != 0, at); }
inline int __syncthreads_or(int vote, SIMT_AT) { return simt::barrier(vote != 0, at) > 0; }
inline int __syncthreads_and(int vote, SIMT_AT) { return simt::barrier(vote == 0, at) == 0; }
inline void __syncwarp(unsigned mask = ~0u, SIMT_AT) { simt::sync_warp(mask, at); }
inline unsigned __activemask() { return simt::active_mask(); }
inline void __threadfence() { simt::fence(); }
inline void __threadfence_block() {}

#define SIMT_SHUFFLE(name, Operand, pick)                                    \
  template <typename T>                                                      \
  T name(unsigned mask, T value, Operand operand, int width = 32, SIMT_AT) { \
    simt::shuffle(mask, &value, sizeof(T), pick, int(operand), width, at);   \
    return value;                                                            \
  }
SIMT_SHUFFLE(__shfl_sync, int, simt::Pick::index)
SIMT_SHUFFLE(__shfl_up_sync, unsigned, simt::Pick::up)
SIMT_SHUFFLE(__shfl_down_sync, unsigned, simt::Pick::down)
SIMT_SHUFFLE(__shfl_xor_sync, int, simt::Pick::exclusive_or)
#undef SIMT_SHUFFLE

inline unsigned __ballot_sync(unsigned mask, int vote, SIMT_AT) { return simt::ballot(mask, vote != 0, at); }
inline int __any_sync(unsigned mask, int vote, SIMT_AT) { return simt::ballot(mask, vote != 0, at) != 0; }
inline int __all_sync(unsigned mask, int vote, SIMT_AT) { return simt::ballot(mask, vote == 0, at) == 0; }
template <typename T>
unsigned __match_any_sync(unsigned mask, T value, SIMT_AT) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return simt::match_any(mask, bits, at);
}
// These need compute capability 8.0; warp_fold of cuda/kernel.cuh does everywhere.
#define SIMT_REDUCE(name, T, fold) \
  inline T name(unsigned mask, T value, SIMT_AT) { return T(simt::reduce(mask, unsigned(value), fold, at)); }
SIMT_REDUCE(__reduce_add_sync, unsigned, simt::Fold::sum)
SIMT_REDUCE(__reduce_add_sync, int, simt::Fold::sum)
SIMT_REDUCE(__reduce_min_sync, unsigned, simt::Fold::min_unsigned)
SIMT_REDUCE(__reduce_min_sync, int, simt::Fold::min_signed)
SIMT_REDUCE(__reduce_max_sync, unsigned, simt::Fold::max_unsigned)
SIMT_REDUCE(__reduce_max_sync, int, simt::Fold::max_signed)
SIMT_REDUCE(__reduce_and_sync, unsigned, simt::Fold::all_bits)
SIMT_REDUCE(__reduce_or_sync, unsigned, simt::Fold::any_bits)
SIMT_REDUCE(__reduce_xor_sync, unsigned, simt::Fold::odd_bits)
#undef SIMT_REDUCE

#define SIMT_ATOMIC(name, updated)                                                     \
  template <typename T>                                                                \
  T name(T* p, std::common_type_t<T> v, SIMT_AT) {                                     \
    return simt::atomic(p, at, [v](T old) SIMT_RAW { return (void)old, T(updated); }); \
  }
SIMT_ATOMIC(atomicAdd, old + v)
SIMT_ATOMIC(atomicSub, old - v)
SIMT_ATOMIC(atomicMin, old < v ? old : v)
SIMT_ATOMIC(atomicMax, old > v ? old : v)
SIMT_ATOMIC(atomicExch, v)
SIMT_ATOMIC(atomicAnd, old& v)
SIMT_ATOMIC(atomicOr, old | v)
SIMT_ATOMIC(atomicXor, old ^ v)
#undef SIMT_ATOMIC
template <typename T>
T atomicCAS(T* p, std::common_type_t<T> expected, std::common_type_t<T> desired, SIMT_AT) {
  return simt::atomic(p, at, [=](T old) SIMT_RAW { return old == expected ? desired : old; });
}

template <typename T>
T __ldg(const T* p) {
  return *p;
}
template <typename T>
T __ldcs(const T* p) {
  return *p;
}
template <typename T>
void __stcs(T* p, T value) {
  *p = value;
}

#define SIMT_MIN_MAX(T)                            \
  inline T min(T a, T b) { return b < a ? b : a; } \
  inline T max(T a, T b) { return a < b ? b : a; }
SIMT_MIN_MAX(int)
SIMT_MIN_MAX(unsigned)
SIMT_MIN_MAX(long)
SIMT_MIN_MAX(unsigned long)
SIMT_MIN_MAX(long long)
SIMT_MIN_MAX(unsigned long long)
#undef SIMT_MIN_MAX
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }

inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __clz(int v) { return v == 0 ? 32 : __builtin_clz(unsigned(v)); }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }
inline int __float_as_int(float v) { return simt::bits_as<int>(v); }
inline unsigned __float_as_uint(float v) { return simt::bits_as<unsigned>(v); }
inline float __int_as_float(int v) { return simt::bits_as<float>(v); }
inline float __uint_as_float(unsigned v) { return simt::bits_as<float>(v); }
inline int __float2int_rd(float v) { return int(std::floor(v)); }
inline int __float2int_rn(float v) { return int(std::nearbyint(v)); }
inline int __float2int_rz(float v) { return int(v); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1 / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float rsqrtf(float a) { return 1 / std::sqrt(a); }
inline void sincospif(float a, float* sine, float* cosine) {
  *sine = float(std::sin(3.14159265358979323846 * a)), *cosine = float(std::cos(3.14159265358979323846 * a));
}
inline float __saturatef(float a) { return std::fmin(std::fmax(a, 0.f), 1.f); }
inline float __expf(float a) { return std::exp(a); }
inline float __logf(float a) { return std::log(a); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }

// Shared memory has addresses of its own here too: poisoned, with poisoned bands between arrays.
#define SHARED(T, name, dims)                                                    \
  auto& name = *static_cast<std::enable_if_t<true, T dims>*>(simt::shared_array( \
      [] {                                                                       \
        static const char key = 0;                                               \
        return static_cast<const void*>(&key);                                   \
      }(),                                                                       \
      sizeof(std::enable_if_t<true, T dims>), #name))
#define DYN_SHARED(T, name) T* const name = static_cast<T*>(simt::dynamic_shared())
#define LAUNCH(kernel, grid, block, shared_bytes, stream) \
  simt::launch_of(kernel, #kernel, grid, block, shared_bytes, stream)
