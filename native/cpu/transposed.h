// Parts of images laid on their side.
#pragma once

#include <cstdint>

namespace sino::cpu {

// to[c·to_stride + r] = from[r·from_stride + c], added to what is there if so asked; strides may be negative.
void transpose_part(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to, int64_t to_stride,
                    bool add = false);

}  // namespace sino::cpu
