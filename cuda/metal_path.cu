// metal_path on CUDA: one pass over memory (pointwise.cuh), 4 bytes read and 5 written per ray; neighbours come from the caches. The
// same bits as the CPU.
#include "native/ops/metal_path.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

struct MetalPath {
  MetalPathArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t k, int64_t i) const {
    const Pack<float, N> here = load<N>(args.lengths, i);
    float left = k > 0 ? args.lengths[i - 1] : kBeyondDetector;
    Pack<float, N> paths;
    Pack<uint8_t, N> trace;
    for (int n = 0; n < N; n++) {
      const float right = n + 1 < N               ? here.value[n + 1 < N ? n + 1 : n]
                          : k + n + 1 < args.bins ? args.lengths[i + n + 1]
                                                  : kBeyondDetector;
      paths.value[n] = metal_path_between(args, left, here.value[n], right);
      trace.value[n] = here.value[n] > 0;
      left = here.value[n];
    }
    store(args.paths, i, paths);
    store(args.trace, i, trace);
  }
};

}  // namespace

void metal_path(Stream stream, const MetalPathArgs& args) {
  const bool packs = moves_packs(args.lines, args.bins, args.lengths, args.paths, args.trace);
  pointwise(stream, args.lines, args.bins, packs, MetalPath{args}, "metal_path");
}

}  // namespace sino::cuda
