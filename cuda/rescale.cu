// rescale and store on CUDA: one pass over memory, a row of blocks along a slice's pixels and one line of them per slice. Threads
// move four pixels at a time where addresses allow it (a multiple of four pixels per slice, aligned arrays), else one. 2 bytes
// read and 4 written per 16-bit pixel, and back. The same bits as the CPU: products and sums are rounded one by one, not fused.
#include "native/ops/rescale.h"

#include <algorithm>

#include "cuda/check.cuh"
#include "cuda/operations.h"

namespace sino::cuda {

namespace {

constexpr int kThreads = 256, kPixelsPerThread = 8;
constexpr int kBlocksResident = 4;  // asked for more, as ptxas does by itself, registers spill

// How many blocks: enough for kPixelsPerThread each, within what a grid may have.
dim3 grid_of(int64_t pixels, int64_t slices) {
  const int64_t along = (pixels + kThreads * kPixelsPerThread - 1) / (kThreads * kPixelsPerThread);
  return dim3(unsigned(std::min<int64_t>(along, 1 << 20)), unsigned(std::min<int64_t>(slices, 65535)));
}
bool takes_packs(int64_t pixels, const void* a, size_t a_bytes, const void* b, size_t b_bytes) {
  return pixels % 4 == 0 && reinterpret_cast<uintptr_t>(a) % (4 * a_bytes) == 0 &&
         reinterpret_cast<uintptr_t>(b) % (4 * b_bytes) == 0;
}

template <typename T, int N>
__global__ void __launch_bounds__(kThreads, kBlocksResident) rescale_pixels(RescaleArgs args) {
  const int unused = int(sizeof(T)) * 8 - args.bits;
  for (int64_t slice = blockIdx.y; slice < args.slices; slice += gridDim.y) {
    const double slope = args.slopes[slice], intercept = args.intercepts[slice];
    const bool exact = exact_in_float(slope, intercept, args.bits);
    const auto* stored = reinterpret_cast<const Pack<T, N>*>(static_cast<const T*>(args.stored) + slice * args.pixels);
    auto* values = reinterpret_cast<Pack<float, N>*>(args.values + slice * args.pixels);
    for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < args.pixels / N;
         i += int64_t(gridDim.x) * kThreads) {
      const Pack<T, N> in = stored[i];
      Pack<float, N> out;
      for (int k = 0; k < N; k++) out.value[k] = rescaled(low_bits(in.value[k], unused), slope, intercept, exact);
      values[i] = out;
    }
  }
}

// Pixels that do not fit are counted per warp, per block, then added to the one number.
template <typename T, int N>
__global__ void __launch_bounds__(kThreads, kBlocksResident) store_pixels(StoreArgs args) {
  SHARED(int, clipped_of_warp, [kThreads / 32]);
  const double low = lowest_stored(args.is_signed, args.bits), high = highest_stored(args.is_signed, args.bits);
  int clipped = 0;
  for (int64_t slice = blockIdx.y; slice < args.slices; slice += gridDim.y) {
    const double slope = args.slopes[slice], intercept = args.intercepts[slice];
    const auto* values = reinterpret_cast<const Pack<float, N>*>(args.values + slice * args.pixels);
    auto* stored = reinterpret_cast<Pack<T, N>*>(static_cast<T*>(args.stored) + slice * args.pixels);
    for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < args.pixels / N;
         i += int64_t(gridDim.x) * kThreads) {
      const Pack<float, N> in = values[i];
      Pack<T, N> out;
      for (int k = 0; k < N; k++) {
        const double v = stored_value(in.value[k], slope, intercept);
        clipped += !stored_fits(v, low, high);
        out.value[k] = static_cast<T>(static_cast<int32_t>(stored_clip(v, low, high)));
      }
      stored[i] = out;
    }
  }
  clipped = warp_fold(clipped, Sum());
  if (threadIdx.x % 32 == 0) clipped_of_warp[threadIdx.x / 32] = clipped;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  const int of_block = warp_fold(threadIdx.x < kThreads / 32 ? clipped_of_warp[threadIdx.x] : 0, Sum());
  if (threadIdx.x == 0 && of_block > 0)
    atomicAdd(reinterpret_cast<unsigned long long*>(args.clipped), static_cast<unsigned long long>(of_block));
}

template <typename T>
void rescale_as(cudaStream_t stream, const RescaleArgs& args) {
  const dim3 grid = grid_of(args.pixels, args.slices);
  if (takes_packs(args.pixels, args.stored, sizeof(T), args.values, sizeof(float)))
    LAUNCH((rescale_pixels<T, 4>), grid, kThreads, 0, stream)(args);
  else
    LAUNCH((rescale_pixels<T, 1>), grid, kThreads, 0, stream)(args);
  check_launch("rescale");
}

template <typename T>
void store_as(cudaStream_t stream, const StoreArgs& args) {
  const dim3 grid = grid_of(args.pixels, args.slices);
  if (takes_packs(args.pixels, args.stored, sizeof(T), args.values, sizeof(float)))
    LAUNCH((store_pixels<T, 4>), grid, kThreads, 0, stream)(args);
  else
    LAUNCH((store_pixels<T, 1>), grid, kThreads, 0, stream)(args);
  check_launch("store");
}

}  // namespace

void rescale(Stream stream, const RescaleArgs& args) {
  if (args.slices == 0 || args.pixels == 0) return;
  switch (args.type) {
    case StoredType::i8:
      return rescale_as<int8_t>(stream, args);
    case StoredType::u8:
      return rescale_as<uint8_t>(stream, args);
    case StoredType::i16:
      return rescale_as<int16_t>(stream, args);
    case StoredType::u16:
      return rescale_as<uint16_t>(stream, args);
    case StoredType::i32:
      return rescale_as<int32_t>(stream, args);
    case StoredType::u32:
      return rescale_as<uint32_t>(stream, args);
  }
}

void store(Stream stream, const StoreArgs& args) {
  check(cudaMemsetAsync(args.clipped, 0, sizeof(int64_t), stream), "cudaMemsetAsync");
  if (args.slices == 0 || args.pixels == 0) return;
  return args.is_signed ? store_as<int16_t>(stream, args) : store_as<uint16_t>(stream, args);
}

}  // namespace sino::cuda
