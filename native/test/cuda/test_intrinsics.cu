// What kernels stand on, the same on both targets: votes, shuffles, atomics, half, fragments of the tensor cores.
#include <cstring>

#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

constexpr int kResults = 16;
// results[i][thread], for one block of 48: a whole warp and half of one.
__global__ void ask_the_warp(unsigned* results) {
  const unsigned t = threadIdx.x, lane = t % 32;
  const unsigned warp = t < 32 ? 0xffffffffu : 0x0000ffffu;
  const auto put = [&](int i, unsigned v) { results[i * 48 + t] = v; };
  put(0, __ballot_sync(warp, t % 3 == 0));
  put(1, unsigned(__any_sync(warp, t == 40)));
  put(2, unsigned(__all_sync(warp, t < 32)));
  put(3, __shfl_sync(warp, t * 10, 5));
  put(4, __shfl_up_sync(warp, t, 3, 16));
  put(5, __shfl_down_sync(warp, t, 3, 16));
  put(6, __shfl_xor_sync(warp, t, 9));
  put(7, __match_any_sync(warp, t % 4) & warp);
  put(8, unsigned(__syncthreads_count(t % 5 == 0)));
  put(9, unsigned(__syncthreads_or(t == 47)));
  put(10, unsigned(__syncthreads_and(t < 47)));
  put(11, unsigned(__popc(t)) + 100 * unsigned(__clz(int(t))) + 10000 * unsigned(__ffs(int(t))));
  put(12, __float_as_uint(float(lane)));
  put(13, unsigned(__float2int_rd(-0.5f) + 10));
  put(14, __umulhi(0x80000001u, t));
  put(15, unsigned(min(int(t), 7) + max(int64_t(t), int64_t(20))));
}

__global__ void use_atomics(int* ints, float* floats, unsigned long long* wide) {
  const int t = int(threadIdx.x + blockIdx.x * blockDim.x);
  atomicAdd(&ints[0], t);
  atomicMin(&ints[1], 50 - t);
  atomicMax(&ints[2], t);
  atomicOr(&ints[3], 1 << t % 20);
  int old = ints[4] * 0, seen;
  do {
    seen = old;
    old = atomicCAS(&ints[5], seen, seen + 2);
  } while (old != seen);
  atomicAdd(&floats[0], 0.5f);
  atomicAdd(&wide[0], 1ull << 33);
}

__global__ void halve(const float* in, half* out, float* back, int n) {
  const int i = int(threadIdx.x + blockIdx.x * blockDim.x);
  if (i >= n) return;
  out[i] = __float2half_rn(in[i]);
  const half2 both = __floats2half2_rn(in[i], 1.f);
  back[i] = __low2float(__hfma2(both, __float2half2_rn(2.f), __hneg2(both)));
}

}  // namespace

TEST(warps_and_blocks_answer) {
  OnDevice<unsigned> results(kResults * 48);
  LAUNCH(ask_the_warp, 1, 48, 0, nullptr)(results.data());
  const std::vector<unsigned> found = results.download();
  for (unsigned t = 0; t < 48; t++) {
    const unsigned first = t / 32 * 32, size = t < 32 ? 32 : 16;
    unsigned third = 0, fourth = 0;
    for (unsigned l = 0; l < size; l++)
      third |= unsigned((first + l) % 3 == 0) << l, fourth |= unsigned(l % 4 == t % 4) << l;
    const auto bits = [](float v) {
      unsigned u;
      std::memcpy(&u, &v, sizeof u);
      return u;
    };
    const unsigned expected[kResults] = {third,
                                         t >= 32,
                                         t < 32,
                                         (first + 5) * 10,
                                         t % 16 >= 3 ? t - 3 : t,
                                         t % 16 < 13 ? t + 3 : t,
                                         t ^ 9,
                                         fourth,
                                         10,
                                         1,
                                         0,
                                         unsigned(__builtin_popcount(t)) +
                                             100 * (t == 0 ? 32u : unsigned(__builtin_clz(t))) +
                                             10000 * unsigned(__builtin_ffs(int(t))),
                                         bits(float(t % 32)),
                                         9,
                                         unsigned((0x80000001ull * t) >> 32),
                                         (t < 7 ? t : 7) + (t > 20 ? t : 20)};
    for (int i = 0; i < kResults; i++)
      if (found[size_t(i) * 48 + t] != expected[i]) {
        std::printf("answer %d of thread %u: %u, not %u\n", i, t, found[size_t(i) * 48 + t], expected[i]);
        CHECK(false);
      }
  }
}

TEST(atomics_lose_nothing) {
  OnDevice<int> ints(std::vector<int>{0, 1000, -1000, 0, 0, 0});
  OnDevice<float> floats(std::vector<float>{0});
  OnDevice<unsigned long long> wide(std::vector<unsigned long long>{0});
  LAUNCH(use_atomics, 4, 75, 0, nullptr)(ints.data(), floats.data(), wide.data());
  CHECK(close(ints.download(), std::vector<int>{299 * 150, 50 - 299, 299, (1 << 20) - 1, 0, 600}, 0));
  CHECK(floats.download()[0] == 150);
  CHECK(wide.download()[0] == 300ull << 33);
}

TEST(half_rounds_to_nearest_even) {
  // 2⁻²⁵ and 3 · 2⁻²⁵ are ties among subnormals, 2049 and 2051 among normals; 65520 is the first that overflows
  const std::vector<float> values = {0,        -1.5f,      2049,     2051,  65519, 65520,   -70000,
                                     0x1p-25f, 0x1.8p-24f, 0x1p-24f, 1e-9f, 0.1f,  INFINITY};
  const std::vector<uint16_t> expected = {0,      0xbe00, 0x6800, 0x6802, 0x7bff, 0x7c00, 0xfc00,
                                          0x0000, 0x0002, 0x0001, 0x0000, 0x2e66, 0x7c00};
  OnDevice<float> in(values), back(values.size());
  OnDevice<half> out(values.size());
  LAUNCH(halve, 1, 32, 0, nullptr)(in.data(), out.data(), back.data(), int(values.size()));
  const std::vector<half> found = out.download();
  const std::vector<float> again = back.download();
  for (size_t i = 0; i < values.size(); i++) {
    uint16_t bits;
    std::memcpy(&bits, &found[i], 2);
    CHECK(bits == expected[i]);
    if (std::fabs(values[i]) < 30000) CHECK(again[i] == __half2float(found[i]));  // 2v − v
  }
}

}  // namespace sino::test
