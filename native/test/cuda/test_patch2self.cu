// Patch2Self on a device, from the caller's arrays to the caller's arrays, as on the processor.
#include "native/recon/patch2self.h"
#include "native/test/cuda/on_cuda.h"

namespace sino::test {

namespace {

bool agrees(int64_t volumes, int64_t voxels, bool everywhere, std::vector<std::vector<int64_t>> groups) {
  Numbers numbers{uint32_t(voxels)};
  const std::vector<float> common = numbers.floats(size_t(voxels));
  std::vector<float> input = numbers.floats(size_t(volumes * voxels)), output[2];
  for (int64_t i = 0; i < volumes * voxels; i++) input[i] = 100 + 20 * common[i % voxels] + input[i];
  std::vector<uint8_t> where;
  for (int64_t i = 0; i < voxels; i++) where.push_back(i % 5 != 0);
  OnCuda cuda;
  for (int side = 0; side < 2; side++) {
    output[side].resize(input.size());
    const Patch2SelfArgs args{
        volumes, voxels, input.data(), everywhere ? nullptr : where.data(), groups, output[side].data()};
    const Backend& backend = side == 0 ? noting_backend() : cuda_backend();
    in_slabs(side == 0 ? on_cpu() : cuda.context, args,
             [&](const Context& context, const Patch2SelfArgs& all) { patch2self(context, backend, all); });
  }
  return close(output[1], output[0], 1e-4);  // of 120: sums of float32 products in another order
}

}  // namespace

TEST(patch2self_on_a_device_agrees) {
  CHECK(agrees(5, 131, true, {{0, 1, 2, 3, 4}}));
  CHECK(agrees(7, 64, false, {{1, 3, 4}, {0, 6}}));  // volumes 2 and 5 are copied
  CHECK(agrees(2, 1, true, {}));
  CHECK(are_what_was_called(patch2self_needs()));
}

TEST(patch2self_on_a_device_refuses_nan) {
  const std::vector<float> input = {1, 2, NAN, 4};
  std::vector<float> output(4);
  OnCuda cuda;
  const Error error = error_of([&] {
    in_slabs(cuda.context, Patch2SelfArgs{2, 2, input.data(), nullptr, {{0, 1}}, output.data()},
             [&](const Context& context, const Patch2SelfArgs& all) { patch2self(context, cuda_backend(), all); });
  });
  CHECK(error.code == Code::out_of_range);
}

}  // namespace sino::test
