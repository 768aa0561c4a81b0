// Calls on arrays of the caller through the table of operations: what slabs, copies and results of slabs amount to is what the
// processor's call gives.
#include <limits>

#include "native/test/cuda/on_cuda.h"

namespace sino::test {

namespace {

// Both backends' results of one call; `make` gets the array to write to.
template <typename T, typename Args, typename Make>
bool agrees(Operation<Args> Backend::* operation, size_t count, double tolerance, const Make& make,
            int64_t slab_slices = 2) {
  OnCuda cuda(0, slab_slices);
  std::vector<T> here(count, T(7)), there(count, T(7));
  (cpu_backend().*operation).run(on_cpu(), make(here.data()));
  (cuda_backend().*operation).run(cuda.context, make(there.data()));
  return close(there, here, tolerance);
}

}  // namespace

TEST(slabs_give_what_one_call_gives) {
  const std::vector<float> image = Numbers(1).floats(5 * 9 * 11);
  for (int64_t slab : {1, 2, 3, 5, 16})
    CHECK(agrees<float>(
        &Backend::gaussian, image.size(), 1e-6,
        [&](float* out) { return GaussianArgs{5, 9, 11, 1, 1, 2, 2, image.data(), out}; }, slab));
}

TEST(calls_without_slices_do_nothing) {
  float any = 1;
  CHECK(agrees<float>(&Backend::gaussian, 1, 0,
                      [&](float* out) { return GaussianArgs{0, 9, 11, 1, 1, 2, 2, &any, out}; }));
  int64_t clipped = 5;
  OnCuda cuda;
  int16_t stored = 3;
  cuda_backend().store.run(cuda.context, {&any, true, 16, 0, 9, nullptr, nullptr, &stored, &clipped});
  CHECK(clipped == 5 && stored == 3);  // nothing added
}

TEST(tables_of_slices_and_counts_go_with_their_slabs) {
  constexpr int64_t kSlices = 5, kPixels = 13;
  const std::vector<double> slopes = {1, 2, 3, 4, 5}, intercepts = {5, 4, 3, 2, 1};
  std::vector<int16_t> stored;
  std::vector<float> values;
  Numbers numbers;
  for (int64_t i = 0; i < kSlices * kPixels; i++) {
    stored.push_back(int16_t(numbers.bits()));
    values.push_back(100000 * numbers.next());
  }
  CHECK(agrees<float>(&Backend::rescale, stored.size(), 0, [&](float* out) {
    return RescaleArgs{stored.data(), StoredType::i16, 16, kSlices, kPixels, slopes.data(), intercepts.data(), out};
  }));
  int64_t clipped = 0;
  const auto store = [&](int16_t* out) {
    return StoreArgs{values.data(), true, 16, kSlices, kPixels, slopes.data(), intercepts.data(), out, &clipped};
  };
  std::vector<int16_t> out(values.size());
  cpu_backend().store.run(on_cpu(), store(out.data()));
  const int64_t expected = clipped;
  CHECK(expected > 0);
  clipped = 0;
  OnCuda cuda;
  cuda_backend().store.run(cuda.context, store(out.data()));
  CHECK(clipped == expected);
  clipped = 0;
  CHECK(agrees<int16_t>(&Backend::store, values.size(), 0, store));
}

TEST(an_array_that_is_replaced_is_replaced) {
  std::vector<float> image = Numbers(3).floats(4 * 6 * 7), other = image;
  OnCuda cuda;
  const auto weights = std::vector<double>{2};
  if (!cuda_backend().combine) return;
  const double infinity = std::numeric_limits<double>::infinity();
  cpu_backend().combine.run(on_cpu(),
                            {int64_t(image.size()), {image.data()}, weights, 1, -infinity, infinity, image.data()});
  cuda_backend().combine.run(cuda.context,
                             {int64_t(other.size()), {other.data()}, weights, 1, -infinity, infinity, other.data()});
  CHECK(close(other, image, 1e-6));
}

TEST(numbered_elements_and_results_of_slabs_come_together) {
  CHECK(agrees<float>(&Backend::normal_noise, 50, 1e-6, [](float* out) { return RandomArgs{{7, 1}, 12, 50, out}; }));
  std::vector<float> values = Numbers(9).floats(50);
  values[31] = NAN;
  Statistics here{0, NAN, NAN, 0}, there = here;
  OnCuda cuda;
  cpu_backend().statistics.run(on_cpu(), {50, values.data(), &here});
  cuda_backend().statistics.run(cuda.context, {50, values.data(), &there});
  CHECK(there.non_finite == 1 && there.minimum == here.minimum && there.maximum == here.maximum);
  CHECK(std::fabs(there.sum - here.sum) < 1e-6);
}

TEST(tables_serve_every_slab) {
  const std::vector<float> image = Numbers(2).floats(5 * 12);
  std::vector<uint8_t> mask(5 * 12);
  for (size_t i = 0; i < mask.size(); i++) mask[i] = i % 3 == 0 || i == 25;
  for (const int64_t masks : {1, 5})
    CHECK(agrees<float>(&Backend::metrics_window, image.size(), 1e-6, [&](float* out) {
      return WindowArgs{5, 12, -0.5f, 0.5f, 0, mask.data(), masks, image.data(), out};
    }));
}

TEST(what_is_measured_and_restored_comes_back_from_slabs) {
  constexpr int64_t kSlices = 5, kRows = 9, kColumns = 10;
  std::vector<float> image = Numbers(4).floats(kSlices * kRows * kColumns);
  for (float& v : image) v = 2 + v;
  const std::vector<float> mask = Numbers(5).floats(kRows * kColumns);
  std::vector<double> motion, edges;
  for (int64_t v = 0; v < kSlices * kRows; v++) motion.push_back(double(v % 4) - 1);
  for (int64_t s = 0; s < kSlices; s++) edges.insert(edges.end(), {4, 4.5 + 0.3 * double(s), 0.8, 0.6, 0});
  const double* m = motion.data();
  CHECK(agrees<float>(&Backend::kspace, image.size(), 1e-5, [&](float* out) {
    return KspaceArgs{kSlices, kRows, kColumns, mask.data(), m, m, m, image.data(), out};
  }));
  CHECK(agrees<float>(&Backend::block_matching, image.size(), 1e-5, [&](float* out) {
    return BlockMatchingArgs{kSlices, kRows, kColumns, 2, {0.1, 0.2, 0.3, 0.4, 0.5}, image.data(), out};
  }));
  CHECK(agrees<float>(&Backend::bias_field, 2 * image.size(), 1e-5, [&](float* out) {
    return BiasFieldArgs{kSlices, kRows, kColumns, {1, 2, 2},    {1, 1, 1}, 1,   2,
                         16,      0.15,  0,        image.data(), nullptr,   out, out + image.size()};
  }));
  CHECK(agrees<double>(&Backend::noise_power, 16, 1e-10, [&](double* out) {
    return NoisePowerArgs{kSlices, kRows, kColumns, 4, 1, {0, 1, 5, 6}, image.data(), out};
  }));
  CHECK(agrees<double>(&Backend::edge_line, 4 * kSlices, 1e-9,
                       [&](double* out) { return EdgeLineArgs{kSlices, kRows, kColumns, 3, image.data(), out}; }));
  CHECK(agrees<double>(&Backend::edge_spread, 2 * 6 * kSlices, 1e-10, [&](double* out) {
    return EdgeSpreadArgs{kSlices, kRows, kColumns, 6, 1, 3, edges.data(), image.data(), out, out + 6 * kSlices};
  }));
  CHECK(agrees<double>(&Backend::channel_response, 3 * kSlices, 1e-10, [&](double* out) {
    return ChannelArgs{kSlices, kRows, kColumns, 3, 4, 4.5, 5, image.data(), out};
  }));
}

TEST(nan_is_refused_before_and_between_slabs_alike) {
  std::vector<float> image(6 * 4, 1), out(6 * 4, 7);
  image[17] = NAN;
  const SliceArrays call = {6, image.data(), 4, out.data(), 4, "sinograms"};
  const auto run = [&](const Context& context) {
    return error_of([&] {
      in_slabs(context, call, [](const Context& there, const SliceArrays& s) {
        there.fill_zero(s.output, s.slices * s.output_size * int64_t(sizeof(float)));
      });
    });
  };
  OnCuda cuda;
  const Error there = run(cuda.context), here = run(on_cpu());
  CHECK(there.code == Code::out_of_range);
  CHECK(std::string(there.what()) == here.what() && there.details == here.details);
}

TEST(progress_reaches_the_total_and_an_abort_ends_between_slabs) {
  const std::vector<float> image = Numbers(1).floats(6 * 5 * 5);
  std::vector<float> out(image.size());
  const GaussianArgs args = {6, 5, 5, 1, 1, 2, 2, image.data(), out.data()};
  OnCuda cuda;
  cuda.job.total = 600;
  cuda_backend().gaussian.run(cuda.context, args);
  CHECK(cuda.job.done == 600);
  cuda.job.done = 0;
  cuda.job.owner = &cuda.job;
  cuda.job.notify = [](void* owner) { static_cast<JobControl*>(owner)->cancelled = true; };
  CHECK(error_of([&] { cuda_backend().gaussian.run(cuda.context, args); }).code == Code::cancelled);
  CHECK(cuda.job.done == 200);
  cuda.job.cancelled = false, cuda.job.notify = nullptr;
  cuda_backend().gaussian.run(cuda.context, args);  // the device goes on
}

TEST(an_abort_ends_between_launches) {
  const std::vector<float> image = Numbers(1).floats(2 * 5 * 5);
  std::vector<float> out(image.size(), 7);
  OnCuda cuda;
  bool went_on = false;
  const Error error = error_of([&] {
    in_slabs(cuda.context, SliceArrays{2, image.data(), 25, out.data(), 25},
             [&](const Context& there, const SliceArrays& s) {
               const GaussianArgs args = {s.slices, 5, 5, 1, 1, 2, 2, s.input, s.output};
               cuda_backend().gaussian(there, args);
               cuda.job.cancelled = true;
               cuda_backend().gaussian(there, args);
               went_on = true;
             });
  });
  CHECK(error.code == Code::cancelled && !went_on);
  CHECK(out == std::vector<float>(image.size(), 7));  // nothing of it reaches the caller
  cuda.job.cancelled = false;
  cuda_backend().gaussian.run(cuda.context, {2, 5, 5, 1, 1, 2, 2, image.data(), out.data()});  // the device goes on
}

TEST(nan_in_an_image_stays_where_it_reaches) {
  std::vector<float> image(3 * 6 * 7, 1);
  image[50] = NAN, image[90] = INFINITY;
  CHECK(agrees<float>(&Backend::gaussian, image.size(), 1e-6,
                      [&](float* out) { return GaussianArgs{3, 6, 7, 1, 1, 1, 1, image.data(), out}; }));
}

TEST(an_operation_without_kernel_says_so_by_name) {
  OnCuda cuda;
  const Operation<GaussianArgs> none = {"gaussian", nullptr};
  float any = 0;
  const Error error = error_of([&] { none.run(cuda.context, {1, 1, 1, 1, 1, 1, 1, &any, &any}); });
  CHECK(error.code == Code::unsupported && std::string(error.what()).find("no gaussian for CUDA") != std::string::npos);
}

TEST(devices_are_named) {
  CHECK(device_named("auto").kind == DeviceName::Kind::automatic);
  CHECK(device_named("cpu").kind == DeviceName::Kind::cpu);
  CHECK(device_named("cuda:12").kind == DeviceName::Kind::cuda && device_named("cuda:12").index == 12);
  for (const char* wrong : {"", "cuda", "cuda:", "cuda:-1", "cuda:1x", "CUDA:0", "cuda:1000", "gpu"})
    CHECK(error_of([&] { device_named(wrong); }).code == Code::out_of_range);
}

}  // namespace sino::test
