// Sums of products, in double. A covariance tile keeps its 64 sums in registers while a panel of voxels passes: per voxel one load of a
// row's eight volumes and eight multiply-adds. Mixtures keep a few outputs of eight voxels in registers while the volumes pass.

typedef double Doubles __attribute__((vector_size(64)));
typedef float Singles __attribute__((vector_size(32)));

static void covariance_tile(const CovarianceTile& tile) {
  Doubles sums[kCovarianceTile];
  __builtin_memcpy(sums, tile.sums, sizeof sums);
  for (int64_t v = 0; v < tile.voxels; v++) {
    const double *row = tile.panel + v * tile.stride, *down = row + tile.i;
    Doubles along;
    __builtin_memcpy(&along, row + tile.j, sizeof along);
#pragma GCC unroll 8
    for (int k = 0; k < kCovarianceTile; k++) sums[k] += down[k] * along;
  }
  __builtin_memcpy(tile.sums, sums, sizeof sums);
}

static void mix_tile(const MixTile& tile) {
  constexpr int64_t kVoxels = 8;
  int64_t v = tile.begin;
  for (; v + kVoxels <= tile.end; v += kVoxels) {
    Doubles sums[kMixOutputs];
#pragma GCC unroll 4
    for (int j = 0; j < kMixOutputs; j++) sums[j] = Doubles{} + tile.offsets[j];
    for (int64_t i = 0; i < tile.volumes; i++) {
      Singles x;
      __builtin_memcpy(&x, tile.input + i * tile.voxels + v, sizeof x);
      const Doubles wide = __builtin_convertvector(x, Doubles);
#pragma GCC unroll 4
      for (int j = 0; j < kMixOutputs; j++) sums[j] += tile.matrix[j * tile.volumes + i] * wide;
    }
    for (int j = 0; j < kMixOutputs; j++) {
      const Singles y = __builtin_convertvector(sums[j], Singles);
      __builtin_memcpy(tile.outputs[j] + v, &y, sizeof y);
    }
  }
  for (; v < tile.end; v++)
    for (int j = 0; j < kMixOutputs; j++) {
      double sum = tile.offsets[j];
      for (int64_t i = 0; i < tile.volumes; i++)
        sum += tile.matrix[j * tile.volumes + i] * double(tile.input[i * tile.voxels + v]);
      tile.outputs[j][v] = static_cast<float>(sum);
    }
}
