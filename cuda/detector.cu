// mean_intensity and detector_response on CUDA. mean_intensity: a thread per bin, which reads its parts of every array; bound by one
// exp in double per part. detector_response: a block makes kTile bins of a line; the taps go by in chunks, with the intensities that
// they meet in shared memory: one exp per bin and 16 bytes of shared memory per tap for narrow kernels, one exp more per 128 taps for
// wide ones. The order of sums is the CPU's: twins agree to rounding.
#include "native/ops/detector.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

constexpr int kTile = 256;  // bins of a block, one per thread, and taps of a chunk

struct MeanIntensity {
  MeanIntensityArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    args.output[i] = mean_intensity_at(args, i);
  }
};

__global__ void __launch_bounds__(kTile) respond(DetectorArgs args) {
  SHARED(double, intensity, [2 * kTile]);
  SHARED(double, weight, [kTile]);
  const int64_t tiles = (args.bins + kTile - 1) / kTile, taps = 2 * args.reach + 1;
  for (int64_t tile = blockIdx.x; tile < args.lines * tiles; tile += gridDim.x) {
    const int64_t first = tile % tiles * kTile, k = first + threadIdx.x, line = tile / tiles * args.bins;
    const float* p = args.line_integrals + line;
    double sum = args.floor;
    for (int64_t t = 0; t < taps; t += kTile) {
      const int count = int(min(int64_t(kTile), taps - t));
      __syncthreads();  // the last chunk is read
      for (int i = int(threadIdx.x); i < kTile + count - 1; i += kTile)
        intensity[i] = exp(-double(p[bin_within(first + i + t - args.reach, args.bins)]));
      if (int(threadIdx.x) < count) weight[threadIdx.x] = args.kernel[t + threadIdx.x];
      __syncthreads();
      for (int j = 0; j < count; j++) sum += weight[j] * intensity[threadIdx.x + j];
    }
    if (k < args.bins) args.output[line + k] = reported(args, sum, k, p[k]);
  }
}

}  // namespace

void mean_intensity(Stream stream, const MeanIntensityArgs& args) {
  pointwise_by<1>(stream, args.lines, args.bins, MeanIntensity{args}, "mean_intensity");
}

void detector_response(Stream stream, const DetectorArgs& args) {
  if (args.lines == 0 || args.bins == 0) return;
  const int64_t tiles = args.lines * ((args.bins + kTile - 1) / kTile);
  LAUNCH(respond, unsigned(std::min<int64_t>(tiles, 1 << 20)), kTile, 0, stream)(args);
  check_launch("detector_response");
}

}  // namespace sino::cuda
