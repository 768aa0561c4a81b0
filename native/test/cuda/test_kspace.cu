// kspace on CUDA against the CPU: double on both sides, rounded once.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

bool agrees(int64_t slices, int64_t rows, int64_t columns, bool masked, bool moves) {
  const size_t lines = size_t(slices * rows);
  const std::vector<float> image = Numbers(1).floats(lines * size_t(columns));
  std::vector<float> mask = Numbers(2).floats(size_t(rows * columns)), expected(image.size());
  std::vector<double> turn(lines), down(lines), right(lines);
  for (size_t v = 0; v < lines; v++) {
    turn[v] = 12.5 * double(v % 3) - 12.5;  // lines of one angle apart from each other; one of them is 0
    down[v] = 0.3 * double(v % 5), right[v] = 1.7 - 0.25 * double(v);
  }
  OnDevice<float> in(image), mask_d(mask), out(image.size());
  OnDevice<double> turn_d(turn), down_d(down), right_d(right);
  KspaceArgs args = {slices,  rows,         columns,        masked ? mask.data() : nullptr, nullptr, nullptr,
                     nullptr, image.data(), expected.data()};
  if (moves) args.turn = turn.data(), args.down = down.data(), args.right = right.data();
  cpu::kspace(on_cpu(), args);
  args.mask = masked ? mask_d.data() : nullptr, args.input = in.data(), args.output = out.data();
  if (moves) args.turn = turn_d.data(), args.down = down_d.data(), args.right = right_d.data();
  cuda::kspace(nullptr, args);
  return close(out.download(), expected, 1e-6);
}

}  // namespace

TEST(kspace_agrees) {
  for (const bool moves : {false, true}) {
    CHECK(agrees(1, 1, 1, false, moves) && agrees(1, 8, 12, false, moves) && agrees(2, 7, 10, true, moves));
    CHECK(agrees(1, 6, 1, true, moves) && agrees(1, 1, 5, true, moves) && agrees(0, 3, 3, true, moves));
  }
}

TEST(kspace_of_lines_too_long_for_a_block_agrees) { CHECK(agrees(1, 3, 8192, true, false)); }

}  // namespace sino::test
