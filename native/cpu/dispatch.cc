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

}  // namespace sino
