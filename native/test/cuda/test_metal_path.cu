// metal_path on CUDA against the CPU: the same bits.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

TEST(metal_path_gives_the_same_bits) {
  for (const int64_t bins : {0, 1, 2, 7, 64, 259})
    for (const int64_t lines : {1, 5})
      for (const Edge edge : {Edge::none, Edge::div4}) {
        const size_t count = size_t(lines * bins);
        std::vector<float> lengths = Numbers(uint32_t(bins)).floats(count), paths(count);
        for (float& l : lengths) l = l > -0.3f ? l + 0.3f : 0;
        if (count > 3) lengths[count / 2] = NAN;
        std::vector<uint8_t> trace(count);
        OnDevice<float> in(lengths), out(count);
        OnDevice<uint8_t> out_trace(count);
        cpu::metal_path(on_cpu(), {lines, bins, 0.07f, edge, lengths.data(), paths.data(), trace.data()});
        cuda::metal_path(nullptr, {lines, bins, 0.07f, edge, in.data(), out.data(), out_trace.data()});
        CHECK(close(out.download(), paths, 0) && close(out_trace.download(), trace, 0));
      }
}

}  // namespace sino::test
