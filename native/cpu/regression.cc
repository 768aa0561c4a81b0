// regression on the CPU: panels of centred voxels, small enough for the cache, against tiles of the covariance; the tiles of a panel
// are shared out, the panels go one after the other, so that every sum has one order.
//
// Roofline. n² multiply-adds per voxel for n volumes, half of them saved by symmetry, 4n bytes: arithmetic, from a dozen volumes on.
#include "native/ops/regression.h"

#include <algorithm>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/kernels.h"

namespace sino::cpu {

namespace {

constexpr int64_t kPanelBytes = 1 << 20;
constexpr int64_t kFill = 256;  // voxels
constexpr int64_t kMixVoxels = 4096;

double mean_of(const float* volume, const uint8_t* where, int64_t voxels, int64_t counted) {
  double sum = 0;
  for (int64_t v = 0; v < voxels; v++)
    if (!where || where[v]) sum += volume[v];
  return counted > 0 ? sum / double(counted) : 0;
}

// Rows of centred volumes, one for each voxel of [begin, end); of zeros where it does not count.
void fill_panel(const CovarianceArgs& args, int64_t begin, int64_t end, int64_t stride, double* panel) {
  for (int64_t v = begin; v < end; v++) {
    double* row = panel + (v - begin) * stride;
    const bool counts = !args.where || args.where[v];
    for (int64_t i = 0; i < args.volumes; i++)
      row[i] = counts ? double(args.input[i * args.voxels + v]) - args.means[i] : 0;
  }
}

}  // namespace

void covariance(const Context& context, const CovarianceArgs& args) {
  constexpr int64_t tile = kCovarianceTile;
  const int64_t volumes = args.volumes, tiles = (volumes + tile - 1) / tile, stride = tiles * tile,
                panel_voxels = std::max<int64_t>(kFill, kPanelBytes / 8 / std::max(stride, tile));
  const int64_t counted =
      args.where ? args.voxels - std::count(args.where, args.where + args.voxels, uint8_t(0)) : args.voxels;
  context.parallel_for(volumes, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++)
      args.means[i] = mean_of(args.input + i * args.voxels, args.where, args.voxels, counted);
  });
  Scratch<double> panel = context.scratch<double>(panel_voxels * stride);
  Scratch<double> sums = context.scratch<double>(tiles * tiles * tile * tile);
  std::fill(panel.data(), panel.data() + panel_voxels * stride, 0.0);
  std::fill(sums.data(), sums.data() + tiles * tiles * tile * tile, 0.0);
  for (int64_t begin = 0; begin < args.voxels; begin += panel_voxels) {
    const int64_t end = std::min(args.voxels, begin + panel_voxels);
    context.parallel_for(end - begin, kFill, [&](int64_t first, int64_t last) {
      fill_panel(args, begin + first, begin + last, stride, panel.data() + first * stride);
    });
    context.parallel_for(tiles * tiles, 1, [&](int64_t first, int64_t last) {
      for (int64_t t = first; t < last; t++)
        if (t / tiles <= t % tiles)
          simd_kernels().covariance_tile(
              {panel.data(), end - begin, stride, t / tiles * tile, t % tiles * tile, sums.data() + t * tile * tile});
    });
    context.job.advance(end - begin);
  }
  for (int64_t i = 0; i < volumes; i++)
    for (int64_t j = 0; j < volumes; j++) {
      const int64_t a = std::min(i, j), b = std::max(i, j), t = a / tile * tiles + b / tile;
      args.covariance[i * volumes + j] =
          counted > 0 ? sums[t * tile * tile + a % tile * tile + b % tile] / double(counted) : 0;
    }
}

void mix_volumes(const Context& context, const MixVolumesArgs& args) {
  const int64_t groups = (args.outputs + kMixOutputs - 1) / kMixOutputs;
  std::vector<double> matrix(groups * kMixOutputs * args.volumes), offsets(groups * kMixOutputs);
  std::copy_n(args.matrix, args.outputs * args.volumes, matrix.begin());
  std::copy_n(args.offsets, args.outputs, offsets.begin());
  context.parallel_for(args.voxels, kMixVoxels, [&](int64_t first, int64_t last) {
    std::vector<float> spare(last - first);  // where the last group has outputs too many
    for (int64_t g = 0; g < groups; g++) {
      float* targets[kMixOutputs];
      for (int64_t k = 0, j = g * kMixOutputs; k < kMixOutputs; k++, j++)
        targets[k] = j < args.outputs ? args.output + j * args.voxels : spare.data() - first;
      simd_kernels().mix_tile({args.input, args.volumes, args.voxels, matrix.data() + g * kMixOutputs * args.volumes,
                               offsets.data() + g * kMixOutputs, targets, first, last});
    }
    context.job.advance(last - first);
  });
}

}  // namespace sino::cpu
