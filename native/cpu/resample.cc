// resample on the CPU: the rows of an output row are summed up along the line (vectorised), then its columns are gathered.
#include "native/ops/resample.h"

#include <algorithm>

#include "native/cpu/cpu.h"

namespace sino::cpu {

void resample(const Context& context, const ResampleArgs& args) {
  const int64_t columns = args.columns, out_rows = args.out_rows, out_columns = args.out_columns;
  if (args.slices * out_rows * out_columns == 0) return;
  const ResampleTaps down = resample_taps(args.rows, out_rows, args.method),
                     across = resample_taps(columns, out_columns, args.method);
  const int64_t taps_down = static_cast<int64_t>(down.index.size()) / out_rows + 1;
  const int64_t work = columns * taps_down + static_cast<int64_t>(across.index.size());
  context.parallel_for(args.slices * out_rows, std::max<int64_t>(1, (1 << 20) / work), [&](int64_t begin, int64_t end) {
    Scratch<float> line = context.scratch<float>(columns);
    for (int64_t r = begin; r < end && !context.job.cancelled; r++) {
      const float* image = args.input + r / out_rows * args.rows * columns;
      const int64_t y = r % out_rows;
      for (int64_t j = down.start[y]; j < down.start[y + 1]; j++) {
        const float* row = image + down.index[j] * columns;
        const float w = down.weight[j];
        if (j == down.start[y])
          for (int64_t x = 0; x < columns; x++) line[x] = w * row[x];
        else
          for (int64_t x = 0; x < columns; x++) line[x] += w * row[x];
      }
      float* out = args.output + r * out_columns;
      for (int64_t x = 0; x < out_columns; x++) {
        float sum = 0;
        for (int64_t i = across.start[x]; i < across.start[x + 1]; i++) sum += across.weight[i] * line[across.index[i]];
        out[x] = sum;
      }
    }
    context.job.advance(end - begin);
  });
}

}  // namespace sino::cpu
