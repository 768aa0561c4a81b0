// detected_photons and lower_dose on CUDA: a thread per ray. The random words are the CPU's; what is made of them is made in double by
// the same formulas (native/ops/dose.h).
#include "native/ops/dose.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

struct Detected {
  DoseArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    args.output[i] = detected(args, i);
  }
};

struct LowerDose {
  DoseArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    args.output[i] = with_less_dose(args, i);
  }
};

}  // namespace

void detected_photons(Stream stream, const DoseArgs& args) {
  pointwise_by<1>(stream, 1, args.count, Detected{args}, "detected_photons");
}

void lower_dose(Stream stream, const DoseArgs& args) {
  pointwise_by<1>(stream, 1, args.count, LowerDose{args}, "lower_dose");
}

}  // namespace sino::cuda
