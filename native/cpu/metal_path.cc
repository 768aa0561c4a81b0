// metal_path on the CPU.
#include "native/cpu/cpu.h"

namespace sino::cpu {

void metal_path(const Context& context, const MetalPathArgs& args) {
  context.parallel_for(args.lines, 64, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; line++) {
      const float* lengths = args.lengths + line * args.bins;
      float* paths = args.paths + line * args.bins;
      uint8_t* trace = args.trace + line * args.bins;
      for (int64_t k = 0; k < args.bins; k++) {
        paths[k] = metal_path_at(args, lengths, k);
        trace[k] = lengths[k] > 0;
      }
    }
    context.job.advance(end - begin);
  });
}

}  // namespace sino::cpu
