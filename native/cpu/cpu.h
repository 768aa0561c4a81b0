// The CPU twins of native/ops, as the operation table of native/backend takes them.
#pragma once

#include "native/ops/backproject.h"
#include "native/ops/joseph.h"
#include "native/ops/ramp.h"
#include "native/runtime/context.h"

namespace sino::cpu {

void joseph_project(const Context& context, const JosephArgs& args);
void joseph_transpose(const Context& context, const JosephArgs& args);
void backproject(const Context& context, const BackprojectArgs& args);
void ramp_filter(const Context& context, const FilterArgs& args);

}  // namespace sino::cpu
