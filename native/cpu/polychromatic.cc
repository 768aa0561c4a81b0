// polychromatic on the CPU: blocks of rays go through the vector kernel (kernels.inl), which keeps the sums
// of two registers of rays while all energies pass; then one logarithm per ray.
#include <algorithm>
#include <cstring>

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"

namespace sino::cpu {

namespace {
constexpr int64_t kBlock = 1024;  // rays; a multiple of every vector width
}

void polychromatic(const Context& context, const PolychromaticArgs& args) {
  const SimdKernels& simd = simd_kernels();
  context.parallel_for((args.rays + kBlock - 1) / kBlock, 4, [&](int64_t begin, int64_t end) {
    Scratch<float> work = context.scratch<float>((args.materials + 2) * kBlock);
    float *sums = work.data() + args.materials * kBlock, *shifts = sums + kBlock;
    const float* paths[kMaxMaterials];
    for (int64_t block = begin; block < end; block++) {
      const int64_t first = block * kBlock, live = std::min(kBlock, args.rays - first);
      for (int m = 0; m < args.materials; m++) {  // copied, so that the last vector has something to read
        float* copy = work.data() + m * kBlock;
        std::memcpy(copy, args.paths[m] + first, sizeof(float) * live);
        std::fill(copy + live, copy + kBlock, 0.0f);
        paths[m] = copy;
      }
      simd.attenuate(args, paths, kBlock, sums, shifts);
      for (int64_t i = 0; i < live; i++)
        args.output[first + i] = polychromatic_integral(sums[i], args.total, shifts[i]);
    }
    context.job.advance(std::min(end * kBlock, args.rays) - begin * kBlock);
  });
}

void water_correction(const Context& context, const WaterCorrectionArgs& args) {
  context.parallel_for(args.count, 1 << 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) args.output[i] = water_corrected(args, args.input[i]);
    context.job.advance(end - begin);
  });
}

}  // namespace sino::cpu
