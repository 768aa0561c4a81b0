// Checks of whole arrays that belong before expensive work: a single NaN would spread over a whole image.
#pragma once

#include <cstdint>

#include "native/runtime/context.h"

namespace sino {

bool is_finite(const float* data, int64_t count);
// Throws out_of_range, saying how many values are NaN or infinite and where the first one is.
void require_finite(const Context& context, const float* data, int64_t count, const char* name);

}  // namespace sino
