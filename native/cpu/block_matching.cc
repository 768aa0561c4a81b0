// block_matching on the CPU: strips of reference rows on all threads, each with sums of its own, which are added in order.
#include "native/ops/block_matching.h"

#include <algorithm>
#include <cmath>

#include "native/cpu/cpu.h"
#include "native/ops/axpy.h"

namespace sino::cpu {

namespace {

constexpr int kSide = kMatchBlock, kPixels = kSide * kSide;
constexpr int64_t kStripRows = 8;  // of reference blocks
typedef float Row __attribute__((vector_size(kSide * 4)));
struct Block {
  Row rows[kSide];
};

const MatchTables& tables() {
  static const MatchTables made = match_tables();
  return made;
}

Row row_at(const float* p) {
  Row row;
  __builtin_memcpy(&row, p, sizeof row);
  return row;
}
float sum_of(Row row) { return ((row[0] + row[4]) + (row[2] + row[6])) + ((row[1] + row[5]) + (row[3] + row[7])); }

void transpose(Block& block) {
  for (int y = 0; y < kSide; y++)
    for (int x = y + 1; x < kSide; x++) {
      const float kept = block.rows[y][x];
      block.rows[y][x] = block.rows[x][y];
      block.rows[x][y] = kept;
    }
}
// Down the columns, then down the columns of the transpose: the result is transposed, twice is back.
void transform(Block& block, bool inverse) {
  const MatchTables& t = tables();
  for (int axis = 0; axis < 2; axis++) {
    Block result;
    for (int k = 0; k < kSide; k++) {
      Row sum = {};
      for (int i = 0; i < kSide; i++) sum += (inverse ? t.dct[i][k] : t.dct[k][i]) * block.rows[i];
      result.rows[k] = sum;
    }
    transpose(result);
    block = result;
  }
}
Block block_at(const float* image, int64_t stride) {
  Block block;
  for (int y = 0; y < kSide; y++) block.rows[y] = row_at(image + y * stride);
  return block;
}

constexpr float kHalf = 0.70710678f;
void haar(Block* stack, int count) {
  Block spare[kMatchMost];
  for (int n = count; n > 1; n /= 2) {
    for (int k = 0; k < n / 2; k++)
      for (int y = 0; y < kSide; y++) {
        const Row a = stack[2 * k].rows[y], b = stack[2 * k + 1].rows[y];
        spare[k].rows[y] = kHalf * (a + b);
        spare[n / 2 + k].rows[y] = kHalf * (a - b);
      }
    std::copy_n(spare, n, stack);
  }
}
void haar_back(Block* stack, int count) {
  Block spare[kMatchMost];
  for (int n = 2; n <= count; n *= 2) {
    for (int k = 0; k < n / 2; k++)
      for (int y = 0; y < kSide; y++) {
        const Row sum = stack[k].rows[y], difference = stack[n / 2 + k].rows[y];
        spare[2 * k].rows[y] = kHalf * (sum + difference);
        spare[2 * k + 1].rows[y] = kHalf * (sum - difference);
      }
    std::copy_n(spare, n, stack);
  }
}

struct Match {
  float distance;
  int64_t place;
};

// One pass over one slice.
struct Pass {
  const BlockMatchingArgs& args;
  const float* noisy;
  const float*
      guide;  // what is matched, and in the second pass what the factors come from; the noisy slice in the first
  float sigma;
  bool second;
  const int64_t rows = args.rows, columns = args.columns;

  int64_t row_of(int64_t k) const { return match_place(k, rows); }
  int64_t column_of(int64_t k) const { return match_place(k, columns); }

  // The best, a power of two of them, the block itself first.
  int matches(int64_t y, int64_t x, Match* best) const {
    const Block reference = block_at(guide + y * columns + x, columns);
    const float farthest = kMatchFarthest[second] * sigma * sigma * kPixels;
    int count = 1;
    best[0] = {-1, y * columns + x};
    const int64_t top = std::max<int64_t>(0, y - args.search), bottom = std::min(rows - kSide, y + args.search),
                  left = std::max<int64_t>(0, x - args.search), right = std::min(columns - kSide, x + args.search);
    for (int64_t j = top; j <= bottom; j++)
      for (int64_t i = left; i <= right; i++) {
        const float* other = guide + j * columns + i;
        const float limit = count == kMatchMost ? best[count - 1].distance : farthest;
        Row sum = {};
        for (int r = 0; r < kSide / 2; r++) {
          const Row d = reference.rows[r] - row_at(other + r * columns);
          sum += d * d;
        }
        if (!(sum_of(sum) < limit)) continue;  // NaN never matches
        for (int r = kSide / 2; r < kSide; r++) {
          const Row d = reference.rows[r] - row_at(other + r * columns);
          sum += d * d;
        }
        const float distance = sum_of(sum);
        if (!(distance < limit) || (j == y && i == x)) continue;
        int at = count < kMatchMost ? count++ : kMatchMost - 1;
        for (; at > 1 && best[at - 1].distance > distance; at--) best[at] = best[at - 1];
        best[at] = {distance, j * columns + i};
      }
    int kept = 1;
    while (2 * kept <= count) kept *= 2;
    return kept;
  }

  // Shrinks the stack; gives the weight of its blocks.
  float shrink(Block* stack, Block* clean, int count) const {
    haar(stack, count);
    const float mean = stack[0].rows[0][0];  // of all blocks: kept, so that an offset changes nothing
    if (!second) {
      int left = 0;
      for (int k = 0; k < count; k++)
        for (Row& row : stack[k].rows)
          for (int x = 0; x < kSide; x++) {
            const bool stays = std::fabs(row[x]) > kMatchCut * sigma;
            left += stays;
            row[x] = stays ? row[x] : 0;
          }
      stack[0].rows[0][0] = mean;
      haar_back(stack, count);
      return 1.0f / static_cast<float>(std::max(left, 1));
    }
    haar(clean, count);
    float squares = 0;
    for (int k = 0; k < count; k++)
      for (int y = 0; y < kSide; y++) {
        const Row e = clean[k].rows[y] * clean[k].rows[y], factor = e / (e + sigma * sigma);
        stack[k].rows[y] *= factor;
        squares += sum_of(factor * factor);
      }
    stack[0].rows[0][0] = mean;
    haar_back(stack, count);
    return 1.0f / std::max(squares, 1e-6f);
  }

  // Sums of a reference block's group; `sums` and `weights` begin at row `first` of the slice.
  void group(int64_t y, int64_t x, int64_t first, float* sums, float* weights) const {
    Match best[kMatchMost];
    Block stack[kMatchMost], clean[kMatchMost];
    const int count = matches(y, x, best);
    for (int k = 0; k < count; k++) {
      transform(stack[k] = block_at(noisy + best[k].place, columns), false);
      if (second) transform(clean[k] = block_at(guide + best[k].place, columns), false);
    }
    const float weight = shrink(stack, clean, count);
    for (int k = 0; k < count; k++) {
      transform(stack[k], true);
      const int64_t to = best[k].place - first * columns;
      for (int r = 0; r < kSide; r++) {
        const Row w = weight * row_at(tables().window[r]);
        const Row sum = row_at(sums + to + r * columns) + w * stack[k].rows[r],
                  all = row_at(weights + to + r * columns) + w;
        __builtin_memcpy(sums + to + r * columns, &sum, sizeof sum);
        __builtin_memcpy(weights + to + r * columns, &all, sizeof all);
      }
    }
  }

  void run(const Context& context, float* output) const {
    const int64_t reference_rows = match_references(rows), strips = (reference_rows + kStripRows - 1) / kStripRows;
    const int64_t height = kStripRows * kMatchStep + 2 * args.search + kSide, size = height * columns;
    Scratch<float> memory = context.scratch<float>(strips * 2 * size);
    const auto first_of = [&](int64_t strip) { return std::max<int64_t>(0, row_of(strip * kStripRows) - args.search); };
    context.parallel_for(strips, 1, [&](int64_t begin, int64_t end) {
      for (int64_t strip = begin; strip < end; strip++) {
        float *sums = memory.data() + strip * 2 * size, *weights = sums + size;
        std::fill_n(sums, 2 * size, 0.0f);
        const int64_t last = std::min(reference_rows, (strip + 1) * kStripRows);
        for (int64_t k = strip * kStripRows; k < last && !context.job.cancelled; k++)
          for (int64_t i = 0; i < match_references(columns); i++)
            group(row_of(k), column_of(i), first_of(strip), sums, weights);
        context.job.advance((last - strip * kStripRows) * kMatchStep);
      }
    });
    context.parallel_for(rows, 32, [&](int64_t begin, int64_t end) {
      for (int64_t y = begin; y < end; y++)
        for (int64_t x = 0; x < columns; x++) {
          float sum = 0, weight = 0;
          for (int64_t strip = 0; strip < strips; strip++) {
            const int64_t row = y - first_of(strip);
            if (row < 0 || row >= height) continue;
            const float* sums = memory.data() + strip * 2 * size + row * columns + x;
            sum += sums[0], weight += sums[size];
          }
          output[y * columns + x] = sum / weight;
        }
    });
  }
};

}  // namespace

void block_matching(const Context& context, const BlockMatchingArgs& args) {
  const int64_t pixels = args.rows * args.columns;
  if (args.slices * pixels == 0) return;
  Scratch<float> first = context.scratch<float>(pixels);
  for (int64_t s = 0; s < args.slices; s++) {
    const float* noisy = args.input + s * pixels;
    const auto sigma = static_cast<float>(factor_of(args.sigmas, s));
    if (!(sigma > 0) || args.rows < kSide || args.columns < kSide) {
      std::copy_n(noisy, pixels, args.output + s * pixels);
      continue;
    }
    Pass{args, noisy, noisy, sigma, false}.run(context, first.data());
    Pass{args, noisy, first.data(), sigma, true}.run(context, args.output + s * pixels);
  }
}

}  // namespace sino::cpu
