// Fibers: stacks of their own that one processor thread switches between. x86-64 saves the six registers that calls preserve;
// other processors (or -DSIMT_UCONTEXT) go through ucontext, about fifteen times slower.
#pragma once

#include <cstddef>

#if !defined(__x86_64__) && !defined(SIMT_UCONTEXT)
#define SIMT_UCONTEXT
#endif
#if defined(SIMT_UCONTEXT)
#include <ucontext.h>
#endif

namespace simt {

struct FiberContext {
  void* stack_pointer = nullptr;
#if defined(SIMT_UCONTEXT)
  ucontext_t registers;
#endif
};
constexpr size_t kStackBytes = 128 << 10;

char* take_stack();  // its lower neighbour is a guard page
void give_stack(char* stack);
bool on_fiber_stack(const void* p);
void prepare(FiberContext& context, char* stack, void (*entry)());  // entry never returns
void switch_to(FiberContext& from, FiberContext& to);

}  // namespace simt
