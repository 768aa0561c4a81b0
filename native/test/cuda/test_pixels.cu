// combine, threshold, non_zero, select and statistics on CUDA against the CPU: the same bits.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

constexpr int64_t kCounts[] = {0, 1, 3, 4, 255, 1030};

std::vector<float> with_edges(int64_t count, uint32_t seed) {
  std::vector<float> values = Numbers(seed).floats(size_t(count));
  const float edges[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 0.25f};
  for (int64_t i = 0; i < count / 8; i++) values[size_t(i * 7)] = edges[i % 6];
  return values;
}

bool same_statistics(const std::vector<float>& values, size_t skipped) {
  OnDevice<float> in(values);
  const int64_t count = int64_t(values.size() - skipped);
  Statistics expected, found;
  cpu::statistics(on_cpu(), {count, values.data() + skipped, &expected});
  cuda::statistics(nullptr, {count, in.data() + skipped, &found});
  return found.non_finite == expected.non_finite &&
         close(std::vector<double>{found.minimum, found.maximum},
               std::vector<double>{expected.minimum, expected.maximum}, 0) &&
         std::fabs(found.sum - expected.sum) <= 1e-12 * double(count);
}

}  // namespace

TEST(combine_gives_the_same_bits) {
  for (const int64_t count : kCounts)
    for (const int terms : {0, 1, 3})
      for (const size_t skipped : {0, 1}) {  // 1: not aligned
        const std::vector<float> x = with_edges(count + 1, 1), y = with_edges(count + 1, 2),
                                 z = with_edges(count + 1, 3);
        OnDevice<float> xd(x), yd(y), zd(z), out(size_t(count) + 1);
        std::vector<float> expected(static_cast<size_t>(count));
        const double high = terms == 3 ? 0.7 : INFINITY;
        CombineArgs args = {
            count, {x.data() + skipped, y.data(), z.data()}, {0.3, -1.7, 1 / 3.0}, 0.1, -high, high, expected.data()};
        args.terms.resize(size_t(terms)), args.weights.resize(size_t(terms));
        cpu::combine(on_cpu(), args);
        args.terms = {xd.data() + skipped, yd.data(), zd.data()}, args.output = out.data();
        args.terms.resize(size_t(terms));
        cuda::combine(nullptr, args);
        CHECK(close(out.download(size_t(count)), expected, 0));
      }
}

TEST(threshold_non_zero_and_select_agree) {
  for (const int64_t count : kCounts)
    for (const size_t skipped : {0, 1}) {
      const std::vector<float> a = with_edges(count + 1, 1), b = with_edges(count + 1, 2);
      OnDevice<float> ad(a), bd(b), out(size_t(count) + 1);
      OnDevice<uint8_t> mask(size_t(count) + 1);
      std::vector<uint8_t> expected(static_cast<size_t>(count));
      for (const bool above : {true, false}) {
        cpu::threshold(on_cpu(), {count, a.data() + skipped, 0.25f, above, expected.data()});
        cuda::threshold(nullptr, {count, ad.data() + skipped, 0.25f, above, mask.data()});
        CHECK(close(mask.download(size_t(count)), expected, 0));
      }
      cpu::non_zero(on_cpu(), {count, a.data(), expected.data()});
      cuda::non_zero(nullptr, {count, ad.data(), mask.data()});
      CHECK(close(mask.download(size_t(count)), expected, 0));
      for (int which = 0; which < 4; which++) {
        std::vector<float> selected(static_cast<size_t>(count));
        cpu::select(on_cpu(), {count, expected.data(), which & 1 ? a.data() : nullptr,
                               which & 2 ? b.data() + skipped : nullptr, 5, 6, selected.data()});
        cuda::select(nullptr, {count, mask.data(), which & 1 ? ad.data() : nullptr,
                               which & 2 ? bd.data() + skipped : nullptr, 5, 6, out.data()});
        CHECK(close(out.download(size_t(count)), selected, 0));
      }
    }
}

TEST(statistics_agree) {
  for (const int64_t count : kCounts) CHECK(same_statistics(with_edges(count, 4), 0));
  CHECK(same_statistics(with_edges((3 << 14) + 5, 5), 0));  // four chunks
  CHECK(same_statistics(with_edges(77, 5), 1));
  CHECK(same_statistics(std::vector<float>(9, NAN), 0));
}

}  // namespace sino::test
