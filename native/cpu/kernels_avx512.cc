// kernels.inl for the instruction set in this file's name; see kernels.h.
#include "native/cpu/kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in immintrin.h itself, before GCC 13

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi,bmi2"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi,bmi2,prefer-vector-width=512")
#endif

namespace sino::avx512 {
constexpr int kWidth = 16;
#define SINO_TARGET_NAME "avx512"
#define SINO_TARGET_WINDOWS &window_kernels
extern const WindowKernels window_kernels;
#include "native/cpu/kernels.inl"
#include "native/cpu/windows.inl"
}  // namespace sino::avx512

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
