// components on CUDA: union-find over pixels, in an array of parents. A warp walks along a row and makes every set pixel the child of
// the first one of its run; then each place where two runs of neighbouring rows begin to touch unites their roots, the smaller number
// on top (atomicMin, no waiting); then every pixel gets its root. The root of a part is its first pixel whatever the order of events,
// so that counting roots in order gives the CPU's numbers. V. Oliveira, R. Lotufo, "A study on connected components labeling
// algorithms using GPUs", 2010; D. Playne, K. Hawick, "A new algorithm for parallel connected-component labelling on GPUs", 2018.
// 1 byte read per pixel; parents are written once and read four times, 4 bytes each.
#include "native/ops/components.h"

#include <algorithm>

#include "cuda/check.cuh"
#include "cuda/operations.h"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kPixelsOfWarp = 1024;  // that are numbered by one warp
constexpr int kScanThreads = 1024;

unsigned blocks_for(int64_t count, int64_t of_block) {
  return unsigned(std::min<int64_t>((count + of_block - 1) / of_block, 1 << 20));
}

// parents = first pixel of the run, −1 where not set. `flip` takes what is not set.
__global__ void __launch_bounds__(kThreads)
    find_runs(const uint8_t* mask, bool flip, int rows, int columns, int* parents) {
  const int lane = threadIdx.x % 32;
  for (int64_t row = int64_t(blockIdx.x) * kWarps + threadIdx.x / 32; row < rows; row += int64_t(gridDim.x) * kWarps) {
    int open = -1;  // first pixel of the run that goes on
    for (int first = 0; first < columns; first += 32) {
      const int x = first + lane, start = int(row) * columns + first;
      const bool is_set = x < columns && (mask[start + lane] != 0) != flip;
      const unsigned word = __ballot_sync(~0u, is_set), gaps = ~word & ((1u << lane) - 1);
      const int begin = gaps ? start + 32 - __clz(int(gaps)) : open >= 0 ? open : start;
      if (x < columns) parents[start + lane] = is_set ? begin : -1;
      const int last = __shfl_sync(~0u, begin, 31);
      open = word >> 31 ? last : -1;
    }
  }
}

__device__ int root_of(const int* parents, int p) {
  for (int parent = ptx::load_relaxed(parents + p); parent != p; parent = ptx::load_relaxed(parents + p)) p = parent;
  return p;
}

__device__ void unite(int* parents, int p, int q) {
  for (;;) {
    p = root_of(parents, p), q = root_of(parents, q);
    if (p == q) return;
    const int upper = min(p, q), lower = max(p, q);
    const int before = atomicMin(parents + lower, upper);
    if (before == lower) return;  // it was a root, and hangs below the other now
    p = before, q = upper;        // somebody was faster: what they hung it on is one part with `upper` as well
  }
}

struct Rows {
  int slices, rows, columns, connectivity;
  bool volume;
};

// Unites every pixel with the runs of the rows before its own that it touches and the pixel before it does not.
__global__ void __launch_bounds__(kThreads) unite_rows(Rows a, int* parents) {
  const int x = int(blockIdx.x) * 32 + int(threadIdx.x);
  const auto is_set = [&](int p) { return ptx::load_relaxed(parents + p) >= 0; };
  const int64_t lines = int64_t(a.slices) * a.rows;
  for (int64_t line = int64_t(blockIdx.y) * kWarps + threadIdx.y; line < lines && x < a.columns;
       line += int64_t(gridDim.y) * kWarps) {
    const int y = int(line) % a.rows, z = int(line) / a.rows, p = int(line) * a.columns + x;
    if (!is_set(p)) continue;
    const bool left = x > 0 && is_set(p - 1);
    const auto look = [&](int dz, int dy) {
      const int reach = reach_of_rows(a.connectivity, dz, dy != 0), q = p - (dz * a.rows - dy) * a.columns;
      if (reach < 0 || y + dy < 0 || y + dy >= a.rows) return;
      if (is_set(q)) {
        if (!left || (reach == 0 && !is_set(q - 1))) unite(parents, p, q);
        return;
      }
      if (reach == 0) return;
      if (!left && x > 0 && is_set(q - 1)) unite(parents, p, q - 1);
      if (x + 1 < a.columns && is_set(q + 1)) unite(parents, p, q + 1);
    };
    if (y > 0) look(0, -1);
    for (int dy = -1; a.volume && z > 0 && dy <= 1; dy++) look(1, dy);
  }
}

// Every pixel becomes a child of its root. `numbers` (or null): how many roots each warp's pixels have.
__global__ void __launch_bounds__(kThreads) settle(int* parents, int pixels, int* numbers) {
  const int lane = threadIdx.x % 32;
  const int64_t chunks = (int64_t(pixels) + kPixelsOfWarp - 1) / kPixelsOfWarp;
  for (int64_t chunk = int64_t(blockIdx.x) * kWarps + threadIdx.x / 32; chunk < chunks;
       chunk += int64_t(gridDim.x) * kWarps) {
    int roots = 0;
    for (int i = 0; i < kPixelsOfWarp; i += 32) {
      const int64_t p = chunk * kPixelsOfWarp + i + lane;
      const int parent = p < pixels ? ptx::load_relaxed(parents + p) : -1;
      const int root = parent < 0 ? -1 : root_of(parents, parent);
      if (root != parent) atomicMin(parents + p, root);
      roots += __popc(__ballot_sync(~0u, root >= 0 && root == p));
    }
    if (lane == 0 && numbers) numbers[chunk] = roots;
  }
}

// values[i] = sum of the ones before it; all of them in *total. One block.
__global__ void __launch_bounds__(kScanThreads) scan(int* values, int count, int64_t* total) {
  SHARED(int, of_warp, [kScanThreads / 32]);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int each = (count + kScanThreads - 1) / kScanThreads;
  const int begin = min(int(threadIdx.x) * each, count), end = min(begin + each, count);
  int own = 0;
  for (int i = begin; i < end; i++) own += values[i];
  int through = own;  // of this lane and those before it
  for (int lanes = 1; lanes < 32; lanes *= 2) {
    const int before = __shfl_up_sync(~0u, through, lanes);
    if (lane >= lanes) through += before;
  }
  if (lane == 31) of_warp[warp] = through;
  __syncthreads();
  int before = through - own;
  for (int w = 0; w < warp; w++) before += of_warp[w];
  for (int i = begin; i < end; i++) {
    const int value = values[i];
    values[i] = before;
    before += value;
  }
  if (threadIdx.x == kScanThreads - 1) *total = before;
}

// Labels of roots, and 0 outside the mask.
__global__ void __launch_bounds__(kThreads)
    number_roots(const int* parents, int pixels, const int* numbers, int* labels) {
  const int lane = threadIdx.x % 32;
  const int64_t chunks = (int64_t(pixels) + kPixelsOfWarp - 1) / kPixelsOfWarp;
  for (int64_t chunk = int64_t(blockIdx.x) * kWarps + threadIdx.x / 32; chunk < chunks;
       chunk += int64_t(gridDim.x) * kWarps) {
    int number = numbers[chunk];
    for (int i = 0; i < kPixelsOfWarp; i += 32) {
      const int64_t p = chunk * kPixelsOfWarp + i + lane;
      const int parent = p < pixels ? parents[p] : -2;
      const unsigned roots = __ballot_sync(~0u, parent == p);
      if (parent == p) labels[p] = number + 1 + __popc(roots & ((1u << lane) - 1));
      if (parent == -1) labels[p] = 0;
      number += __popc(roots);
    }
  }
}
__global__ void __launch_bounds__(kThreads) label_others(const int* parents, int pixels, int* labels) {
  for (int64_t p = int64_t(blockIdx.x) * kThreads + threadIdx.x; p < pixels; p += int64_t(gridDim.x) * kThreads)
    if (parents[p] >= 0 && parents[p] != p) labels[p] = labels[parents[p]];
}

// counts[key] += 1 for every pixel with 0 ≤ key < most: once for all lanes of a warp that have the same. All threads call.
__device__ void count_keys(int* counts, int64_t key, int64_t most) {
  const bool counted = key >= 0 && key < most;
  const unsigned same = __match_any_sync(~0u, counted ? int(key) : -1);
  if (counted && int(threadIdx.x % 32) == __ffs(int(same)) - 1) atomicAdd(counts + key, __popc(same));
}
__global__ void __launch_bounds__(kThreads)
    count_sizes(const int* keys, int64_t pixels, int offset, int64_t most, int* counts) {
  for (int64_t first = int64_t(blockIdx.x) * kThreads; first < pixels; first += int64_t(gridDim.x) * kThreads) {
    const int64_t p = first + threadIdx.x;
    count_keys(counts, p < pixels ? int64_t(keys[p]) - offset : -1, most);
  }
}

__global__ void __launch_bounds__(kThreads) keep_large(const int* parents, const int* sizes, int pixels, int64_t least,
                                                       uint8_t* result, unsigned long long* kept) {
  for (int64_t p = int64_t(blockIdx.x) * kThreads + threadIdx.x; p < pixels; p += int64_t(gridDim.x) * kThreads) {
    const int root = parents[p];
    const bool is_large = root >= 0 && sizes[root] >= least;
    result[p] = is_large;
    if (is_large && root == p) atomicAdd(kept, 1ull);
  }
}

// Marks the roots of parts that touch the border of their slice (volume).
__global__ void __launch_bounds__(kThreads) mark_open(Rows a, const int* parents, int* open) {
  const int x = int(blockIdx.x) * 32 + int(threadIdx.x);
  const int64_t lines = int64_t(a.slices) * a.rows;
  for (int64_t line = int64_t(blockIdx.y) * kWarps + threadIdx.y; line < lines && x < a.columns;
       line += int64_t(gridDim.y) * kWarps) {
    const int y = int(line) % a.rows, z = int(line) / a.rows, root = parents[line * a.columns + x];
    const bool at_border =
        x == 0 || x == a.columns - 1 || y == 0 || y == a.rows - 1 || (a.volume && (z == 0 || z == a.slices - 1));
    if (root >= 0 && at_border) atomicOr(open + root, 1);
  }
}
__global__ void __launch_bounds__(kThreads)
    fill_closed(const int* parents, const int* open, int pixels, uint8_t* result) {
  for (int64_t p = int64_t(blockIdx.x) * kThreads + threadIdx.x; p < pixels; p += int64_t(gridDim.x) * kThreads)
    result[p] = parents[p] < 0 || open[parents[p]] == 0;
}

// The parts of a mask, as roots.
class Parts {
 public:
  Parts(cudaStream_t stream, const ComponentsArgs& args, bool flip)
      : stream_(stream), pixels_(pixels_of(args)), parents_(stream, size_t(pixels_)) {
    const int c = args.connectivity;
    rows_ = {int(args.slices), int(args.rows), int(args.columns), c, c != 4 && c != 8};
    const int64_t lines = args.slices * args.rows;
    by_rows_ = dim3(blocks_for(args.columns, 32), unsigned(std::min<int64_t>((lines + kWarps - 1) / kWarps, 65535)));
    LAUNCH(find_runs, blocks_for(lines, kWarps), kThreads, 0, stream)
    (args.mask, flip, int(lines), rows_.columns, parents());
    LAUNCH(unite_rows, by_rows_, dim3(32, kWarps), 0, stream)(rows_, parents());
    check_launch("components");
  }
  int pixels() const { return int(pixels_); }
  int* parents() { return parents_.data(); }
  const Rows& rows() const { return rows_; }
  dim3 by_rows() const { return by_rows_; }
  unsigned blocks() const { return blocks_for(pixels_, kThreads); }
  int64_t chunks() const { return (pixels_ + kPixelsOfWarp - 1) / kPixelsOfWarp; }
  void settle_all(int* numbers) {
    LAUNCH(settle, blocks_for(chunks(), kWarps), kThreads, 0, stream_)(parents(), pixels(), numbers);
  }

 private:
  static int64_t pixels_of(const ComponentsArgs& args) {
    const int64_t pixels = checked_product(checked_product(args.slices, args.rows), args.columns);
    require(pixels < (int64_t(1) << 31) - kThreads, Code::unsupported,
            "Components on CUDA take fewer than 2^31 pixels at once. Label fewer slices at a time, or use the device "
            "\"cpu\".");
    return pixels;
  }
  cudaStream_t stream_;
  int64_t pixels_;
  StreamMemory<int> parents_;
  Rows rows_;
  dim3 by_rows_;
};

bool is_empty(const ComponentsArgs& args) { return args.slices == 0 || args.rows == 0 || args.columns == 0; }

}  // namespace

void label_components(Stream stream, const ComponentsArgs& args) {
  StreamMemory<int64_t> count(stream, 1);
  count.clear(1);
  if (!is_empty(args)) {
    Parts parts(stream, args, false);
    StreamMemory<int> numbers(stream, size_t(parts.chunks()));
    parts.settle_all(numbers.data());
    LAUNCH(scan, 1, kScanThreads, 0, stream)(numbers.data(), int(parts.chunks()), count.data());
    LAUNCH(number_roots, blocks_for(parts.chunks(), kWarps), kThreads, 0, stream)
    (parts.parents(), parts.pixels(), numbers.data(), args.labels);
    LAUNCH(label_others, parts.blocks(), kThreads, 0, stream)(parts.parents(), parts.pixels(), args.labels);
    check_launch("label_components");
  }
  count.download(args.count, 1);
}

void keep_components(Stream stream, const ComponentsArgs& args) {
  StreamMemory<unsigned long long> kept(stream, 1);
  kept.clear(1);
  if (!is_empty(args)) {
    Parts parts(stream, args, false);
    parts.settle_all(nullptr);
    StreamMemory<int> sizes(stream, size_t(parts.pixels()));
    sizes.clear(size_t(parts.pixels()));
    LAUNCH(count_sizes, parts.blocks(), kThreads, 0, stream)
    (parts.parents(), parts.pixels(), 0, parts.pixels(), sizes.data());
    LAUNCH(keep_large, parts.blocks(), kThreads, 0, stream)
    (parts.parents(), sizes.data(), parts.pixels(), args.least, args.result, kept.data());
    check_launch("keep_components");
  }
  kept.download(reinterpret_cast<unsigned long long*>(args.count), 1);
}

void fill_holes(Stream stream, const ComponentsArgs& args) {
  if (is_empty(args)) return;
  Parts parts(stream, args, true);
  parts.settle_all(nullptr);
  StreamMemory<int> open(stream, size_t(parts.pixels()));
  open.clear(size_t(parts.pixels()));
  LAUNCH(mark_open, parts.by_rows(), dim3(32, kWarps), 0, stream)(parts.rows(), parts.parents(), open.data());
  LAUNCH(fill_closed, parts.blocks(), kThreads, 0, stream)
  (parts.parents(), open.data(), parts.pixels(), args.result);
  check_launch("fill_holes");
}

void component_sizes(Stream stream, const ComponentSizesArgs& args) {
  if (args.count == 0) return;
  StreamMemory<int32_t> sizes(stream, size_t(args.count));
  sizes.clear(size_t(args.count));
  if (args.pixels > 0) LAUNCH(count_sizes, blocks_for(args.pixels, kThreads), kThreads, 0, stream)
  (args.labels, args.pixels, 1, args.count, sizes.data());
  check_launch("component_sizes");
  sizes.download(args.sizes, size_t(args.count));
}

}  // namespace sino::cuda
