// fourier on the CPU: what one thread does at a time, for as many slices at once as there are threads.
//
// Projection. (1) blocks of 2·width image columns through real FFTs along y; (2) blocks of `width` rows of the half-plane
//   through FFTs along x, written to the grid; (3) the padding; (4) blocks of 2·width views: sums along their lines, then
//   real FFTs to bins. Neighbouring views run through mostly the same cells (30 kB of them at 512²), which stay in L1.
// Transpose. The same steps backwards. Step (4) spreads tile by tile in four colours (ops/fourier.h), views in a fixed
//   order within a tile: no two threads write one cell, and results do not depend on the number of threads.
// Bytes per sample: 6 rows of 48 B of the grid, from L1 mostly. FFTs run in buffers of 8·width bytes per cell of a line: L2.
#include "native/ops/fourier.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/fourier_kernels.h"
#include "native/cpu/kernels.h"

namespace sino {

namespace baseline_fourier {
extern const FourierKernels kernels;
}
namespace avx2_fourier {
extern const FourierKernels kernels;
}
namespace avx512_fourier {
extern const FourierKernels kernels;
}

const FourierKernels& fourier_kernels() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (std::strcmp(simd_kernels().name, "avx512") == 0) return avx512_fourier::kernels;
  if (std::strcmp(simd_kernels().name, "avx2") == 0) return avx2_fourier::kernels;
#endif
  return baseline_fourier::kernels;
}

namespace cpu {

namespace {

constexpr int64_t kRowsPerChunk = 64;

// Working memory that chunks pass on to each other instead of asking the system for it every time.
class Workspaces {
 public:
  Workspaces(const Context& context, int64_t floats) : context_(context), floats_(floats) {}
  template <typename Body>
  void with(const Body& body) {
    Scratch<float> space;
    {
      std::lock_guard lock(mutex_);
      if (!free_.empty()) space = std::move(free_.back()), free_.pop_back();
    }
    if (!space.data()) space = context_.scratch<float>(floats_);
    body(space.data());
    std::lock_guard lock(mutex_);
    free_.push_back(std::move(space));
  }

 private:
  const Context& context_;
  const int64_t floats_;
  std::mutex mutex_;
  std::vector<Scratch<float>> free_;
};

FftPlan fft_plan(const FourierTransform& t) {
  return {t.length,          static_cast<int>(t.radices.size()),    t.radices.data(),
          t.twiddles.data(), t.twiddles.data() + t.twiddles.size(), t.place.data()};
}

int64_t view_work(const FourierPlan& plan, int64_t width) {
  return 2 * std::max(plan.transform_view.length, plan.filter.transform.length) * width;
}

int64_t blocks_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

// One call: the tables in plain pointers, and a grid and a half-transformed image for every slice at work. The transpose keeps
// the samples of all lines where the half-transformed image goes later.
struct Pass {
  Pass(const Context& context, const FourierPlan& plan, int64_t slices, bool keeps_samples)
      : context(context), plan(plan), simd(fourier_kernels()) {
    tables = {fft_plan(plan.transform_x),
              fft_plan(plan.transform_y),
              fft_plan(plan.transform_view),
              plan.rows,
              plan.columns,
              plan.bins,
              plan.most_samples,
              plan.column_weights.data(),
              plan.row_weights.data(),
              plan.sample_weights.data(),
              &plan.kernel_x[0][0],
              &plan.kernel_y[0][0],
              {fft_plan(plan.filter.transform), plan.measured_bins, plan.first_bin, plan.filter.response.data(),
               plan.filter.ray_weights.data(), plan.filter.view_weights.data()}};
    grid.cells_x = plan.transform_x.length, grid.cells_y = plan.transform_y.length;
    // 64 B lines; an odd number of them per row, so that cells above each other fall into different cache sets
    const int64_t cells = kFourierPad + blocks_of(grid.half(), 16) * 16 + 24;
    grid.stride = 2 * 8 * (blocks_of(cells, 8) | 1);
    column_blocks = blocks_of(plan.columns, 2 * simd.width);
    row_blocks = blocks_of(grid.half(), simd.width);
    view_blocks = blocks_of(plan.views, 2 * simd.width);
    sample_stride = 2 * blocks_of(plan.most_samples, simd.width) * simd.width;
    at_once = std::min<int64_t>(slices, context.pool.threads());
    middle_size = std::max(row_blocks * plan.columns * 2 * simd.width, keeps_samples ? plan.views * sample_stride : 0);
    middles = context.scratch<float>(checked_product(at_once, middle_size));
    grids = context.scratch<float>(checked_product(at_once, grid.size()));
  }
  // body(slice of the group, block) for all blocks of `count` slices
  template <typename Body>
  void for_blocks(int64_t count, int64_t blocks, const Body& body) const {
    context.parallel_for(count * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) body(i / blocks, i % blocks);
    });
  }
  FourierGrid grid_of(int64_t slice) const {
    FourierGrid g = grid;
    g.data = const_cast<float*>(grids.data()) + slice * grid.size();
    return g;
  }
  float* middle_of(int64_t slice) { return middles.data() + slice * middle_size; }
  float edge_of(const FourierLine& line) const { return plan.edge_weights[line.view]; }

  const Context& context;
  const FourierPlan& plan;
  const FourierKernels& simd;
  FourierTables tables;
  FourierGrid grid;
  int64_t column_blocks, row_blocks, view_blocks, sample_stride, at_once, middle_size;
  Scratch<float> middles, grids;
};

float* row_of(const FourierGrid& g, int64_t x) { return g.data + (x + kFourierPad) * g.stride + 2 * kFourierPad; }
int64_t opposite(const FourierGrid& g, int64_t x) { return x == 0 ? 0 : g.cells_x - x; }  // −x, for x from −cells_x/2

// The cells beyond y = 0 and y = cells_y/2 mirror those before them: F(−ω) is the conjugate of F(ω).
void pad_row(const FourierGrid& g, int64_t x) {
  float *row = row_of(g, x), *other = row_of(g, opposite(g, x)), *end = row + g.cells_y;
  const float* other_end = other + g.cells_y;
  for (int i = 1; i <= kFourierPad; i++) {
    row[-2 * i] = other[2 * i], row[-2 * i + 1] = -other[2 * i + 1];
    end[2 * i] = other_end[-2 * i], end[2 * i + 1] = -other_end[-2 * i + 1];
  }
}
void fold_row(const FourierGrid& g, int64_t x) {
  float *row = row_of(g, x), *other = row_of(g, opposite(g, x)), *end = row + g.cells_y;
  const float* other_end = other + g.cells_y;
  for (int i = 1; i <= kFourierPad; i++) {
    row[2 * i] += other[-2 * i], row[2 * i + 1] -= other[-2 * i + 1];
    end[-2 * i] += other_end[2 * i], end[-2 * i + 1] -= other_end[2 * i + 1];
  }
}
// Rows beyond ±cells_x/2 are those at the other end.
void pad_rows(const FourierGrid& g) {
  const size_t side = sizeof(float) * kFourierPad * g.stride;
  std::memcpy(g.data, g.data + g.cells_x * g.stride, side);
  std::memcpy(g.data + (g.cells_x + kFourierPad) * g.stride, g.data + kFourierPad * g.stride, side);
}
void fold_rows(const FourierGrid& g) {
  const int64_t side = kFourierPad * g.stride;
  float *front = g.data, *back = g.data + (g.cells_x + kFourierPad) * g.stride;
  for (int64_t i = 0; i < side; i++) {
    front[i + g.cells_x * g.stride] += front[i];
    front[i + side] += back[i];
  }
}

// All lines meet around zero: hundreds of views add to the same few cells there, and a float32 sum would lose its last
// digits. A few lines at a time go to a patch of their own, and patches are summed in double.
void spread_middle(const Pass& pass, const FourierGrid& grid, const float* samples) {
  constexpr size_t kLinesPerPatch = 16;
  constexpr int64_t kStride = 2 * (kFourierPad + kFourierMiddle + 24);
  constexpr int64_t kSize = (2 * kFourierMiddle + 2 * kFourierPad) * kStride;
  const int64_t radius = middle_radius(pass.plan), size = (2 * radius + 2 * kFourierPad) * kStride;
  alignas(64) float memory[kSize];
  std::vector<double> sums(size, 0.0);
  const FourierGrid patch = {2 * radius, 2 * radius, kStride, memory};
  const std::vector<FourierLine>& lines = pass.plan.lines;
  for (size_t first = 0; first < lines.size(); first += kLinesPerPatch) {
    std::memset(memory, 0, sizeof(float) * size);
    for (size_t l = first; l < std::min(lines.size(), first + kLinesPerPatch); l++)
      pass.simd.spread(pass.tables, patch, lines[l], 0, lines[l].middle_samples, samples + l * pass.sample_stride);
    for (int64_t i = 0; i < size; i++) sums[i] += memory[i];
  }
  for (int64_t x = 0; x < 2 * radius + 2 * kFourierPad; x++) {
    float* row = grid.data + (grid.cells_x / 2 - radius + x) * grid.stride;
    for (int64_t i = 0; i < kStride; i++) row[i] += static_cast<float>(sums[x * kStride + i]);
  }
}

}  // namespace

void fourier_project(const Context& context, const FourierArgs& args) {
  if (args.slices == 0) return;
  const FourierPlan& plan = args.plan;
  Pass pass(context, plan, args.slices, /*keeps_samples=*/false);
  const int64_t width = pass.simd.width, longest = std::max(pass.grid.cells_x, pass.grid.cells_y);
  Workspaces lanes(context, 2 * longest * width);
  Workspaces views(context, view_work(plan, width) + 2 * width * pass.sample_stride);
  for (int64_t s = 0; s < args.slices; s += pass.at_once) {
    const int64_t count = std::min(pass.at_once, args.slices - s);
    const float* images = args.input + s * plan.rows * plan.columns;
    float* sinograms = args.output + s * plan.views * plan.bins;
    pass.for_blocks(count, pass.column_blocks, [&](int64_t i, int64_t block) {
      lanes.with([&](float* work) {
        pass.simd.columns_forward(pass.tables, images + i * plan.rows * plan.columns, block, pass.middle_of(i), work);
      });
    });
    pass.for_blocks(count, pass.row_blocks, [&](int64_t i, int64_t block) {
      lanes.with(
          [&](float* work) { pass.simd.rows_forward(pass.tables, pass.middle_of(i), block, pass.grid_of(i), work); });
    });
    pass.for_blocks(count, blocks_of(pass.grid.cells_x, kRowsPerChunk), [&](int64_t i, int64_t block) {
      const int64_t end = std::min(pass.grid.cells_x, (block + 1) * kRowsPerChunk);
      for (int64_t x = block * kRowsPerChunk; x < end; x++) pad_row(pass.grid_of(i), x);
    });
    pass.for_blocks(count, 1, [&](int64_t i, int64_t) { pad_rows(pass.grid_of(i)); });
    pass.for_blocks(count, pass.view_blocks, [&](int64_t i, int64_t block) {
      const FourierGrid grid = pass.grid_of(i);
      const int64_t first = block * 2 * width, lines = std::min(2 * width, plan.views - first);
      views.with([&](float* work) {
        float* samples = work + view_work(plan, width);
        for (int64_t l = 0; l < lines; l++) {
          const FourierLine& line = plan.lines[first + l];
          float *row = samples + l * pass.sample_stride, *end = row + 2 * line.samples;
          pass.simd.gather(pass.tables, grid, line, row);
          end[-2] *= pass.edge_of(line), end[-1] *= pass.edge_of(line);
          std::fill(end, row + pass.sample_stride, 0.0f);
        }
        pass.simd.views_forward(pass.tables, &plan.lines[first], static_cast<int>(lines), samples, pass.sample_stride,
                                sinograms + i * plan.views * plan.bins, work);
      });
      context.job.advance(lines);
    });
  }
}

void fourier_transpose(const Context& context, const FourierArgs& args) {
  if (args.slices == 0) return;
  const FourierPlan& plan = args.plan;
  Pass pass(context, plan, args.slices, /*keeps_samples=*/true);
  const int64_t width = pass.simd.width, longest = std::max(pass.grid.cells_x, pass.grid.cells_y);
  Workspaces lanes(context, 2 * longest * width), views(context, view_work(plan, width));
  for (int64_t s = 0; s < args.slices; s += pass.at_once) {
    const int64_t count = std::min(pass.at_once, args.slices - s);
    const float* sinograms = args.input + s * plan.views * plan.measured_bins;
    float* images = args.output + s * plan.rows * plan.columns;
    pass.for_blocks(count, pass.view_blocks, [&](int64_t i, int64_t block) {
      const int64_t first = block * 2 * width, lines = std::min(2 * width, plan.views - first);
      float* rows = pass.middle_of(i) + first * pass.sample_stride;
      views.with([&](float* work) {
        pass.simd.views_backward(pass.tables, &plan.lines[first], static_cast<int>(lines),
                                 sinograms + i * plan.views * plan.measured_bins, rows, pass.sample_stride, work);
      });
      for (int64_t l = 0; l < lines; l++) {
        const FourierLine& line = plan.lines[first + l];
        float* end = rows + l * pass.sample_stride + 2 * line.samples;
        end[-2] *= pass.edge_of(line), end[-1] *= pass.edge_of(line);
      }
      context.job.advance(lines);
    });
    const int64_t rows_padded = pass.grid.cells_x + 2 * kFourierPad;
    pass.for_blocks(count, blocks_of(rows_padded, kRowsPerChunk), [&](int64_t i, int64_t block) {
      const int64_t begin = block * kRowsPerChunk, end = std::min(rows_padded, begin + kRowsPerChunk);
      std::memset(pass.grid_of(i).data + begin * pass.grid.stride, 0, sizeof(float) * (end - begin) * pass.grid.stride);
    });
    pass.for_blocks(count, 1, [&](int64_t i, int64_t) { spread_middle(pass, pass.grid_of(i), pass.middle_of(i)); });
    for (const auto& tiles : plan.tiles)
      pass.for_blocks(count, static_cast<int64_t>(tiles.size()), [&](int64_t i, int64_t tile) {
        const FourierGrid grid = pass.grid_of(i);
        for (const FourierSegment& segment : tiles[tile])
          pass.simd.spread(pass.tables, grid, plan.lines[segment.line], segment.begin, segment.end,
                           pass.middle_of(i) + segment.line * pass.sample_stride);
      });
    pass.for_blocks(count, 1, [&](int64_t i, int64_t) { fold_rows(pass.grid_of(i)); });
    pass.for_blocks(count, blocks_of(pass.grid.cells_x, kRowsPerChunk), [&](int64_t i, int64_t block) {
      const int64_t end = std::min(pass.grid.cells_x, (block + 1) * kRowsPerChunk);
      for (int64_t x = block * kRowsPerChunk; x < end; x++) fold_row(pass.grid_of(i), x);
    });
    pass.for_blocks(count, pass.row_blocks, [&](int64_t i, int64_t block) {
      lanes.with(
          [&](float* work) { pass.simd.rows_backward(pass.tables, pass.grid_of(i), block, pass.middle_of(i), work); });
    });
    pass.for_blocks(count, pass.column_blocks, [&](int64_t i, int64_t block) {
      lanes.with([&](float* work) {
        pass.simd.columns_backward(pass.tables, pass.middle_of(i), block, images + i * plan.rows * plan.columns, work);
      });
    });
  }
}

}  // namespace cpu
}  // namespace sino
