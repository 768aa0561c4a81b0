// gaussian on CUDA. A block makes up to 8 rows of 128 columns: first down the columns, straight from global memory (a row is read
// by 2 · radius + 1 rows' threads, which L1 and L2 catch), into lines in shared memory that reach `radius` columns to both sides;
// after a barrier along those lines. 4 bytes read from DRAM and 4 written per pixel; sums as on the CPU, with FMA: 1e-6 of the
// largest value within the kernel.
#include "native/ops/gaussian.h"

#include <algorithm>

#include "cuda/check.cuh"
#include "cuda/operations.h"

namespace sino::cuda {

namespace {

constexpr int kColumns = 128, kThreadRows = 2, kMaxRows = 8, kSharedBytes = 48 << 10;

struct GaussianTiles {
  int64_t tiles, row_tiles, rows, columns;  // tiles = slices · row_tiles
  int rows_of_tile, radius_row, radius_column;
  const float *down, *across;  // weights 0 … radius
  const float* input;
  float* output;
};

__global__ void __launch_bounds__(kColumns* kThreadRows) gaussian_tiles(GaussianTiles g) {
  DYN_SHARED(float, lines);  // [row of tile][column from `first`]
  const int64_t x0 = int64_t(blockIdx.x) * kColumns;
  const int64_t first = max(x0 - g.radius_column, int64_t(0)), last = min(x0 + kColumns + g.radius_column, g.columns);
  const int width = int(last - first);
  for (int64_t tile = blockIdx.y; tile < g.tiles; tile += gridDim.y) {
    const int64_t y0 = tile % g.row_tiles * g.rows_of_tile, slice = tile / g.row_tiles * g.rows * g.columns;
    const int rows = int(min(int64_t(g.rows_of_tile), g.rows - y0));
    for (int r = threadIdx.y; r < rows; r += kThreadRows)
      for (int i = threadIdx.x; i < width; i += kColumns) {
        const float* column = g.input + slice + first + i;
        const int64_t y = y0 + r;
        float sum = g.down[0] * column[y * g.columns];
        for (int k = 1; k <= g.radius_row; k++)
          sum += g.down[k] * (column[max(y - k, int64_t(0)) * g.columns] + column[min(y + k, g.rows - 1) * g.columns]);
        lines[r * width + i] = sum;
      }
    __syncthreads();
    const int64_t x = x0 + threadIdx.x;
    for (int r = threadIdx.y; r < rows && x < g.columns; r += kThreadRows) {
      const float* line = lines + r * width;
      const int centre = int(x - first), left = int(-first), right = int(g.columns - 1 - first);
      float sum = g.across[0] * line[centre];
      for (int k = 1; k <= g.radius_column; k++)
        sum += g.across[k] * (line[max(centre - k, left)] + line[min(centre + k, right)]);
      g.output[slice + (y0 + r) * g.columns + x] = sum;
    }
    __syncthreads();
  }
}

}  // namespace

void gaussian(Stream stream, const GaussianArgs& args) {
  if (args.slices == 0 || args.rows == 0 || args.columns == 0) return;
  const auto radius = [](double sigma, int64_t radius) { return sigma > 0 ? radius : 0; };
  const int64_t radius_row = radius(args.sigma_row, args.radius_row);
  const int64_t radius_column = radius(args.sigma_column, args.radius_column);
  const std::vector<float> down = gaussian_weights(args.sigma_row, radius_row);
  const std::vector<float> across = gaussian_weights(args.sigma_column, radius_column);

  const int64_t line_bytes = 4 * std::min(args.columns, kColumns + 2 * radius_column);
  const int64_t rows_of_tile = std::min<int64_t>({kMaxRows, args.rows, kSharedBytes / line_bytes});
  require(rows_of_tile > 0 && radius_row <= 1 << 20, Code::unsupported,
          "Smoothing on CUDA takes radii up to 6080 columns. Use a smaller radius, or the device \"cpu\".");

  StreamMemory<float> weights(stream, down.size() + across.size());
  weights.upload(down.data(), down.size());
  weights.upload(across.data(), across.size(), down.size());
  const int64_t row_tiles = (args.rows + rows_of_tile - 1) / rows_of_tile, tiles = args.slices * row_tiles;
  const GaussianTiles g = {tiles,
                           row_tiles,
                           args.rows,
                           args.columns,
                           int(rows_of_tile),
                           int(radius_row),
                           int(radius_column),
                           weights.data(),
                           weights.data() + down.size(),
                           args.input,
                           args.output};
  const dim3 grid(unsigned((args.columns + kColumns - 1) / kColumns), unsigned(std::min<int64_t>(tiles, 65535)));
  LAUNCH(gaussian_tiles, grid, dim3(kColumns, kThreadRows), size_t(rows_of_tile * line_bytes), stream)(g);
  check_launch("gaussian");
}

}  // namespace sino::cuda
