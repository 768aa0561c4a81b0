// rician on CUDA: a thread per voxel; up to 40 steps of Newton's method in double, 5 on average.
#include "native/ops/rician.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

struct Rician {
  RicianArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    args.output[i] = rician_signal(args.input[i], args.sigma);
  }
};

}  // namespace

void rician(Stream stream, const RicianArgs& args) { pointwise_by<1>(stream, 1, args.count, Rician{args}, "rician"); }

}  // namespace sino::cuda
