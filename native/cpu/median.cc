// median on the CPU: slices with margins, rows on all threads.
#include "native/ops/median.h"

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"
#include "native/cpu/margins.h"
#include "native/ops/nonlocal.h"

namespace sino::cpu {

void median(const Context& context, const MedianArgs& args) {
  const int64_t pixels = args.rows * args.columns;
  if (args.slices * pixels == 0) return;
  Margins padded(context, args.rows, args.columns, args.radius);
  for (int64_t s = 0; s < args.slices; s++) {
    padded.fill(context, args.input + s * pixels, reflected);
    context.parallel_for(args.rows, 8, [&](int64_t begin, int64_t end) {
      for (int64_t y = begin; y < end; y++)
        simd_kernels().median_row(padded.at(y, 0), padded.stride(), args.radius, args.columns,
                                  args.output + s * pixels + y * args.columns);
      context.job.advance(end - begin);
    });
  }
}

}  // namespace sino::cpu
