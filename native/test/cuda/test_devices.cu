// What goes wrong with devices: none there, memory that runs out, failures at every call, a device that is lost. Planted in the shim.
#include "native/test/cuda/on_cuda.h"

#if !defined(__CUDACC__)

namespace sino::test {

namespace {

constexpr int64_t kSlices = 4, kRows = 16, kColumns = 24, kPixels = kRows * kColumns;

bool says(const Error& error, const char* words) {
  if (std::string(error.what()).find(words) != std::string::npos) return true;
  std::printf("no \"%s\" in: %s\n", words, error.what());
  return false;
}

// A call with its right result.
struct Call {
  std::vector<float> image = Numbers(5).floats(kSlices * kPixels), expected, found;
  Call() : expected(image.size()), found(image.size()) { cpu_backend().gaussian(on_cpu(), args(expected)); }
  GaussianArgs args(std::vector<float>& out) const {
    return {kSlices, kRows, kColumns, 1, 1, 2, 2, image.data(), out.data()};
  }
  void run(const Context& context) { cuda_backend().gaussian.run(context, args(found)); }
  bool is_right() const { return close(found, expected, 1e-6); }
};

Error error_of_opening(int index) {
  const auto device = make_cuda_device(index);
  return error_of([&] { device->open(); });
}

}  // namespace

TEST(a_device_that_is_not_there_says_what_is) {
  simt::reset(2);
  Error error = error_of_opening(2);
  CHECK(error.code == Code::backend_unavailable && error.device == "cuda:2");
  CHECK(says(error, "cuda:0 to cuda:1"));
  simt::reset(0);
  CHECK(says(error_of_opening(0), "shows no device"));
  simt::reset(-1);
  error = error_of_opening(0);
  CHECK(error.code == Code::backend_unavailable);
  CHECK(says(error, "serves CUDA 11.0 and this addon was built with 13.0"));
  CHECK(list_devices().size() == 2 && !list_devices()[1].usable);
  simt::reset(2);
  simt::device(1).properties.major = 7;
  CHECK(says(error_of_opening(1), "compute capability 7.0 and 7.5"));
  CHECK(error_of_opening(0).code == Code::internal);  // none
  const std::vector<DeviceInfo> devices = list_devices();
  CHECK(devices.size() == 3 && devices[1].usable && !devices[2].usable && devices[2].name == "cuda:1");
}

TEST(what_does_not_fit_goes_in_smaller_slabs) {
  Call call;
  // both slabs of two slices; one slab at a time; one slice at a time
  for (const size_t slices_there : {8, 5, 3}) {
    simt::reset();
    simt::device().properties.totalGlobalMem = slices_there * kPixels * 8 * 33 / 32 + 4096;
    OnCuda cuda(0, 4);
    call.run(cuda.context);
    CHECK(call.is_right());
  }
}

TEST(working_memory_that_nobody_foresaw_halves_the_slabs) {
  constexpr int64_t kWorking = 64 << 10;  // of a slice
  simt::device().properties.totalGlobalMem = 3 * kWorking;
  std::vector<float> from = Numbers(4).floats(8), to(8);
  std::vector<int64_t> sizes;
  OnCuda cuda(0, 8);
  in_slabs(cuda.context, SliceArrays{8, from.data(), 1, to.data(), 1},
           [&](const Context& context, const SliceArrays& s) {
             const auto working = context.scratch<char>(s.slices * kWorking);
             sizes.push_back(s.slices);
             context.copy_rows(s.output, 4, s.input, 4, 4, s.slices);
           });
  CHECK(close(to, from, 0));
  CHECK(sizes == std::vector<int64_t>(4, 2));  // after 8 and 4
}

TEST(a_slice_that_does_not_fit_is_refused_with_its_bytes) {
  Call call;
  simt::device().properties.totalGlobalMem = kPixels * 6;
  OnCuda cuda;
  const Error error = error_of([&] { call.run(cuda.context); });
  CHECK(error.code == Code::out_of_memory && error.device == "cuda:0");
  CHECK(error.details.size() == 2 && error.details[0].first == "needed" && error.details[0].second >= kPixels * 8);
  CHECK(error.details[1].first == "available" && error.details[1].second < kPixels * 6);
  simt::device().properties.totalGlobalMem = size_t(1) << 30;
  call.run(cuda.context);
  CHECK(call.is_right());
}

TEST(memory_of_others_counts) {
  Call call;
  simt::device().properties.totalGlobalMem = kPixels * 100;
  OnDevice<char> others(kPixels * 95);
  OnCuda cuda;
  CHECK(error_of([&] { call.run(cuda.context); }).code == Code::out_of_memory);
}

TEST(any_call_may_run_out_of_memory) {
  Call call;
  int failed = 0;
  for (int n = 0;; n++) {
    simt::reset();
    call.found.assign(call.found.size(), 0);
    OnCuda cuda;
    simt::device().calls_left = n;
    simt::device().planned = cudaErrorMemoryAllocation;
    const Error error = error_of([&] { call.run(cuda.context); });
    const bool reached = simt::device().calls_left < 0;
    simt::device().calls_left = -1;
    CHECK(error.code == Code::out_of_memory || call.is_right());
    failed += error.code == Code::out_of_memory;
    call.run(cuda.context);
    CHECK(call.is_right());
    if (!reached) break;
  }
  CHECK(failed < 10);  // only while the host waits: what runs out while a slab is made is tried again
}

TEST(any_call_may_lose_the_device_and_others_go_on) {
  Call call;
  for (int n = 0;; n++) {
    simt::reset(2);
    OnCuda cuda;
    simt::device().calls_left = n;
    simt::device().planned = cudaErrorIllegalAddress;
    Error error = error_of([&] { call.run(cuda.context); });
    if (simt::device().lost == cudaSuccess) {
      CHECK(call.is_right());
      break;
    }
    if (error.code == Code::internal) {  // it happened after the last result was there
      CHECK(call.is_right());
      error = error_of([&] { call.run(cuda.context); });
    }
    CHECK(error.code == Code::device_lost);
    cuda.device->lose(error.what());
    cuda.device->tidy();
    const Error again = error_of([&] { cuda.device->open(); });
    CHECK(again.code == Code::device_lost && again.device == "cuda:0" && says(again, "failed earlier"));
    cudaGetLastError();
    OnCuda other(1);
    call.run(other.context);
    CHECK(call.is_right());
  }
}

TEST(devices_work_side_by_side) {
  simt::reset(2);
  Call a, b;
  OnCuda first(0), second(1);
  in_slabs(first.context, SliceArrays{1, a.image.data(), 1, a.found.data(), 1},
           [&](const Context& there, const SliceArrays& s) {
             there.fill_zero(s.output, sizeof(float));
             second.device->open();  // another job, on its own device, while this one is at work
             b.run(second.context);
             first.device->open();
           });
  a.run(first.context);
  CHECK(a.is_right() && b.is_right());
}

TEST(others_who_use_the_device_go_on) {
  Call call;
  cudaStream_t stream;
  cudaStreamCreate(&stream);
  OnDevice<char> theirs(64);
  cudaMemsetAsync(theirs.data(), 3, 64, stream);
  {
    OnCuda cuda;
    call.run(cuda.context);
    cuda.device->tidy();
  }
  CHECK(call.is_right());
  cudaMemsetAsync(theirs.data() + 32, 4, 32, stream);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  const std::vector<char> found = theirs.download();
  CHECK(found[31] == 3 && found[32] == 4);
  cudaStreamDestroy(stream);
}

}  // namespace sino::test

#endif
