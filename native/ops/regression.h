// regression: volumes of one scan explained by each other.
//
// Quantity.
//   covariance    means[i] = Σ_v x_i(v)/n,  covariance[i, j] = Σ_v (x_i(v) − means[i])·(x_j(v) − means[j])/n, over the n voxels
//                 that `where` sets (null: all); zero where there are none
//   mix_volumes   y_j(v) = offsets[j] + Σ_i matrix[j, i]·x_i(v)
// Order. [volume, voxel], contiguous; matrix [output, volume].
// Edges. NaN spreads: into every covariance of its volume, into every mixture of its voxel.
// Precision. float32 in and out; products and sums in double, over panels of voxels in a fixed order: the same for any number of
//   threads. Twins agree to 1e-12 of the largest variance.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

constexpr int64_t kMostVolumes = 4096;

struct CovarianceArgs {
  int64_t volumes, voxels;
  const float* input;
  const uint8_t* where;  // null: all
  double *means, *covariance;
};

struct MixVolumesArgs {
  int64_t volumes, voxels, outputs;
  const float* input;
  const double *matrix, *offsets;
  float* output;
};

// One tile of a covariance: rows of a panel of centred voxels, as long as `stride` (volumes, padded with zeros to whole tiles).
constexpr int kCovarianceTile = 8;
struct CovarianceTile {
  const double* panel;  // [voxels, stride]
  int64_t voxels, stride;
  int64_t i, j;  // first row and column
  double* sums;  // [kCovarianceTile, kCovarianceTile], added to
};

// A few outputs of mix_volumes over voxels [begin, end).
constexpr int kMixOutputs = 4;
struct MixTile {
  const float* input;
  int64_t volumes, voxels;
  const double* matrix;  // [kMixOutputs, volumes]
  const double* offsets;
  float* const* outputs;  // of every output, voxel 0
  int64_t begin, end;
};

}  // namespace sino
