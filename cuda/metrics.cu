// metrics on CUDA. window and decimate: one pass over memory (pointwise.cuh). differences: blocks fold chunks of kChunk pixels, one
// block per slice folds those in their order. ssim: a block makes the moments of kTileRows × kTileColumns windows, down the columns
// into shared memory, then along them; one block per slice adds up the tiles. All sums in double, in an order that depends on the
// sizes only; twins agree to 1e-12.
#include "native/ops/metrics.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kBlocks = 4;  // resident
constexpr int64_t kChunk = 1 << 14;
constexpr int kTileRows = 8, kTileColumns = 32;

struct Window {
  WindowArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t k, int64_t i) const {
    const Pack<float, N> x = load<N>(args.input, i);
    Pack<uint8_t, N> mask = {};
    if (args.mask) mask = load<N>(args.mask, args.mask_slices == 1 ? k : i);
    Pack<float, N> y;
    for (int n = 0; n < N; n++) y.value[n] = windowed(args, x.value[n], mask.value[n] != 0);
    store(args.output, i, y);
  }
};

struct Decimate {
  DecimateArgs args;
  int64_t rows;  // of the output
  template <int N>
  __device__ void at(int64_t row, int64_t k, int64_t i) const {
    const int64_t f = args.factor, slice = row / rows, y = row - slice * rows;
    const float* image = args.input + slice * args.rows * args.columns;
    double sum = 0;
    for (int64_t a = 0; a < f; a++) {
      const float* line = image + mirrored(y * f + a, args.rows) * args.columns;
      for (int64_t b = 0; b < f; b++) sum += line[mirrored(k * f + b, args.columns)];
    }
    args.output[i] = static_cast<float>(sum / double(f * f));
  }
};

struct Differences {
  double of[kDifferenceSums] = {0, 0, 0, 0, 0, INFINITY, -INFINITY};

  __device__ void add(const double* other) {
    for (int k = 0; k <= kSquared; k++) of[k] += other[k];
    of[kLargest] = Larger()(of[kLargest], other[kLargest]);
    of[kReferenceLow] = Smaller()(of[kReferenceLow], other[kReferenceLow]);
    of[kReferenceHigh] = Larger()(of[kReferenceHigh], other[kReferenceHigh]);
  }
  __device__ void add(float a, float b) {
    const double d = double(a) - double(b), other[kDifferenceSums] = {1, d, fabs(d), d * d, fabs(d), b, b};
    add(other);
  }
  // Over all threads, to `result`.
  __device__ void fold(double* of_warp, double* result) {
    for (int k = 0; k < kDifferenceSums; k++) {
      const double all = k <= kSquared        ? block_fold(of[k], of_warp, Sum())
                         : k == kReferenceLow ? block_fold(of[k], of_warp, Smaller())
                                              : block_fold(of[k], of_warp, Larger());
      if (threadIdx.x == 0) result[k] = all;
    }
  }
};

__global__ void __launch_bounds__(kThreads, kBlocks) chunk_differences(DifferenceArgs args, double* partials) {
  SHARED(double, of_warp, [kThreads / 32]);
  const int64_t pixels = args.rows * args.columns, begin = blockIdx.x * kChunk, end = min(begin + kChunk, pixels);
  for (int64_t slice = blockIdx.y; slice < args.slices; slice += gridDim.y) {
    const float *a = args.a + slice * pixels, *b = args.b + slice * pixels;
    const uint8_t* mask = args.mask ? args.mask + (args.mask_slices == 1 ? 0 : slice) * pixels : nullptr;
    Differences own;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads)
      if (!mask || !mask[i]) own.add(a[i], b[i]);
    own.fold(of_warp, partials + (slice * gridDim.x + blockIdx.x) * kDifferenceSums);
  }
}

__global__ void __launch_bounds__(kThreads, kBlocks)
    all_differences(const double* partials, int64_t chunks, int64_t slices, double* sums) {
  SHARED(double, of_warp, [kThreads / 32]);
  for (int64_t slice = blockIdx.x; slice < slices; slice += gridDim.x) {
    Differences own;
    for (int64_t c = threadIdx.x; c < chunks; c += kThreads) own.add(partials + (slice * chunks + c) * kDifferenceSums);
    own.fold(of_warp, sums + slice * kDifferenceSums);
  }
}

template <class Window>
__global__ void __launch_bounds__(kThreads, kBlocks)
    ssim_tiles(SsimArgs args, SsimTaps<Window> taps, int64_t tiles_down, int64_t tiles_across, double* partials) {
  constexpr int side = Window::taps;
  SHARED(double, moments, [kTileRows][kSsimMoments][kTileColumns + side - 1]);
  SHARED(double, of_warp, [kThreads / 32]);
  const int64_t tiles = args.slices * tiles_down * tiles_across;
  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const int64_t x0 = tile % tiles_across * kTileColumns, y0 = tile / tiles_across % tiles_down * kTileRows;
    const int64_t start = tile / tiles_across / tiles_down * args.rows * args.columns;
    const int rows = int(min(int64_t(kTileRows), args.rows - side + 1 - y0));
    const int columns = int(min(int64_t(kTileColumns), args.columns - side + 1 - x0));
    const int width = columns + side - 1;
    for (int i = threadIdx.x; i < rows * width; i += kThreads) {
      const int r = i / width, c = i % width;
      const int64_t at = start + (y0 + r) * args.columns + x0 + c;
      double m[kSsimMoments] = {};
      for (int t = 0; t < side; t++) {
        const double w = taps.weight[t], x = args.a[at + t * args.columns], y = args.b[at + t * args.columns];
        m[kMeanA] += w * x, m[kMeanB] += w * y;
        m[kSquareA] += w * x * x, m[kSquareB] += w * y * y, m[kProduct] += w * x * y;
      }
      for (int k = 0; k < kSsimMoments; k++) moments[r][k][c] = m[k];
    }
    __syncthreads();
    const int r = threadIdx.x / kTileColumns, c = threadIdx.x % kTileColumns;
    double value = 0;
    if (r < rows && c < columns) {
      double m[kSsimMoments] = {};
      for (int k = 0; k < kSsimMoments; k++)
        for (int t = 0; t < side; t++) m[k] += taps.weight[t] * moments[r][k][c + t];
      value = ssim_of(m, args.c1, args.c2, Window::spread);
    }
    const double sum = block_fold(value, of_warp, Sum());
    if (threadIdx.x == 0) partials[tile] = sum;
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads, kBlocks)
    all_tiles(const double* partials, int64_t tiles, int64_t slices, double windows, double* values) {
  SHARED(double, of_warp, [kThreads / 32]);
  for (int64_t slice = blockIdx.x; slice < slices; slice += gridDim.x) {
    double own = 0;
    for (int64_t t = threadIdx.x; t < tiles; t += kThreads) own += partials[slice * tiles + t];
    const double sum = block_fold(own, of_warp, Sum());
    if (threadIdx.x == 0) values[slice] = sum / windows;
  }
}

unsigned blocks_for(int64_t count) { return unsigned(std::min<int64_t>(count, 1 << 20)); }

template <class Window>
void mean_ssim(Stream stream, const SsimArgs& args) {
  const int64_t down = args.rows - Window::taps + 1, across = args.columns - Window::taps + 1;
  const int64_t tiles_down = (down + kTileRows - 1) / kTileRows,
                tiles_across = (across + kTileColumns - 1) / kTileColumns, tiles = tiles_down * tiles_across;
  StreamMemory<double> partials(stream, size_t(args.slices * tiles)), values(stream, size_t(args.slices));
  LAUNCH((ssim_tiles<Window>), blocks_for(args.slices * tiles), kThreads, 0, stream)
  (args, ssim_taps<Window>(), tiles_down, tiles_across, partials.data());
  LAUNCH(all_tiles, blocks_for(args.slices), kThreads, 0, stream)
  (partials.data(), tiles, args.slices, double(down * across), values.data());
  check_launch("metrics_ssim");
  values.download(args.values, size_t(args.slices));
}

}  // namespace

void metrics_window(Stream stream, const WindowArgs& args) {
  const bool packs = moves_packs(args.slices, args.pixels, args.input, args.mask, args.output);
  pointwise(stream, args.slices, args.pixels, packs, Window{args}, "metrics_window");
}

void metrics_differences(Stream stream, const DifferenceArgs& args) {
  if (args.slices == 0) return;
  const int64_t chunks = (args.rows * args.columns + kChunk - 1) / kChunk;
  require(chunks < (int64_t(1) << 31), Code::unsupported, "Metrics on CUDA take slices of up to 2^45 pixels.");
  StreamMemory<double> partials(stream, size_t(args.slices * std::max<int64_t>(chunks, 1) * kDifferenceSums));
  StreamMemory<double> sums(stream, size_t(args.slices * kDifferenceSums));
  const dim3 grid(unsigned(chunks), unsigned(std::min<int64_t>(args.slices, 65535)));
  if (chunks > 0) LAUNCH(chunk_differences, grid, kThreads, 0, stream)(args, partials.data());
  LAUNCH(all_differences, blocks_for(args.slices), kThreads, 0, stream)
  (partials.data(), chunks, args.slices, sums.data());
  check_launch("metrics_differences");
  sums.download(args.sums, size_t(args.slices * kDifferenceSums));
}

void metrics_decimate(Stream stream, const DecimateArgs& args) {
  if (args.slices == 0 || args.rows == 0 || args.columns == 0) return;
  const int64_t f = args.factor, rows = (args.rows + f - 1) / f, columns = (args.columns + f - 1) / f;
  pointwise_by<1>(stream, args.slices * rows, columns, Decimate{args, rows}, "metrics_decimate");
}

void metrics_ssim(Stream stream, const SsimArgs& args) {
  if (args.slices == 0) return;
  args.uniform ? mean_ssim<UniformWindow>(stream, args) : mean_ssim<GaussianWindow>(stream, args);
}

}  // namespace sino::cuda
