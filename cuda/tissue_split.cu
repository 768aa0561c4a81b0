// tissue_split on CUDA: one pass over memory (pointwise.cuh), 4 bytes read and 12 written per pixel.
#include "native/ops/tissue_split.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

struct Split {
  TissueSplitArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    const Pack<float, N> x = load<N>(args.input, i);
    Pack<float, N> mu, water, bone;
    for (int n = 0; n < N; n++) tissue_split_value(args, x.value[n], mu.value + n, water.value + n, bone.value + n);
    store(args.mu, i, mu);
    store(args.water, i, water);
    store(args.bone, i, bone);
  }
};

}  // namespace

void tissue_split(Stream stream, const TissueSplitArgs& args) {
  const bool packs = moves_packs(1, args.count, args.input, args.mu, args.water, args.bone);
  pointwise(stream, 1, args.count, packs, Split{args}, "tissue_split");
}

}  // namespace sino::cuda
