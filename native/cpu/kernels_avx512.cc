// kernels.inl for the instruction set in this file's name; see kernels.h.
#include "native/cpu/kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
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
#include "native/cpu/kernels.inl"
}  // namespace sino::avx512

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
