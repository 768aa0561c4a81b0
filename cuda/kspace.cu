// kspace on CUDA, slice by slice, every step a pass of double transforms over all its lines (small_fft.cuh): where nothing moved, rows and
// columns; else, for every angle that there is, the image turned by three shears and the lines that were measured there. The host sorts
// the lines by angle. Then columns and rows back. 32 bytes of working memory per pixel. Never measured.
#include "native/ops/kspace.h"

#include <algorithm>
#include <numeric>

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"
#include "cuda/small_fft.cuh"

namespace sino::cuda {

namespace {

// The rows of an array, or its columns.
template <bool kRows>
struct Lines {
  static constexpr bool kBack = false;
  int64_t columns;
  double2* values;
  __device__ double2& at(int64_t line, int64_t k) const {
    return values[kRows ? line * columns + k : k * columns + line];
  }
  __device__ double2 get(int64_t line, int k) const { return at(line, k); }
  __device__ void put(int64_t line, int k, double2 value) const { at(line, k) = value; }
};

struct Take {
  const float* image;
  double2* values;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    values[i] = {image[i], 0};
  }
};

// Line by line moved by slope·(line from the middle).
template <bool kRows>
struct Shear : Lines<kRows> {
  static constexpr bool kBack = true;
  int64_t lines, length;
  double slope;
  __device__ double2 between(int64_t line, int k, double2 value) const {
    const KspacePhase p = kspace_phase(k, length, slope * (double(line) - double(lines - 1) / 2));
    return times(value, {p.real / double(length), p.imaginary / double(length)});
  }
};

// Lines of the transform of an image, moved.
struct Measured {
  static constexpr bool kBack = false;
  int64_t rows, columns;
  const double2 *image, *roots;  // roots: of rows
  const int64_t* lines;          // which
  const double *down, *right;
  double2* transform;
  __device__ int64_t row(int64_t line) const { return (lines[line] - rows / 2 + rows) % rows; }
  __device__ double2 get(int64_t line, int x) const {
    const int64_t step = row(line);
    double2 sum = {0, 0};
    for (int64_t y = 0, turn = 0; y < rows; y++) {
      const double2 term = times(image[y * columns + x], roots[turn]);
      sum.x += term.x, sum.y += term.y;
      turn += step;
      if (turn >= rows) turn -= rows;
    }
    return sum;
  }
  __device__ void put(int64_t line, int k, double2 value) const {
    const KspacePhase v = kspace_phase(row(line), rows, down[lines[line]]),
                      u = kspace_phase(k, columns, right[lines[line]]);
    transform[row(line) * columns + k] = times(value, times({v.real, v.imaginary}, {u.real, u.imaginary}));
  }
};

struct MaskedBack : Lines<false> {
  KspaceArgs args;
  __device__ double2 get(int64_t line, int k) const {
    const double factor = args.mask ? args.mask[kspace_mask_place(args, k, line)] : 1;
    return {factor * at(line, k).x, -factor * at(line, k).y};
  }
  __device__ void put(int64_t line, int k, double2 value) const { at(line, k) = conjugate(value); }
};

struct Magnitudes : Lines<true> {
  double pixels;
  float* output;
  __device__ double2 get(int64_t line, int k) const { return conjugate(at(line, k)); }
  __device__ void put(int64_t line, int k, double2 value) const {
    output[line * columns + k] = float(hypot(value.x, value.y) / pixels);
  }
};

class Kspace {
 public:
  Kspace(cudaStream_t stream, const KspaceArgs& args)
      : stream_(stream),
        args_(args),
        along_(stream, args.columns),
        down_(stream, args.rows),
        values_(stream, size_t(args.rows * args.columns)),
        turned_(stream, args.turn ? size_t(args.rows * args.columns) : 1) {}

  void still(int64_t slice) {
    take(slice, values_.data());
    small_fft(stream_, Lines<true>{args_.columns, values_.data()}, along_, args_.rows, "kspace");
    small_fft(stream_, Lines<false>{args_.columns, values_.data()}, down_, args_.columns, "kspace");
  }

  // `lines` of them, all at one angle.
  void moved(int64_t slice, double degrees, const int64_t* which, int64_t lines) {
    take(slice, turned_.data());
    if (degrees != 0) {
      const KspaceShears by = kspace_shears(degrees);
      const Shear<true> rows = {{args_.columns, turned_.data()}, args_.rows, args_.columns, by.rows};
      const Shear<false> columns = {{args_.columns, turned_.data()}, args_.columns, args_.rows, by.columns};
      small_fft(stream_, rows, along_, args_.rows, "kspace");
      small_fft(stream_, columns, down_, args_.columns, "kspace");
      small_fft(stream_, rows, along_, args_.rows, "kspace");
    }
    const Measured measured = {args_.rows,
                               args_.columns,
                               turned_.data(),
                               down_.table().roots,
                               which,
                               args_.down + slice * args_.rows,
                               args_.right + slice * args_.rows,
                               values_.data()};
    small_fft(stream_, measured, along_, lines, "kspace");
  }

  void back(int64_t slice) {
    const int64_t pixels = args_.rows * args_.columns;
    small_fft(stream_, MaskedBack{{args_.columns, values_.data()}, args_}, down_, args_.columns, "kspace");
    small_fft(stream_, Magnitudes{{args_.columns, values_.data()}, double(pixels), args_.output + slice * pixels},
              along_, args_.rows, "kspace");
  }

 private:
  void take(int64_t slice, double2* to) {
    const int64_t pixels = args_.rows * args_.columns;
    pointwise_by<1>(stream_, 1, pixels, Take{args_.input + slice * pixels, to}, "kspace");
  }
  cudaStream_t stream_;
  const KspaceArgs& args_;
  SmallFftTables along_, down_;
  StreamMemory<double2> values_, turned_;
};

}  // namespace

void kspace(Stream stream, const KspaceArgs& args) {
  const int64_t rows = args.rows, lines = args.slices * rows;
  if (lines * args.columns == 0) return;
  Kspace kspace(stream, args);
  std::vector<double> turn(size_t(args.turn ? lines : 0));
  std::vector<int64_t> sorted(turn.size());  // lines of each slice, by their angle
  if (args.turn)
    check(cudaMemcpyAsync(turn.data(), args.turn, turn.size() * sizeof(double), cudaMemcpyDefault, stream),
          "cudaMemcpyAsync");
  for (size_t first = 0; first < sorted.size(); first += size_t(rows)) {
    const auto begin = sorted.begin() + int64_t(first);
    std::iota(begin, begin + rows, 0);
    std::stable_sort(begin, begin + rows, [&](int64_t a, int64_t b) { return turn[first + a] < turn[first + b]; });
  }
  Uploaded<int64_t> which(stream, sorted);
  for (int64_t s = 0; s < args.slices; s++) {
    if (!args.turn) kspace.still(s);
    for (int64_t from = s * rows, to = from; args.turn && from < (s + 1) * rows; from = to) {
      const double degrees = turn[size_t(s * rows + sorted[size_t(from)])];
      do to++;
      while (to < (s + 1) * rows && turn[size_t(s * rows + sorted[size_t(to)])] == degrees);
      kspace.moved(s, degrees, which.data() + from, to - from);
    }
    kspace.back(s);
  }
}

}  // namespace sino::cuda
