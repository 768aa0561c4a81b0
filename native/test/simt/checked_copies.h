// Included first into every checked file (-include): block copies, written or made by the compiler, go to the checker too.
// Compile with -fno-builtin-memcpy -fno-builtin-memmove -fno-builtin-memset, so that none is expanded in place.
#pragma once

#include <stddef.h>

extern "C" {
void* memcpy(void*, const void*, size_t) noexcept __asm__("simt_memcpy");
void* memmove(void*, const void*, size_t) noexcept __asm__("simt_memmove");
void* memset(void*, int, size_t) noexcept __asm__("simt_memset");
}
