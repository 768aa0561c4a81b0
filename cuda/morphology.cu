// morphology on CUDA: distances along the columns, then line by line what is within reach (distance_lines.cuh), at a cost that does
// not grow with the reach. 1 byte read, 4 written and read again, 1 written per pixel. Whole numbers: the same masks as the CPU.
#include "native/ops/morphology.h"

#include <cmath>

#include "cuda/distance_lines.cuh"
#include "cuda/operations.h"

namespace sino::cuda {

namespace {

struct Within {
  using Value = float;
  static constexpr int kWarps = 4;
  const float* counts;
  float far;     // rows that are not out of reach
  double bound;  // of heights
  bool erode;
  uint8_t* result;

  __device__ float most() const { return far; }
  __device__ float load(int64_t at) const { return counts[at]; }
  __device__ void put(int64_t at, bool is_near) const { result[at] = is_near != erode; }
};

// T holds the squared diagonal exactly.
template <typename T>
struct WithinDisk : Within {
  __device__ T height(int x, int vertex, float count) const {
    const T along = T(x - vertex), up = T(count);
    return up * up + along * along;
  }
  __device__ void store(int64_t, int x, int64_t at, int vertex, float count) const {
    put(at, vertex >= 0 && double(height(x, vertex, count)) <= bound);
  }
};

struct WithinSteps : Within {
  float both;  // 1: steps along rows and columns add up (cross); 0: either is enough (box)
  __device__ float height(int x, int vertex, float count) const { return fabsf(float(x - vertex)) + both * count; }
  __device__ void store(int64_t, int x, int64_t at, int vertex, float count) const {
    put(at, vertex >= 0 && double(height(x, vertex, count)) <= bound);
  }
};

}  // namespace

void morphology(Stream stream, const MorphologyArgs& args) {
  if (args.slices == 0 || args.rows == 0 || args.columns == 0) return;
  StreamMemory<float> counts(stream, size_t(args.slices * args.rows * args.columns));
  const ColumnCounts columns = {args.slices, args.rows, args.columns, args.mask, counts.data()};
  args.erode ? count_columns<false>(stream, columns) : count_columns<true>(stream, columns);
  // Whatever is reached, it is not further away than the image is large.
  const double reach = std::fmin(args.reach, double(args.rows + args.columns));
  const double squared = double(args.rows) * double(args.rows) + double(args.columns) * double(args.columns);
  const Lines lines = {args.slices * args.rows, args.columns, args.columns, 1};
  Within within = {counts.data(), float(std::floor(reach)), reach, args.erode, args.result};
  if (args.shape != Reach::disk)
    return pass_over(stream, lines, WithinSteps{within, args.shape == Reach::cross ? 1.f : 0.f}, "morphology");
  within.bound = reach * reach;
  if (squared < 16777216)
    pass_over(stream, lines, WithinDisk<float>{within}, "morphology");
  else
    pass_over(stream, lines, WithinDisk<double>{within}, "morphology");
}

}  // namespace sino::cuda
