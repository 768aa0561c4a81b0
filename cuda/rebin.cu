// rebin on CUDA: a block makes 4 parallel views of a slice. It sums over views into g, both readings of all bins, in shared memory, and
// after a barrier over the bins of g. A thread is a bin: neighbours read neighbouring bins of a view, and of g.
//
// Bytes. Every value of the sinogram is read by 4 to 6 taps of either reading for 4 views at once, from L2: about 4 reads per value;
//   736 bins × 984 views × 64 slices: 185 MB in and about as much out of DRAM, 86 µs at an H200's 4.3 TB/s; 0.75 GB of L2, 0.14 ms
//   at 5.5 TB/s; 2 · (6 + 5) multiply-adds per value. Weights and strips, some 100 KB, stay in L1 and L2. Never measured.
// Rows whose g does not fit the card's shared memory (12 000 bins at 99 KB) are refused.
// Agrees with the CPU to 1e-6 of the largest value: the same weights and order of sums, with FMA.
#include "native/ops/rebin.h"

#include <algorithm>

#include "cuda/device.cuh"
#include "cuda/operations.h"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kViews = 4, kMargin = int(kRebinMargin);

struct RebinRows {
  int64_t slices, views, parallel_views, first_place;
  int bins, parallel_bins;
  const RebinStrip *view_strips[2], *bin_strips[2];
  const float* weights[2];
  bool mirrored[2];
  const int32_t* row_of;
  const float *shares, *sinograms;  // shares may be null
  float* parallel;
};

// Views [first, first + V) of g, V rows of `stride` that begin kMargin bins before bin 0.
template <int V>
__device__ __forceinline__ void sum_over_views(const RebinRows& r, int half, const float* sinogram, int64_t first,
                                               float* g, int stride) {
  for (int k = int(threadIdx.x) - kMargin; k < r.bins + kMargin; k += kThreads) {
    float sum[V] = {};
    if (k >= 0 && k < r.bins) {
      const RebinStrip strip = r.view_strips[half][k / kRebinStrip];
      const float* weight = r.weights[half] + strip.weights + (k - strip.first);
      const int32_t* rows = r.row_of + r.first_place + first + strip.base;
      for (int t = 0; t < int(strip.taps); t++)
#pragma unroll
        for (int v = 0; v < V; v++)
          if (first + v < r.parallel_views)
            sum[v] += weight[t * kRebinStrip] * sinogram[int64_t(rows[t + v]) * r.bins + k];
    }
#pragma unroll
    for (int v = 0; v < V; v++) g[v * stride + k + kMargin] = sum[v];
  }
}

__device__ __forceinline__ float sum_over_bins(const RebinRows& r, int half, const float* g, int j) {
  const RebinStrip strip = r.bin_strips[half][j / kRebinStrip];
  const int place = j - int(strip.first), lane = r.mirrored[half] ? kRebinStrip - 1 - place : place;
  const float* weight = r.weights[half] + strip.weights + lane;
  float sum = 0;
  for (int t = 0; t < int(strip.taps); t++) sum += weight[t * kRebinStrip] * g[kMargin + strip.base + t + lane];
  return sum;
}

template <int V>
__global__ void __launch_bounds__(kThreads) rebin_rows(RebinRows r) {
  DYN_SHARED(float, g);  // [half][view][bin]
  const int stride = r.bins + 2 * kMargin;
  const int64_t first = int64_t(blockIdx.x) * V;
  for (int64_t slice = blockIdx.y; slice < r.slices; slice += gridDim.y) {
    const float* sinogram = r.sinograms + slice * r.views * r.bins;
    for (int half = 0; half < 2; half++) sum_over_views<V>(r, half, sinogram, first, g + half * V * stride, stride);
    __syncthreads();
    for (int v = 0; v < V && first + v < r.parallel_views; v++)
      for (int j = int(threadIdx.x); j < r.parallel_bins; j += kThreads) {
        const float one = sum_over_bins(r, 0, g + v * stride, j), other = sum_over_bins(r, 1, g + (V + v) * stride, j);
        const int64_t at = (first + v) * r.parallel_bins + j;
        r.parallel[slice * r.parallel_views * r.parallel_bins + at] =
            r.shares ? other + r.shares[at] * (one - other) : one + other;
      }
    __syncthreads();
  }
}

template <int V>
void launch(cudaStream_t stream, const RebinRows& rows) {
  const size_t bytes = size_t(2 * V) * size_t(rows.bins + 2 * kMargin) * sizeof(float);
  const size_t most = most_shared_bytes();
  if (bytes > most)
    throw Error(Code::unsupported,
                "Expected views that this card's shared memory holds; rebin wider detectors on the device \"cpu\".",
                {{"bins", double(rows.bins)}, {"needed", double(bytes)}, {"available", double(most)}});
  allow_shared(rebin_rows<V>, bytes);
  const dim3 grid(unsigned((rows.parallel_views + V - 1) / V), unsigned(std::min<int64_t>(rows.slices, 65535)));
  LAUNCH(rebin_rows<V>, grid, kThreads, bytes, stream)(rows);
  check_launch("rebin");
}

}  // namespace

void rebin(Stream stream, const RebinArgs& args) {
  const RebinPlan& plan = args.plan;
  if (args.slices == 0 || plan.parallel_views == 0) return;
  const RebinHalf &a = plan.halves[0], &b = plan.halves[1];
  Uploaded<RebinStrip> view_strips[2] = {{stream, a.views}, {stream, b.views}};
  Uploaded<RebinStrip> bin_strips[2] = {{stream, a.bins}, {stream, b.bins}};
  Uploaded<float> weights[2] = {{stream, a.weights}, {stream, b.weights}};
  Uploaded<int32_t> row_of(stream, plan.row_of);
  Uploaded<float> shares(stream, plan.shares);
  const RebinRows rows = {args.slices,
                          plan.views,
                          plan.parallel_views,
                          plan.first_place,
                          int(plan.bins),
                          int(plan.parallel_bins),
                          {view_strips[0].data(), view_strips[1].data()},
                          {bin_strips[0].data(), bin_strips[1].data()},
                          {weights[0].data(), weights[1].data()},
                          {a.mirrored, b.mirrored},
                          row_of.data(),
                          plan.shares.empty() ? nullptr : shares.data(),
                          args.sinograms,
                          args.parallel};
  const size_t bytes = size_t(2 * kViews) * size_t(plan.bins + 2 * kMargin) * sizeof(float);
  return bytes <= 48 << 10 ? launch<kViews>(stream, rows) : launch<1>(stream, rows);
}

}  // namespace sino::cuda
