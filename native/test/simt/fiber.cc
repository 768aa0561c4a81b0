#include "native/test/simt/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace simt {

namespace {
constexpr size_t kGuardBytes = 4096, kEach = kStackBytes + kGuardBytes, kStacks = 1024;
char* slab = nullptr;
std::vector<char*> free_stacks;

void make_slab() {
  void* memory =
      mmap(nullptr, kEach * kStacks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::perror("simt: mmap of fiber stacks"), std::exit(99);
  slab = static_cast<char*>(memory);
  for (size_t i = kStacks; i-- > 0;) {
    mprotect(slab + i * kEach, kGuardBytes, PROT_NONE);
    free_stacks.push_back(slab + i * kEach + kGuardBytes);
  }
}
}  // namespace

char* take_stack() {
  if (slab == nullptr) make_slab();
  char* stack = free_stacks.back();  // a block has at most as many threads as there are stacks
  free_stacks.pop_back();
  return stack;
}
void give_stack(char* stack) { free_stacks.push_back(stack); }
bool on_fiber_stack(const void* p) {
  return reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(slab) < kEach * kStacks;
}

#if defined(SIMT_UCONTEXT)

void prepare(FiberContext& context, char* stack, void (*entry)()) {
  getcontext(&context.registers);
  context.registers.uc_stack.ss_sp = stack;
  context.registers.uc_stack.ss_size = kStackBytes;
  context.registers.uc_link = nullptr;
  makecontext(&context.registers, entry, 0);
}
void switch_to(FiberContext& from, FiberContext& to) { swapcontext(&from.registers, &to.registers); }

#else

// simt_switch(&save, load): what a call preserves goes on this stack, then the other stack's is taken back.
extern "C" void simt_switch(void** save, void* load);
__asm__(R"(
  .text
  .globl simt_switch
  .type simt_switch, @function
simt_switch:
  pushq %rbx
  pushq %rbp
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbp
  popq %rbx
  retq
  .size simt_switch, .-simt_switch
)");

void prepare(FiberContext& context, char* stack, void (*entry)()) {
  void** top = reinterpret_cast<void**>(stack + kStackBytes);
  top[-1] = nullptr;                               // where entry would return to; keeps its frame 16-byte aligned
  top[-2] = reinterpret_cast<void*>(entry);        // popped by retq
  for (int i = 3; i <= 8; i++) top[-i] = nullptr;  // the six registers
  context.stack_pointer = top - 8;
}
void switch_to(FiberContext& from, FiberContext& to) { simt_switch(&from.stack_pointer, to.stack_pointer); }

#endif

}  // namespace simt
