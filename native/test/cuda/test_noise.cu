// Noise on CUDA against the CPU: the same words, the same counts.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

TEST(random_numbers_are_the_same) {
  const RandomSource source = {0x123456789abcdefull, 7};
  for (const int64_t count : {0, 1, 3, 4, 6, 1021})
    for (const size_t skipped : {0, 1}) {
      const int64_t first = (int64_t(1) << 36) + 8;
      std::vector<uint32_t> bits(static_cast<size_t>(count));
      std::vector<float> normal(bits.size());
      OnDevice<uint32_t> bits_d(bits.size() + 1);
      OnDevice<float> normal_d(bits.size() + 1);
      cpu::random_bits(on_cpu(), {source, first, count, bits.data()});
      cpu::normal_noise(on_cpu(), {source, first, count, normal.data()});
      cuda::random_bits(nullptr, {source, first, count, bits_d.data() + skipped});
      cuda::normal_noise(nullptr, {source, first, count, normal_d.data() + skipped});
      if (count == 0) continue;
      OnDevice<uint32_t> bits_found(bits.size());
      OnDevice<float> normal_found(bits.size());
      expect(cudaMemcpy(bits_found.data(), bits_d.data() + skipped, bits.size() * 4, cudaMemcpyDeviceToDevice));
      expect(cudaMemcpy(normal_found.data(), normal_d.data() + skipped, bits.size() * 4, cudaMemcpyDeviceToDevice));
      CHECK(close(bits_found.download(), bits, 0));
      CHECK(close(normal_found.download(), normal, 1e-6));  // log and cos of two libraries, rounded to float
    }
}

TEST(photon_counts_are_the_same) {
  for (const int64_t count : {0, 1, 700}) {
    std::vector<float> p(static_cast<size_t>(count)), expected(p.size());
    for (size_t i = 0; i < p.size(); i++)
      p[i] = float(i % 70) * 0.25f - 2;  // means from 7e5 to 0: both samplers, and none
    if (count > 9) p[9] = NAN, p[10] = -90;
    OnDevice<float> in(p);
    const RandomSource source = {42, 1};
    cpu::photon_noise(on_cpu(), {source, 5, count, 1e5, 0.5, p.data(), expected.data()});
    cuda::photon_noise(nullptr, {source, 5, count, 1e5, 0.5, in.data(), in.data()});
    CHECK(close(in.download(), expected, 2e-6));  // 1 ulp of values up to 17
  }
}

}  // namespace sino::test
