// rician on the CPU.
#include "native/ops/rician.h"

#include "native/cpu/cpu.h"

namespace sino::cpu {

void rician(const Context& context, const RicianArgs& args) {
  context.parallel_for(args.count, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) args.output[i] = rician_signal(args.input[i], args.sigma);
    context.job.advance(end - begin);
  });
}

}  // namespace sino::cpu
