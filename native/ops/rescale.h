// rescale: stored integers to physical values (HU) and back, one slope and intercept per slice.
//
// Quantity. hu = slope · v + intercept, where v is the lowest `bits` bits of the stored integer, sign-extended where
//   the type is signed: what lies above them (overlays in old files) is dropped. Back: v = round((hu − intercept) /
//   slope) to the nearest integer, halves to even, clipped to what `bits` bits hold.
// Order. [slice, pixel], contiguous. An iteration is one pixel: 2 bytes read, 4 written for 16-bit images.
// Edges. NaN is stored as the lowest value. Clipped and NaN pixels are counted.
// Precision. Products and sums in double, rounded once to float32; where slope, intercept and every possible result
//   are integers below 2²⁴, float32 arithmetic gives the same bits and is used. Twins agree exactly.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "native/core/hd.h"

namespace sino {

enum class StoredType { i8, u8, i16, u16, i32, u32 };

struct RescaleArgs {
  const void* stored;
  StoredType type;
  int bits;  // 1 to the width of the type
  int64_t slices, pixels;
  const double *slopes, *intercepts;  // [slices]
  float* values;
};

struct StoreArgs {
  const float* values;
  bool is_signed;  // int16 or uint16
  int bits;        // 1 to 16
  int64_t slices, pixels;
  const double *slopes, *intercepts;  // slopes are not zero
  void* stored;
  int64_t* clipped;  // one number: pixels that did not fit, NaN included
};

template <typename T>
SINO_HD inline T low_bits(T stored, int unused) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<T>(static_cast<U>(static_cast<U>(stored) << unused)) >> unused);
}

SINO_HD inline double lowest_stored(bool is_signed, int bits) {
  return is_signed ? -static_cast<double>(int64_t(1) << (bits - 1)) : 0;
}
SINO_HD inline double highest_stored(bool is_signed, int bits) {
  return static_cast<double>((int64_t(1) << (is_signed ? bits - 1 : bits)) - 1);
}

// True where slope · v + intercept is exact in float32 for every v of so many bits.
SINO_HD inline bool exact_in_float(double slope, double intercept, int bits) {
  return floor(slope) == slope && floor(intercept) == intercept &&
         fabs(slope) * static_cast<double>(int64_t(1) << bits) + fabs(intercept) < 16777216.0;
}

// slope · v + intercept. On the device a product and a sum would fuse; here they are rounded one by one, as on the CPU.
template <typename T>
SINO_HD inline float rescaled(T v, double slope, double intercept, bool exact) {
  if (exact) return static_cast<float>(slope) * static_cast<float>(v) + static_cast<float>(intercept);
#if defined(__CUDA_ARCH__)
  return static_cast<float>(__dadd_rn(__dmul_rn(slope, static_cast<double>(v)), intercept));
#else
  return static_cast<float>(slope * static_cast<double>(v) + intercept);
#endif
}

// The nearest integer to (value − intercept) / slope, whether it fits, and what is stored where it does not.
SINO_HD inline double stored_value(float value, double slope, double intercept) {
  return rint((static_cast<double>(value) - intercept) / slope);
}
SINO_HD inline bool stored_fits(double v, double low, double high) { return v >= low && v <= high; }
SINO_HD inline double stored_clip(double v, double low, double high) {
  const double floored = v > low ? v : low;  // NaN becomes low
  return floored < high ? floored : high;
}

}  // namespace sino
