// fourier_kernels.inl for the instruction set in this file's name; see fourier_kernels.h.
#include "native/cpu/fourier_kernels.h"

#include <utility>

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi,bmi2"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi,bmi2,prefer-vector-width=512")
#endif

namespace sino::avx512_fourier {
constexpr int kWidth = 16;
#include "native/cpu/fourier_kernels.inl"
}  // namespace sino::avx512_fourier

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
