// fourier_kernels.inl for the instruction set in this file's name; see fourier_kernels.h.
#include "native/cpu/fourier_kernels.h"

#include <utility>

namespace sino::baseline_fourier {
constexpr int kWidth = 4;
#include "native/cpu/fourier_kernels.inl"
}  // namespace sino::baseline_fourier
