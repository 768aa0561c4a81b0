#include "native/cpu/transposed.h"

#include "native/cpu/kernels.h"

namespace sino::cpu {

void transpose_part(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to, int64_t to_stride,
                    bool add) {
  const SimdKernels& simd = simd_kernels();
  const int64_t side = simd.width;
  const auto pixel = [&](int64_t r, int64_t c) {
    float &target = to[c * to_stride + r], value = from[r * from_stride + c];
    target = add ? target + value : value;
  };
  int64_t r = 0;
  for (; r + side <= rows; r += side) {
    int64_t c = 0;
    for (; c + side <= columns; c += side)
      simd.transpose_square(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride, add);
    for (; c < columns; c++)
      for (int64_t i = r; i < r + side; i++) pixel(i, c);
  }
  for (; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) pixel(r, c);
}

}  // namespace sino::cpu
