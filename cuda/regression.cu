// regression on CUDA. covariance: means first, a block per volume; then a block for a tile of kTile × kTile pairs of volumes and a part
// of the voxels, which go by in chunks, centred, in shared memory; the parts are added up in their order. Both halves of the matrix are
// from one. mix_volumes: a thread makes kOutputs outputs of a voxel, so that a voxel is read once for them all. Everything in double:
// n² multiply-adds per voxel for n volumes, bound by arithmetic on cards with few units for it. Never measured.
#include "native/ops/regression.h"

#include <algorithm>

#include "cuda/check.cuh"
#include "cuda/operations.h"

namespace sino::cuda {

namespace {

constexpr int kTile = 16, kThreads = kTile * kTile, kBlocks = 4;  // resident
constexpr int kChunk = 32, kOutputs = 4;                          // voxels, outputs
constexpr int64_t kPart = 1 << 15, kMostPartials = 1 << 24;

__device__ __forceinline__ bool counts(const CovarianceArgs& args, int64_t voxel) {
  return !args.where || args.where[voxel];
}

__global__ void __launch_bounds__(kThreads, kBlocks) find_means(CovarianceArgs args, double* means, double* counted) {
  SHARED(double, of_warp, [kThreads / 32]);
  for (int64_t volume = blockIdx.x; volume < args.volumes; volume += gridDim.x) {
    double sum = 0, number = 0;
    for (int64_t v = threadIdx.x; v < args.voxels; v += kThreads)
      if (counts(args, v)) sum += args.input[volume * args.voxels + v], number += 1;
    sum = block_fold(sum, of_warp, Sum());
    number = block_fold(number, of_warp, Sum());
    if (threadIdx.x > 0) continue;
    means[volume] = number > 0 ? sum / number : 0;
    if (volume == 0) *counted = number;
  }
}

__global__ void __launch_bounds__(kThreads, kBlocks)
    add_products(CovarianceArgs args, const double* means, int64_t part_voxels, double* partials) {
  SHARED(double, rows, [kTile][kChunk + 1]);
  SHARED(double, columns, [kTile][kChunk + 1]);
  if (blockIdx.y > blockIdx.x) return;  // the other half
  const int64_t first[2] = {int64_t(blockIdx.y) * kTile, int64_t(blockIdx.x) * kTile};
  const int i = int(threadIdx.x) / kTile, j = int(threadIdx.x) % kTile;
  const int64_t begin = int64_t(blockIdx.z) * part_voxels, end = min(begin + part_voxels, args.voxels);
  double sum = 0;
  for (int64_t v = begin; v < end; v += kChunk) {
    for (int k = int(threadIdx.x); k < 2 * kTile * kChunk; k += kThreads) {
      const int side = k / (kTile * kChunk), row = k / kChunk % kTile, at = k % kChunk;
      const int64_t volume = first[side] + row, voxel = v + at;
      const bool is_in = volume < args.volumes && voxel < end && counts(args, voxel);
      (side == 0 ? rows : columns)[row][at] =
          is_in ? double(args.input[volume * args.voxels + voxel]) - means[volume] : 0;
    }
    __syncthreads();
    for (int k = 0; k < kChunk; k++) sum += rows[i][k] * columns[j][k];
    __syncthreads();
  }
  const int64_t a = first[0] + i, b = first[1] + j;
  if (a < args.volumes && b < args.volumes && a <= b)
    partials[(blockIdx.z * args.volumes + a) * args.volumes + b] = sum;
}

__global__ void __launch_bounds__(kThreads, kBlocks)
    add_parts(const double* partials, const double* counted, int64_t parts, int64_t volumes, double* covariance) {
  for (int64_t k = int64_t(blockIdx.x) * kThreads + threadIdx.x; k < volumes * volumes;
       k += int64_t(gridDim.x) * kThreads) {
    const int64_t a = min(k / volumes, k % volumes), b = max(k / volumes, k % volumes);
    double sum = 0;
    for (int64_t p = 0; p < parts; p++) sum += partials[(p * volumes + a) * volumes + b];
    covariance[k] = *counted > 0 ? sum / *counted : 0;
  }
}

__global__ void __launch_bounds__(kThreads, kBlocks) mix(MixVolumesArgs args) {
  const int64_t first = int64_t(blockIdx.y) * kOutputs;
  for (int64_t v = int64_t(blockIdx.x) * kThreads + threadIdx.x; v < args.voxels; v += int64_t(gridDim.x) * kThreads) {
    double sum[kOutputs];
#pragma unroll
    for (int k = 0; k < kOutputs; k++) sum[k] = first + k < args.outputs ? args.offsets[first + k] : 0;
    for (int64_t i = 0; i < args.volumes; i++) {
      const double x = args.input[i * args.voxels + v];
#pragma unroll
      for (int k = 0; k < kOutputs; k++)
        if (first + k < args.outputs) sum[k] += args.matrix[(first + k) * args.volumes + i] * x;
    }
#pragma unroll
    for (int k = 0; k < kOutputs; k++)
      if (first + k < args.outputs) args.output[(first + k) * args.voxels + v] = float(sum[k]);
  }
}

unsigned blocks_for(int64_t count, int64_t of_block) {
  return unsigned(std::min<int64_t>((count + of_block - 1) / of_block, 1 << 20));
}

}  // namespace

void covariance(Stream stream, const CovarianceArgs& args) {
  if (args.volumes == 0) return;
  const int64_t square = args.volumes * args.volumes, tiles = (args.volumes + kTile - 1) / kTile;
  const int64_t most = std::clamp<int64_t>(kMostPartials / square, 1, 1024);
  const int64_t parts = std::clamp<int64_t>((args.voxels + kPart - 1) / kPart, 1, most);
  const int64_t part_voxels = (args.voxels + parts - 1) / parts;
  StreamMemory<double> means(stream, size_t(args.volumes)), counted(stream, 1), result(stream, size_t(square));
  StreamMemory<double> partials(stream, size_t(parts * square));
  LAUNCH(find_means, blocks_for(args.volumes, 1), kThreads, 0, stream)(args, means.data(), counted.data());
  LAUNCH(add_products, dim3(unsigned(tiles), unsigned(tiles), unsigned(parts)), kThreads, 0, stream)
  (args, means.data(), part_voxels, partials.data());
  LAUNCH(add_parts, blocks_for(square, kThreads), kThreads, 0, stream)
  (partials.data(), counted.data(), parts, args.volumes, result.data());
  check_launch("covariance");
  means.download(args.means, size_t(args.volumes));
  result.download(args.covariance, size_t(square));
}

void mix_volumes(Stream stream, const MixVolumesArgs& args) {
  if (args.voxels == 0 || args.outputs == 0) return;
  const size_t weights = size_t(args.outputs * args.volumes), outputs = size_t(args.outputs);
  StreamMemory<double> matrix(stream, std::max<size_t>(1, weights)), offsets(stream, outputs);
  if (weights > 0) matrix.upload(args.matrix, weights);
  offsets.upload(args.offsets, outputs);
  MixVolumesArgs own = args;
  own.matrix = matrix.data(), own.offsets = offsets.data();
  const dim3 grid(blocks_for(args.voxels, kThreads), unsigned((args.outputs + kOutputs - 1) / kOutputs));
  LAUNCH(mix, grid, kThreads, 0, stream)(own);
  check_launch("mix_volumes");
}

}  // namespace sino::cuda
