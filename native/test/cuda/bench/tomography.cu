// How long the CUDA kernels of tomography take: sinogram_cuda_bench [pixels views bins slices], 512 720 729 64 where nothing is said.
// Per operation the least and the median of repeated calls by events on one stream, updates per second, and what the arrays that
// must be read and written once would take at the bandwidth of a copy on this device, measured first, as a share of the least.
// Inputs do not matter for speed and are noise; results are the tests' business.
#include <algorithm>
#include <cstdlib>
#include <functional>

#include "cuda/check.cuh"
#include "cuda/operations.h"
#include "native/runtime/prepared.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

struct Times {
  double least, median;  // ms
};

Times time_of(cudaStream_t stream, const std::function<void()>& run) {
  cudaEvent_t begin, end;
  expect(cudaEventCreate(&begin));
  expect(cudaEventCreate(&end));
  std::vector<float> times;
  double total = 0;
  for (int i = -2; i < 200 && (i < 10 || total < 500); i++) {  // two calls to warm up
    expect(cudaEventRecord(begin, stream));
    run();
    expect(cudaEventRecord(end, stream));
    expect(cudaEventSynchronize(end));
    float ms = 0;
    expect(cudaEventElapsedTime(&ms, begin, end));
    if (i >= 0) times.push_back(ms), total += ms;
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::sort(times.begin(), times.end());
  return {times[0], times[times.size() / 2]};
}

struct Size {
  int64_t pixels = 512, views = 720, bins = 729, slices = 64;
};

Geometry scan_of_size(Beam beam, const Size& size) {
  GeometryDescription d;
  d.beam = beam;
  d.rows = d.columns = size.pixels, d.bins = size.bins;
  d.sod = 2.0 * double(size.pixels);
  d.pitch = beam == Beam::arc ? 1 / d.sod : 1;
  for (int64_t v = 0; v < size.views; v++)
    d.angles_deg.push_back((beam == Beam::parallel ? 180.0 : 360.0) * double(v) / double(size.views));
  return make_geometry(d);
}

class Table {
 public:
  Table() {
    expect(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    constexpr size_t kCopied = size_t(256) << 20;
    OnDevice<char> from(kCopied), to(kCopied);
    expect(cudaMemset(from.data(), 0, kCopied));
    expect(cudaDeviceSynchronize());  // the stream does not wait for the null stream
    const Times copy =
        time_of(stream_, [&] { cudaMemcpyAsync(to.data(), from.data(), kCopied, cudaMemcpyDeviceToDevice, stream_); });
    bytes_per_ms_ = 2 * double(kCopied) / copy.least;
    std::printf("copy: %.0f GB/s\n%-44s %9s %9s %9s %9s\n", bytes_per_ms_ / 1e6, "operation", "least ms", "median ms",
                "GUPS", "of copy");
  }
  ~Table() { cudaStreamDestroy(stream_); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  cudaStream_t stream() const { return stream_; }
  // updates 0: none counted
  void row(const std::string& name, double updates, double bytes, const std::function<void()>& run) {
    const Times t = time_of(stream_, run);
    std::printf("%-44s %9.4f %9.4f %9.1f %8.1f%%\n", name.c_str(), t.least, t.median, updates / t.least / 1e6,
                100 * bytes / bytes_per_ms_ / t.least);
  }

 private:
  cudaStream_t stream_;
  double bytes_per_ms_;
};

void bench_beam(Table& table, Beam beam, const Size& size) {
  const Geometry g = scan_of_size(beam, size);
  const int64_t image = size.slices * g.grid.pixels(), sinogram = size.slices * g.rays();
  OnDevice<float> images(Numbers(1).floats(size_t(image))), sinograms(Numbers(2).floats(size_t(sinogram)));
  const cudaStream_t s = table.stream();
  const std::string beam_name = beam == Beam::parallel ? "parallel " : beam == Beam::flat ? "flat " : "arc ";
  const double updates = double(size.slices) * double(g.grid.pixels()) * double(size.views);
  const double bytes = 4.0 * double(image + sinogram);
  struct Mode {
    cuda::Precision precision;
    const char* name;
  };
  constexpr Mode kModes[] = {
      {cuda::Precision::single, ""}, {cuda::Precision::split, ", split"}, {cuda::Precision::half, ", half"}};
  for (const Mode& mode : kModes) {
    if (mode.precision != cuda::Precision::single && size.slices < 16) continue;
    table.row(beam_name + "joseph_project" + mode.name, updates, bytes,
              [&] { cuda::joseph_project(s, {g, size.slices, images.data(), sinograms.data()}, mode.precision); });
    table.row(beam_name + "backproject" + mode.name, updates, bytes,
              [&] { cuda::backproject(s, {g, size.slices, sinograms.data(), images.data()}, mode.precision); });
  }
  table.row(beam_name + "joseph_transpose", updates, bytes,
            [&] { cuda::joseph_transpose(s, {g, size.slices, sinograms.data(), images.data()}); });
  FilterPlan plan;
  plan.bins = g.bins, plan.views = g.views();
  plan.response = ramp_response(g.bins, Window::ram_lak, 1, 0);
  plan.length = int64_t(plan.response.size());
  plan.view_weights.assign(size_t(g.views()), 1.0f);
  plan.ray_weights.assign(size_t(g.bins), 1.0f);
  Prepared prepared;
  table.row(beam_name + "ramp_filter", 0, 8.0 * double(sinogram),
            [&] { cuda::ramp_filter(s, {plan, size.slices, sinograms.data(), sinograms.data(), &prepared}); });
}

void bench(const Size& size) {
  Table table;
  for (int64_t slices : {size.slices, int64_t(1)}) {
    Size batch = size;
    batch.slices = slices;
    std::printf("%lld² pixels, %lld views, %lld bins, %lld slices\n", static_cast<long long>(size.pixels),
                static_cast<long long>(size.views), static_cast<long long>(size.bins), static_cast<long long>(slices));
    for (Beam beam : {Beam::parallel, Beam::flat, Beam::arc}) bench_beam(table, beam, batch);
    if (size.slices == 1) break;
  }
}

}  // namespace

}  // namespace sino::test

int main(int count, char** arguments) {
  sino::test::Size size;
  int64_t* fields[] = {&size.pixels, &size.views, &size.bins, &size.slices};
  for (int i = 1; i < count && i <= 4; i++) *fields[i - 1] = std::atoll(arguments[i]);
  try {
    sino::test::bench(size);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sinogram_cuda_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
