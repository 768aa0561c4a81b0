// bias_field on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/on_cuda.h"

namespace sino::test {

namespace {

struct Grid {
  int64_t slices, rows, columns, shrink[3], mesh[3];
};

// Two tissues under a field that grows along rows and columns; the background is 0.
std::vector<float> volume_of(const Grid& g) {
  std::vector<float> volume = Numbers(1).floats(size_t(g.slices * g.rows * g.columns));
  for (size_t i = 0; i < volume.size(); i++) {
    const int64_t x = int64_t(i) % g.columns, y = int64_t(i) / g.columns % g.rows;
    const float tissue = i % 7 < 3 ? 100.f : 160.f, field = std::exp(0.05f * float(x) - 0.03f * float(y));
    volume[i] = y == 0 ? 0 : (tissue + 3 * volume[i]) * field;
  }
  return volume;
}

bool agrees(const Grid& g, int levels, int iterations, bool masked, bool flat = false) {
  const std::vector<float> volume = flat ? std::vector<float>(size_t(g.slices * g.rows * g.columns), 5) : volume_of(g);
  std::vector<uint8_t> mask(volume.size());
  for (size_t i = 0; i < mask.size(); i++) mask[i] = i % 5 != 2;
  std::vector<float> field(volume.size()), output(volume.size());
  OnDevice<float> in(volume), field_d(volume.size()), out(volume.size());
  OnDevice<uint8_t> mask_d(mask);
  BiasFieldArgs args = {g.slices,
                        g.rows,
                        g.columns,
                        {g.shrink[0], g.shrink[1], g.shrink[2]},
                        {g.mesh[0], g.mesh[1], g.mesh[2]},
                        levels,
                        iterations,
                        20,
                        0.15,
                        1e-9,
                        volume.data(),
                        masked ? mask.data() : nullptr,
                        field.data(),
                        output.data()};
  cpu::bias_field(on_cpu(), args);
  args.input = in.data(), args.field = field_d.data(), args.output = out.data();
  if (masked) args.mask = mask_d.data();
  cuda::bias_field(nullptr, args);
  return close(field_d.download(), field, 1e-5) && close(out.download(), output, 1e-3);  // of 300
}

}  // namespace

TEST(bias_field_agrees) {
  CHECK(agrees({1, 13, 18, {1, 1, 1}, {1, 1, 1}}, 2, 3, false));
  CHECK(agrees({3, 9, 11, {1, 2, 3}, {1, 2, 1}}, 1, 2, true));
  CHECK(agrees({2, 7, 5, {1, 1, 2}, {2, 3, 4}}, 2, 2, true));  // more control points than places
  CHECK(agrees({1, 5, 6, {1, 2, 2}, {1, 1, 1}}, 1, 2, false, true));
  CHECK(agrees({0, 5, 6, {1, 2, 2}, {1, 1, 1}}, 1, 2, false));
}

TEST(bias_field_of_nothing_says_so) {
  const std::vector<float> volume(12, -1);
  OnDevice<float> in(volume), field(12), out(12);
  const Error error = error_of([&] {
    cuda::bias_field(nullptr,
                     {1, 3, 4, {1, 1, 1}, {1, 1, 1}, 1, 1, 8, 0.15, 0, in.data(), nullptr, field.data(), out.data()});
  });
  CHECK(error.code == Code::out_of_range);
}

}  // namespace sino::test
