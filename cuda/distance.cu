// distance on CUDA: along the columns, then along the rows, in 3-D along the slices (distance_lines.cuh). Counts go through the array
// of distances; per pixel and pass 4 bytes are read and written, 13 bytes in all in 2-D, 12 more with indices, 21 in 3-D. Squares are
// the CPU's: whole numbers in float32 where those are exact, else double. Of zeros equally near the leftmost is named.
#include "native/ops/distance.h"

#include <cfloat>

#include "cuda/distance_lines.cuh"
#include "cuda/operations.h"

namespace sino::cuda {

namespace {

__device__ float root_of(float square, double scale) {
  return scale == 1 ? sqrtf(square) : static_cast<float>(scale * sqrt(static_cast<double>(square)));
}
__device__ float root_of(double square, double) { return static_cast<float>(sqrt(square)); }

// T is float where all squares are whole numbers (spacings 1, the common spacing multiplied on at the end), otherwise double.
template <typename T>
struct AlongRows {
  using Value = float;
  static constexpr int kWarps = 4;
  DistanceArgs args;
  T spacing_row, spacing_column;
  double scale;
  T* squares;        // 3-D; may be the distances
  int32_t* nearest;  // 3-D with indices: number of the nearest zero of the slice

  __device__ float most() const { return FLT_MAX; }
  __device__ float load(int64_t at) const { return args.distances[at]; }
  __device__ T height(int x, int vertex, float count) const {
    const T up = spacing_row * T(count), along = spacing_column * T(x - vertex);
    return up * up + along * along;
  }
  __device__ void store(int64_t line, int x, int64_t at, int vertex, float count) const {
    const T square = vertex < 0 ? T(INFINITY) : height(x, vertex, count);
    if (args.volume)
      squares[at] = square;
    else
      args.distances[at] = root_of(square, scale);
    if (!args.indices) return;
    const int64_t slice = line / args.rows, y = line - slice * args.rows, plane = slice * args.rows * args.columns;
    int64_t row = -1;
    if (vertex >= 0) {
      const int64_t up = y - int64_t(count);
      row = up >= 0 && args.mask[plane + up * args.columns + vertex] == 0 ? up : y + int64_t(count);
    }
    if (args.volume) {
      nearest[at] = vertex < 0 ? -1 : int32_t(plane + row * args.columns + vertex);
    } else {
      args.indices[at] = int32_t(row);
      args.indices[at + args.slices * args.rows * args.columns] = vertex;
    }
  }
};

template <typename T>
struct AlongSlices {
  using Value = T;
  static constexpr int kWarps = 8;
  DistanceArgs args;
  T spacing;
  double scale;
  const T* squares;
  const int32_t* nearest;

  __device__ T most() const { return (sizeof(T) == sizeof(float) ? T(FLT_MAX) : T(DBL_MAX)); }
  __device__ T load(int64_t at) const { return squares[at]; }
  __device__ T height(int z, int vertex, T square) const {
    const T along = spacing * T(z - vertex);
    return square + along * along;
  }
  __device__ void store(int64_t line, int z, int64_t at, int vertex, T square) const {
    args.distances[at] = root_of(vertex < 0 ? T(INFINITY) : height(z, vertex, square), scale);
    if (!args.indices) return;
    const int plane = int(args.rows * args.columns), columns = int(args.columns);  // fewer than 2^31 voxels
    const int64_t volume = args.slices * plane;
    const int zero = vertex < 0 ? -1 : nearest[int64_t(vertex) * plane + line];
    args.indices[at] = zero < 0 ? -1 : zero / plane;
    args.indices[at + volume] = zero < 0 ? -1 : zero % plane / columns;
    args.indices[at + 2 * volume] = zero < 0 ? -1 : zero % columns;
  }
};

template <typename T>
void transform(cudaStream_t stream, const DistanceArgs& args) {
  constexpr bool exact = std::is_same_v<T, float>;
  const auto spacing = [&](int axis) { return exact ? T(1) : T(args.spacing[axis]); };
  const double scale = exact ? args.spacing[1] : 1;
  const int64_t plane = args.rows * args.columns, voxels = args.slices * plane;
  StreamMemory<double> squares_memory(stream, args.volume && !exact ? size_t(voxels) : 1);
  StreamMemory<int32_t> nearest(stream, args.volume && args.indices ? size_t(voxels) : 1);
  T* squares = nullptr;
  if constexpr (exact)
    squares = args.distances;
  else
    squares = squares_memory.data();
  count_columns<false>(stream, {args.slices, args.rows, args.columns, args.mask, args.distances});
  pass_over(stream, {args.slices * args.rows, args.columns, args.columns, 1},
            AlongRows<T>{args, spacing(1), spacing(2), scale, squares, nearest.data()}, "distance along rows");
  if (args.volume)
    pass_over(stream, {plane, args.slices, 1, plane}, AlongSlices<T>{args, spacing(0), scale, squares, nearest.data()},
              "distance along slices");
}

}  // namespace

void distance(Stream stream, const DistanceArgs& args) {
  if (args.slices == 0 || args.rows == 0 || args.columns == 0) return;
  require(args.slices * args.rows * args.columns < (int64_t(1) << 31) || !(args.volume && args.indices), Code::overflow,
          "Indices of a 3-D distance transform need fewer than 2^31 voxels.");
  return squares_are_exact(args) ? transform<float>(stream, args) : transform<double>(stream, args);
}

}  // namespace sino::cuda
