// Findings, as sentences: kernel, what is wrong, where (file:line, block, thread).
#pragma once

#include "native/test/simt/engine.h"

namespace simt {

// Where something happened: the return address of a compiler's call, or the place an intrinsic was called from.
struct Where {
  const void* address = nullptr;
  Place place = {nullptr, 0};
};
extern const char* operation_name;  // kernel or runtime call at work

[[gnu::format(printf, 2, 3)]] void report(Where where, const char* format, ...);
void forget_duplicates();  // one sentence per place and kind in each launch; the others are counted

}  // namespace simt
