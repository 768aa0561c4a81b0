// kernels.inl for the instruction set in this file's name; see kernels.h.
#include "native/cpu/kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif

namespace sino::avx2 {
constexpr int kWidth = 8;
#define SINO_TARGET_NAME "avx2"
#define SINO_TARGET_WINDOWS nullptr
#include "native/cpu/kernels.inl"
}  // namespace sino::avx2

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
