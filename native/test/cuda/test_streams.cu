// The runtime's side: streams, events, copies, memory that runs out, a device that is lost. What the device does as well is
// tested on both targets; what only the shim can plant or see is not compiled by nvcc.
#include <functional>

#include "cuda/check.cuh"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

__global__ void add_one(float* data, int n) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) data[i] += 1;
}
constexpr int kCount = 100;
constexpr size_t kBytes = kCount * sizeof(float);

struct Streams {
  cudaStream_t a, b;
  cudaEvent_t event;
  float *data, *host;
  Streams() {
    expect(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    expect(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
    expect(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    expect(cudaMalloc(&data, kBytes));
    expect(cudaMallocHost(&host, kBytes));
    for (int i = 0; i < kCount; i++) host[i] = float(i);
  }
  ~Streams() {
    cudaStreamDestroy(a);
    cudaStreamDestroy(b);
    cudaEventDestroy(event);
    cudaFree(data);
    cudaFreeHost(host);
  }
  void upload() { expect(cudaMemcpyAsync(data, host, kBytes, cudaMemcpyHostToDevice, a)); }
  void hand_over() {
    expect(cudaEventRecord(event, a));
    expect(cudaStreamWaitEvent(b, event, 0));
  }
  void add(cudaStream_t stream) { LAUNCH(add_one, 1, 128, 0, stream)(data, kCount); }
  void download() { expect(cudaMemcpyAsync(host, data, kBytes, cudaMemcpyDeviceToHost, b)); }
};

}  // namespace

TEST(work_handed_from_stream_to_stream_by_an_event) {
  Streams s;
  s.upload();
  s.add(s.a);
  s.hand_over();
  s.add(s.b);
  s.download();
  expect(cudaStreamSynchronize(s.b));
  for (int i = 0; i < kCount; i++) CHECK(s.host[i] == float(i + 2));
}

TEST(pageable_memory_may_change_after_the_call) {
  OnDevice<float> data(kCount);
  std::vector<float> values(kCount, 5);
  expect(cudaMemcpyAsync(data.data(), values.data(), kBytes, cudaMemcpyHostToDevice, nullptr));
  values.assign(kCount, 6);
  CHECK(data.download()[7] == 5);
}

TEST(a_launch_too_large_is_refused_and_forgotten) {
  OnDevice<float> data(std::vector<float>(4, 1));
  LAUNCH(add_one, 1, 2048, 0, nullptr)(data.data(), 4);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaSuccess);
  LAUNCH(add_one, 1, 32, 0, nullptr)(data.data(), 4);
  CHECK(data.download()[3] == 2);
}

TEST(copies_in_the_wrong_direction_are_refused) {
  OnDevice<float> data(4);
  float values[4] = {};
  CHECK(cudaMemcpy(data.data(), values, sizeof values, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  cudaGetLastError();
}

#if !defined(__CUDACC__)

namespace {

// Runs it and takes the reports: true where one has the words.
bool reported(const std::function<void()>& run, const char* words) {
  simt::options.print = false;
  try {
    run();
  } catch (const std::runtime_error&) {
  }
  const std::vector<std::string> reports = simt::take_reports();
  simt::reset();
  simt::options.print = true;
  for (const std::string& report : reports)
    if (report.find(words) != std::string::npos) return true;
  std::printf("no report says \"%s\"\n", words);
  for (const std::string& report : reports) std::printf("  but: %s\n", report.c_str());
  return false;
}

Code code_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.code;
  }
  return Code::internal;
}

}  // namespace

TEST(missing_waits_between_streams_and_host_are_caught) {
  if (!simt::options.check) return;
  const auto without_event = [](bool wait_for_all) {
    Streams s;
    s.upload();
    s.add(s.b);
    expect(wait_for_all ? cudaDeviceSynchronize() : cudaStreamSynchronize(s.b));
  };
  CHECK(reported([&] { without_event(true); }, "of an earlier operation of another stream"));
  CHECK(reported([&] { without_event(false); }, "read of unwritten global memory"));
  Streams s;
  s.upload();
  s.hand_over();
  s.add(s.b);
  s.download();
  CHECK(s.host[1] == 1);  // not waited for: nothing has happened
  expect(cudaStreamSynchronize(s.b));
  CHECK(s.host[1] == 2);
}

TEST(misuse_of_memory_is_caught) {
  if (!simt::options.check) return;
  CHECK(reported(
      [] {
        OnDevice<float> data(kCount);
        expect(cudaMemset(data.data(), 0, kBytes - 4));
        data.download();
      },
      "read of unwritten global memory"));
  CHECK(reported(
      [] {
        float* data;
        expect(cudaMalloc(&data, kBytes));
        expect(cudaMemset(data, 0, kBytes));
        expect(cudaFree(data));
        LAUNCH(add_one, 1, 128, 0, nullptr)(data, kCount);
        expect(cudaDeviceSynchronize());
      },
      "already freed"));
  CHECK(reported(
      [] {
        OnDevice<float> data(kCount);
        expect(cudaMemset(data.data(), 0, kBytes + 1));
        expect(cudaDeviceSynchronize());
      },
      "beyond the end of the allocation"));
  float* left;
  expect(cudaMalloc(&left, 400));
  CHECK(simt::leaks() == "1 device allocations (400 bytes) not released");
  expect(cudaFree(left));
}

TEST(memory_that_runs_out_is_an_error_with_its_code) {
  simt::device().properties.totalGlobalMem = 1000;
  CHECK(code_of([] { cuda::StreamMemory<float> too_much(nullptr, 251); }) == Code::out_of_memory);
  size_t available = 0, total = 0;
  expect(cudaMemGetInfo(&available, &total));
  CHECK(available == 1000 && total == 1000);
  OnDevice<float> fits(250);
}

TEST(a_lost_device_stays_lost) {
  OnDevice<float> data(std::vector<float>(4, 1));
  simt::device().calls_left = 1;
  simt::device().planned = cudaErrorECCUncorrectable;
  LAUNCH(add_one, 1, 32, 0, nullptr)(data.data(), 4);
  CHECK(cudaDeviceSynchronize() == cudaErrorECCUncorrectable);
  CHECK(cudaGetLastError() == cudaErrorECCUncorrectable);
  CHECK(cudaGetLastError() == cudaErrorECCUncorrectable);
  float* more;
  CHECK(cudaMalloc(&more, 4) == cudaErrorECCUncorrectable);
}

TEST(any_call_can_be_made_to_fail_once) {
  simt::device().calls_left = 0;
  simt::device().planned = cudaErrorMemoryAllocation;
  CHECK(code_of([] { cuda::StreamMemory<float> any(nullptr, 1); }) == Code::out_of_memory);
  cuda::StreamMemory<float> again(nullptr, 1);
}

TEST(other_devices_go_on) {
  simt::reset(2);
  simt::device(0).lost = cudaErrorIllegalAddress;
  CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
  expect(cudaSetDevice(1));
  cudaGetLastError();  // the thread's, not the device's
  {
    OnDevice<float> data(std::vector<float>(4, 1));
    LAUNCH(add_one, 1, 32, 0, nullptr)(data.data(), 4);
    CHECK(data.download()[0] == 2);
  }
  CHECK(cudaSetDevice(2) == cudaErrorInvalidDevice);
  simt::reset(0);
  int count = 1;
  CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice && count == 0);
  simt::reset(-1);
  CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver && count == 0);
}

#endif

}  // namespace sino::test
