// gaussian on the CPU: plain loops along rows, which the compiler vectorises.
#include "native/ops/gaussian.h"

#include <algorithm>

#include "native/cpu/cpu.h"

namespace sino::cpu {

void gaussian(const Context& context, const GaussianArgs& args) {
  const int64_t rows = args.rows, columns = args.columns, margin = args.sigma_column > 0 ? args.radius_column : 0;
  if (rows == 0 || columns == 0) return;
  const std::vector<float> down = gaussian_weights(args.sigma_row, args.sigma_row > 0 ? args.radius_row : 0);
  const std::vector<float> across = gaussian_weights(args.sigma_column, margin);
  const int64_t taps = static_cast<int64_t>(down.size() + across.size());
  const int64_t grain = std::max<int64_t>(1, (int64_t(1) << 20) / (columns * taps));
  context.parallel_for(args.slices * rows, grain, [&](int64_t begin, int64_t end) {
    Scratch<float> padded = context.scratch<float>(columns + 2 * margin);
    float* line = padded.data() + margin;
    for (int64_t r = begin; r < end && !context.job.cancelled; r++) {
      const float* image = args.input + r / rows * rows * columns;
      const int64_t y = r % rows;
      const float* here = image + y * columns;
      for (int64_t x = 0; x < columns; x++) line[x] = down[0] * here[x];
      for (int64_t k = 1; k < int64_t(down.size()); k++) {
        const float *above = image + std::max<int64_t>(0, y - k) * columns,
                    *below = image + std::min(rows - 1, y + k) * columns;
        const float w = down[k];
        for (int64_t x = 0; x < columns; x++) line[x] += w * (above[x] + below[x]);
      }
      std::fill(line - margin, line, line[0]);
      std::fill(line + columns, line + columns + margin, line[columns - 1]);
      float* out = args.output + r * columns;
      for (int64_t x = 0; x < columns; x++) out[x] = across[0] * line[x];
      for (int64_t k = 1; k < int64_t(across.size()); k++) {
        const float w = across[k];
        for (int64_t x = 0; x < columns; x++) out[x] += w * (line[x - k] + line[x + k]);
      }
    }
    context.job.advance(end - begin);
  });
}

}  // namespace sino::cpu
