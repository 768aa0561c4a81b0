#include <cstdlib>
#include <cstring>
#include <vector>

#include "native/cpu/kernels.h"

namespace sino {

namespace baseline {
extern const SimdKernels kernels;
}
namespace avx2 {
extern const SimdKernels kernels;
}
namespace avx512 {
extern const SimdKernels kernels;
}

const SimdKernels* simd_kernels_named(const char* name) {
  if (std::strcmp(name, "baseline") == 0) return &baseline::kernels;
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  if (std::strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return &avx2::kernels;
  if (std::strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return &avx512::kernels;
#endif
  return nullptr;
}

const SimdKernels& simd_kernels() {
  static const SimdKernels* const chosen = [] {
    const char* asked = std::getenv("SINOGRAM_SIMD");
    const SimdKernels* found = asked ? simd_kernels_named(asked) : nullptr;
    for (const char* name : {"avx512", "avx2", "baseline"})
      if (!found) found = simd_kernels_named(name);
    return found;
  }();
  return *chosen;
}

void fft_order(int64_t length, int32_t* order) {
  // After a radix-4 step in frequency, quarter d of every block holds the frequencies ≡ d modulo 4, and so on
  // inwards.
  for (int64_t position = 0; position < length; position++) {
    int64_t rest = position, span = length, frequency = 0, digit_value = 1;
    while (span > 1) {
      const int64_t radix = span >= 4 ? 4 : 2, part = span / radix;
      frequency += rest / part * digit_value;
      rest %= part;
      digit_value *= radix;
      span = part;
    }
    order[position] = static_cast<int32_t>(frequency);
  }
}

}  // namespace sino
