// tissue_split on the CPU: bound by memory.
#include "native/cpu/cpu.h"

namespace sino::cpu {

void tissue_split(const Context& context, const TissueSplitArgs& args) {
  context.parallel_for(args.count, 1 << 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      tissue_split_value(args, args.input[i], args.mu + i, args.water + i, args.bone + i);
    context.job.advance(end - begin);
  });
}

}  // namespace sino::cpu
