// total_variation on CUDA. An iteration is two kernels over all slices, one thread per pixel: x from z and q (28 bytes per pixel), then p and the
// next q from x (36 bytes); neighbours come from L1. Formulas and their order are the CPU's; with FMA results agree to 1e-5 of the span.
#include "native/ops/total_variation.h"

#include <utility>

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"
#include "native/ops/axpy.h"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256;

// Arrays of all slices: x and z [slice, row, column], p, q and next [slice, 2, row, column].
struct Variation {
  int64_t slices, rows, columns;
  const float* weights;  // [slices]
  const float* curvature;
  float low, high, momentum;
  const float *z, *q;
  float *x, *p, *next;
};

struct Place {
  int64_t slice, row, column, pixel;  // pixel: of the slice
};
__device__ Place place_of(const Variation& v, int64_t i) {
  const int64_t pixels = v.rows * v.columns, pixel = i % pixels;
  return {i / pixels, pixel / v.columns, pixel % v.columns, pixel};
}

__global__ void __launch_bounds__(kThreads) variation_primal(Variation v) {
  const int64_t pixels = v.rows * v.columns;
  for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < v.slices * pixels;
       i += int64_t(gridDim.x) * kThreads) {
    const Place at = place_of(v, i);
    const float *qx = v.q + at.slice * 2 * pixels + at.pixel, *qy = qx + pixels;
    float sum = (at.row > 0 ? qy[-v.columns] : 0) - qx[0] - qy[0];
    if (at.column > 0) sum += qx[-1];
    const float scale = v.weights[at.slice] * (v.curvature ? v.curvature[at.pixel] : 1.0f), x = v.z[i] - scale * sum;
    const float raised = x < v.low ? v.low : x;
    v.x[i] = raised > v.high ? v.high : raised;
  }
}

__global__ void __launch_bounds__(kThreads) variation_dual(Variation v) {
  const int64_t pixels = v.rows * v.columns;
  for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < v.slices * pixels;
       i += int64_t(gridDim.x) * kThreads) {
    const Place at = place_of(v, i);
    const bool right = at.column + 1 < v.columns, below = at.row + 1 < v.rows;
    const float weight = v.weights[at.slice];
    float step = 0;
    if (weight > 0) {
      step = 0.125f / weight;
      if (v.curvature) {
        const float* c = v.curvature + at.pixel;
        const float beside = right ? c[1] : 0, under = below ? c[v.columns] : 0, sum = c[0] + fmaxf(beside, under);
        step = sum > 0 ? 0.25f / weight / sum : 0;
      }
    }
    const int64_t x = at.slice * 2 * pixels + at.pixel, y = x + pixels;
    const float tx = v.q[x] + step * (right ? v.x[i + 1] - v.x[i] : 0),
                ty = v.q[y] + step * (below ? v.x[i + v.columns] - v.x[i] : 0);
    const float square = tx * tx + ty * ty, scale = 1 / (square > 1 ? sqrtf(square) : 1.0f);
    const float newx = tx * scale, newy = ty * scale;
    v.next[x] = newx + v.momentum * (newx - v.p[x]);
    v.next[y] = newy + v.momentum * (newy - v.p[y]);
    v.p[x] = newx;
    v.p[y] = newy;
  }
}

}  // namespace

void total_variation(Stream stream, const TotalVariationArgs& args) {
  const int64_t pixels = args.rows * args.columns, count = args.slices * pixels;
  if (count == 0) return;
  require(!args.volume, Code::unsupported,
          "There is no total variation of volumes for CUDA in this version. Use device \"cpu\" or \"auto\".");
  std::vector<float> weights;
  for (int64_t s = 0; s < args.slices; s++) weights.push_back(float(factor_of(args.weights, s)));
  StreamMemory<float> uploaded(stream, weights.size());
  uploaded.upload(weights.data(), weights.size());
  StreamMemory<float> x(stream, size_t(count)), q(stream, size_t(2 * count)), next(stream, size_t(2 * count)),
      own(stream, args.dual ? 1 : size_t(2 * count));
  float* p = args.dual ? args.dual : own.data();
  if (!args.dual) own.clear(size_t(2 * count));
  check(cudaMemcpyAsync(q.data(), p, size_t(2 * count) * sizeof(float), cudaMemcpyDeviceToDevice, stream),
        "cudaMemcpyAsync");
  Variation v = {args.slices, args.rows, args.columns, uploaded.data(), args.curvature, args.low,
                 args.high,   0,         args.input,   q.data(),        x.data(),       p,
                 next.data()};
  const unsigned blocks = unsigned(std::min<int64_t>((count + kThreads - 1) / kThreads, 1 << 20));
  NesterovMomentum momentum;
  for (int k = 0; k < args.iterations; k++) {
    v.momentum = float(momentum.next());
    LAUNCH(variation_primal, blocks, kThreads, 0, stream)(v);
    LAUNCH(variation_dual, blocks, kThreads, 0, stream)(v);
    float* spare = const_cast<float*>(v.q);
    v.q = v.next;
    v.next = spare;
  }
  v.q = p;
  v.x = args.output;
  LAUNCH(variation_primal, blocks, kThreads, 0, stream)(v);
  check_launch("total_variation");
}

}  // namespace sino::cuda
