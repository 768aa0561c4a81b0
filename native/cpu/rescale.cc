// rescale on the CPU: chunks of pixels of one slice; both loops are plain enough for the compiler to
// vectorise.
#include "native/ops/rescale.h"

#include <algorithm>
#include <atomic>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

constexpr int64_t kChunk = 1 << 16;

// Calls body(slice, begin, end) over all pixels, in chunks.
template <typename Body>
void each_chunk(const Context& context, int64_t slices, int64_t pixels, const Body& body) {
  const int64_t chunks = (pixels + kChunk - 1) / kChunk;
  context.parallel_for(slices * chunks, 1, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; c++) {
      const int64_t begin = c % chunks * kChunk, end = std::min(pixels, begin + kChunk);
      body(c / chunks, begin, end);
      context.job.advance(end - begin);
    }
  });
}

template <typename T>
void rescale_as(const Context& context, const RescaleArgs& args) {
  const int unused = static_cast<int>(sizeof(T)) * 8 - args.bits;
  each_chunk(context, args.slices, args.pixels, [&](int64_t slice, int64_t begin, int64_t end) {
    const T* stored = static_cast<const T*>(args.stored) + slice * args.pixels;
    float* values = args.values + slice * args.pixels;
    const double slope = args.slopes[slice], intercept = args.intercepts[slice];
    if (exact_in_float(slope, intercept, args.bits)) {
      const float s = static_cast<float>(slope), t = static_cast<float>(intercept);
      for (int64_t i = begin; i < end; i++) values[i] = s * static_cast<float>(low_bits(stored[i], unused)) + t;
    } else {
      for (int64_t i = begin; i < end; i++)
        values[i] = static_cast<float>(slope * static_cast<double>(low_bits(stored[i], unused)) + intercept);
    }
  });
}

template <typename T>
void store_as(const Context& context, const StoreArgs& args) {
  const double low = lowest_stored(args.is_signed, args.bits), high = highest_stored(args.is_signed, args.bits);
  std::atomic<int64_t> clipped{0};
  each_chunk(context, args.slices, args.pixels, [&](int64_t slice, int64_t begin, int64_t end) {
    const float* values = args.values + slice * args.pixels;
    T* stored = static_cast<T*>(args.stored) + slice * args.pixels;
    const double slope = args.slopes[slice], intercept = args.intercepts[slice];
    int64_t inside = 0;
    for (int64_t i = begin; i < end; i++) {
      const double v = std::rint((static_cast<double>(values[i]) - intercept) / slope);
      inside += v >= low && v <= high;
      const double floored = v > low ? v : low;  // NaN becomes low
      stored[i] = static_cast<T>(static_cast<int32_t>(floored < high ? floored : high));
    }
    clipped += end - begin - inside;
  });
  *args.clipped = clipped;
}

}  // namespace

void rescale(const Context& context, const RescaleArgs& args) {
  switch (args.type) {
    case StoredType::i8:
      return rescale_as<int8_t>(context, args);
    case StoredType::u8:
      return rescale_as<uint8_t>(context, args);
    case StoredType::i16:
      return rescale_as<int16_t>(context, args);
    case StoredType::u16:
      return rescale_as<uint16_t>(context, args);
    case StoredType::i32:
      return rescale_as<int32_t>(context, args);
    case StoredType::u32:
      return rescale_as<uint32_t>(context, args);
  }
}

void store(const Context& context, const StoreArgs& args) {
  return args.is_signed ? store_as<int16_t>(context, args) : store_as<uint16_t>(context, args);
}

}  // namespace sino::cpu
