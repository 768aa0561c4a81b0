// covariance, mix_volumes and rician on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool same_covariances(int64_t volumes, int64_t voxels, bool everywhere) {
  std::vector<float> x = Numbers(uint32_t(volumes)).floats(size_t(volumes * voxels));
  for (size_t i = 0; i < x.size(); i++) x[i] += float(i % 3);
  std::vector<uint8_t> where;
  for (int64_t v = 0; v < voxels; v++) where.push_back(v % 7 < 5);
  std::vector<double> means(static_cast<size_t>(volumes)), found_means(means.size());
  std::vector<double> expected(size_t(volumes * volumes)), found(expected.size());
  OnDevice<float> in(x);
  OnDevice<uint8_t> where_d(where);
  cpu::covariance(on_cpu(),
                  {volumes, voxels, x.data(), everywhere ? nullptr : where.data(), means.data(), expected.data()});
  cuda::covariance(
      nullptr, {volumes, voxels, in.data(), everywhere ? nullptr : where_d.data(), found_means.data(), found.data()});
  return close(found_means, means, 1e-12) && close(found, expected, 1e-12);
}

bool mixtures_agree(int64_t volumes, int64_t voxels, int64_t outputs) {
  Numbers numbers(3);
  std::vector<float> x = numbers.floats(size_t(volumes * voxels)), expected(size_t(outputs * voxels));
  if (x.size() > 40) x[31] = NAN;
  std::vector<double> matrix, offsets;
  for (int64_t i = 0; i < outputs * volumes; i++) matrix.push_back(numbers.next());
  for (int64_t i = 0; i < outputs; i++) offsets.push_back(numbers.next());
  OnDevice<float> in(x), out(expected.size());
  cpu::mix_volumes(on_cpu(), {volumes, voxels, outputs, x.data(), matrix.data(), offsets.data(), expected.data()});
  cuda::mix_volumes(nullptr, {volumes, voxels, outputs, in.data(), matrix.data(), offsets.data(), out.data()});
  return close(out.download(), expected, 1e-6);  // rounded once, up to 8
}

}  // namespace

TEST(covariances_agree) {
  CHECK(same_covariances(1, 1, true));
  CHECK(same_covariances(3, 7, false));
  CHECK(same_covariances(17, 131, false));
  CHECK(same_covariances(2, (1 << 15) + 5, true));  // two parts
  CHECK(same_covariances(2, 0, true));
  CHECK(same_covariances(0, 4, true));
}

TEST(mixtures_of_volumes_agree) {
  CHECK(mixtures_agree(1, 1, 1));
  CHECK(mixtures_agree(5, 301, 7));
  CHECK(mixtures_agree(0, 9, 3));
  CHECK(mixtures_agree(4, 0, 3));
}

TEST(rician_agrees) {
  for (const double sigma : {0.0, 0.5}) {
    std::vector<float> x = Numbers(5).floats(333), expected(x.size());
    for (float& v : x) v = std::fabs(v) * 6;
    x[7] = NAN, x[8] = 0, x[9] = 1e6f;
    OnDevice<float> in(x);
    cpu::rician(on_cpu(), {int64_t(x.size()), sigma, x.data(), expected.data()});
    cuda::rician(nullptr, {int64_t(x.size()), sigma, in.data(), in.data()});
    bool ok = true;
    const std::vector<float> found = in.download();
    for (size_t i = 0; i < x.size(); i++)
      ok = ok && (std::isnan(expected[i]) ? std::isnan(found[i])
                                          : std::fabs(found[i] - expected[i]) <= 1e-6f * (1 + std::fabs(expected[i])));
    CHECK(ok);
  }
}

}  // namespace sino::test
