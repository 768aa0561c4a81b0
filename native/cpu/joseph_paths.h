// The ways joseph runs on the CPU; joseph.cc chooses.
#pragma once

#include "native/ops/joseph.h"
#include "native/runtime/context.h"

namespace sino::cpu {

void joseph_project_windows(const Context& context, const JosephArgs& args);    // needs simd_kernels().windows
void joseph_transpose_windows(const Context& context, const JosephArgs& args);  // as well

}  // namespace sino::cpu
