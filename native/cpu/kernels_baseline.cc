// kernels.inl for the instruction set in this file's name; see kernels.h.
#include "native/cpu/kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace sino::baseline {
constexpr int kWidth = 4;
#define SINO_TARGET_NAME "baseline"
#define SINO_TARGET_WINDOWS nullptr
#include "native/cpu/kernels.inl"
}  // namespace sino::baseline
