// rescale and store on CUDA against plain loops: the same bits.
#include <algorithm>
#include <cstring>

#include "cuda/operations.h"
#include "native/ops/rescale.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

struct Scale {
  double slope, intercept;
};
constexpr Scale kScales[] = {{1, -1024}, {0.1, -3.7}, {-2.5, 1e4}};

template <typename T>
bool rescales(StoredType type, int bits, int64_t slices, int64_t pixels) {
  Numbers numbers{uint32_t(bits)};
  std::vector<T> stored(size_t(slices * pixels));
  for (T& v : stored) v = static_cast<T>(numbers.bits() << 8 ^ numbers.bits());
  std::vector<double> slopes, intercepts;
  for (int64_t s = 0; s < slices; s++)
    slopes.push_back(kScales[s % 3].slope), intercepts.push_back(kScales[s % 3].intercept);
  OnDevice<T> in(stored);
  OnDevice<double> slopes_d(slopes), intercepts_d(intercepts);
  OnDevice<float> out(stored.size());
  cuda::rescale(nullptr, {in.data(), type, bits, slices, pixels, slopes_d.data(), intercepts_d.data(), out.data()});
  std::vector<float> expected;
  for (int64_t i = 0; i < slices * pixels; i++) {
    int64_t v = int64_t(stored[i]) & ((int64_t(1) << bits) - 1);
    if (T(-1) < T(0) && v >> (bits - 1)) v -= int64_t(1) << bits;
    const double product = slopes[i / pixels] * double(v);
    expected.push_back(float(product + intercepts[i / pixels]));
  }
  return close(out.download(), expected, 0);
}

template <typename T>
bool stores(int bits, int64_t slices, int64_t pixels) {
  std::vector<float> values = Numbers(uint32_t(bits)).floats(size_t(slices * pixels));
  for (float& v : values) v *= 30000;
  values[values.size() / 2] = NAN;
  values.back() = -INFINITY;
  std::vector<double> slopes, intercepts;
  for (int64_t s = 0; s < slices; s++)
    slopes.push_back(kScales[s % 3].slope), intercepts.push_back(kScales[s % 3].intercept);
  OnDevice<float> in(values);
  OnDevice<double> slopes_d(slopes), intercepts_d(intercepts);
  OnDevice<T> out(values.size());
  OnDevice<int64_t> clipped(1);
  cuda::store(nullptr, {in.data(), T(-1) < T(0), bits, slices, pixels, slopes_d.data(), intercepts_d.data(), out.data(),
                        clipped.data()});
  const double low = T(-1) < T(0) ? -std::ldexp(1, bits - 1) : 0, high = low + std::ldexp(1, bits) - 1;
  std::vector<T> expected;
  int64_t outside = 0;
  for (int64_t i = 0; i < slices * pixels; i++) {
    const double v = std::nearbyint((double(values[i]) - intercepts[i / pixels]) / slopes[i / pixels]);
    outside += !(v >= low && v <= high);
    expected.push_back(static_cast<T>(std::isnan(v) ? low : std::clamp(v, low, high)));
  }
  return close(out.download(), expected, 0) && clipped.download()[0] == outside;
}

}  // namespace

TEST(rescale_gives_the_same_bits) {
  CHECK(rescales<int16_t>(StoredType::i16, 16, 3, 1024));
  CHECK(rescales<int16_t>(StoredType::i16, 12, 3, 317));
  CHECK(rescales<uint16_t>(StoredType::u16, 12, 1, 1));
  CHECK(rescales<uint16_t>(StoredType::u16, 16, 5, 4));
  CHECK(rescales<int8_t>(StoredType::i8, 8, 3, 72));
  CHECK(rescales<uint8_t>(StoredType::u8, 7, 3, 71));
  CHECK(rescales<int32_t>(StoredType::i32, 24, 3, 40));
  CHECK(rescales<uint32_t>(StoredType::u32, 32, 3, 41));
}

TEST(store_gives_the_same_bits_and_counts_what_it_clips) {
  CHECK(stores<int16_t>(16, 3, 4100));
  CHECK(stores<int16_t>(12, 3, 317));
  CHECK(stores<uint16_t>(16, 2, 1));
  CHECK(stores<uint16_t>(12, 4, 2052));
}

TEST(rescale_of_unaligned_slices) {
  std::vector<int16_t> stored(41, 7);
  OnDevice<int16_t> in(stored);
  OnDevice<double> one(std::vector<double>{1}), zero(std::vector<double>{0});
  OnDevice<float> out(40);
  cuda::rescale(nullptr, {in.data() + 1, StoredType::i16, 16, 1, 40, one.data(), zero.data(), out.data()});
  CHECK(close(out.download(), std::vector<float>(40, 7), 0));
}

}  // namespace sino::test
