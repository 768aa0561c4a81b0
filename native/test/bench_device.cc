// Speed of a CUDA device without Node: sinogram_device_bench [words that select rows]. First what the device copies and what the way to
// it carries, then operations on arrays that stay there, and FBP from the caller's arrays to the caller's, slabs and all. Every result is
// compared with the processor's before it is timed. Medians of 9; the first call is discarded.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "native/recon/fbp_rebinned.h"
#include "native/test/check.h"

namespace sino::test {

namespace {

std::vector<std::string> g_words;

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median_ms(const std::function<void()>& call) {
  call();
  std::vector<double> ms;
  for (int run = 0; run < 9; run++) {
    const double start = now_ms();
    call();
    ms.push_back(now_ms() - start);
  }
  std::sort(ms.begin(), ms.end());
  return ms[4];
}

bool is_wanted(const std::string& label) {
  return std::all_of(g_words.begin(), g_words.end(),
                     [&](const std::string& word) { return label.find(word) != std::string::npos; });
}

double relative_error(const std::vector<float>& found, const std::vector<float>& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < found.size(); i++) {
    difference += std::pow(double(found[i]) - expected[i], 2);
    norm += std::pow(double(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

// A job on the device, and one whose arrays are in its first space.
struct OnDevice {
  Bench host;
  std::unique_ptr<Device> device = make_cuda_device(0);
  Context job = host.context, there = host.context;
  OnDevice() {
    device->open();
    job.device = there.device = device.get();
    there.space = &device->space(0);
  }
};

class Resident {
 public:
  Resident(OnDevice& on, const std::vector<float>& values) : on_(on), data_(*on.there.space, int64_t(values.size())) {
    on.there.space->upload(data_.data(), values.data(), bytes());
    on.there.space->wait();
  }
  float* data() { return data_.data(); }
  int64_t bytes() const { return data_.size() * int64_t(sizeof(float)); }
  std::vector<float> download() {
    std::vector<float> values(static_cast<size_t>(data_.size()));
    on_.there.space->download(values.data(), data_.data(), bytes());
    on_.there.space->wait();
    return values;
  }

 private:
  OnDevice& on_;
  Scratch<float> data_;
};

std::vector<float> noise(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float& v : values) v = float((state = state * 1664525u + 1013904223u) >> 8) / 16777216.f;
  return values;
}

void copies(OnDevice& on) {
  if (!is_wanted("copies")) return;
  const std::vector<float> values = noise(int64_t(64) << 20);
  Resident a(on, values), b(on, values);
  Space& space = *on.there.space;
  const int64_t bytes = a.bytes();
  const double inside = median_ms([&] {
    space.copy_rows(b.data(), bytes, a.data(), bytes, bytes, 1);
    space.wait();
  });
  void* staging = space.allocate_staging(bytes);
  const double up = median_ms([&] {
    space.upload(a.data(), staging, bytes);
    space.wait();
  });
  const double down = median_ms([&] {
    space.download(staging, a.data(), bytes);
    space.wait();
  });
  space.release_staging(staging);
  std::printf("copies: device %.0f GB/s (read and written), up %.1f GB/s, down %.1f GB/s\n",
              2e-6 * double(bytes) / inside, 1e-6 * double(bytes) / up, 1e-6 * double(bytes) / down);
}

void row(OnDevice& on, const char* name, const Geometry& g, int64_t slices) {
  const int64_t pixels = slices * g.grid.pixels(), rays = slices * g.rays();
  const std::vector<float> images = noise(pixels), sinograms = noise(rays);
  const FbpPlan plan = fbp_plan(g, {});
  const Backend &cpu = cpu_backend(), &cuda = cuda_backend();
  const double updates = 1e-6 * double(pixels) * double(g.views());
  const auto show = [&](const char* operation, const std::vector<float>& input, int64_t output,
                        const std::function<void(const Context&, const Backend&, int64_t, const float*, float*)>& run) {
    const std::string label = std::string(name) + " " + operation;
    if (!is_wanted(label)) return;
    try {
      std::vector<float> expected(static_cast<size_t>(output));
      run(on.host.context, cpu, slices, input.data(), expected.data());
      Resident from(on, input), to(on, expected);
      const double resident = median_ms([&] {
        run(on.there, cuda, slices, from.data(), to.data());
        on.there.space->wait();
      });
      const double error = relative_error(to.download(), expected);
      std::vector<float> found(static_cast<size_t>(output));
      const SliceArrays call = {slices, input.data(), int64_t(input.size()) / slices, found.data(), output / slices};
      const double whole = median_ms([&] {
        in_slabs(on.job, call, [&](const Context& context, const SliceArrays& s) {
          run(context, cuda, s.slices, s.input, s.output);
        });
      });
      std::printf("%-22s %3lld slices  %-12s %9.3f ms there  %9.3f ms from and to the host  %8.1f GUPS  error %.1e\n",
                  name, static_cast<long long>(slices), operation, resident, whole, updates / resident, error);
    } catch (const Error& error) {
      std::printf("%-22s %3lld slices  %-12s %s: %s\n", name, static_cast<long long>(slices), operation,
                  code_name(error.code), error.what());
    }
  };
  show("project", images, rays, [&](const Context& c, const Backend& b, int64_t n, const float* from, float* to) {
    b.joseph_project(c, {g, n, from, to});
  });
  show("transpose", sinograms, pixels,
       [&](const Context& c, const Backend& b, int64_t n, const float* from, float* to) {
         b.joseph_transpose(c, {g, n, from, to});
       });
  show("backproject", sinograms, pixels,
       [&](const Context& c, const Backend& b, int64_t n, const float* from, float* to) {
         b.backproject(c, {g, n, from, to});
       });
  show("filter", sinograms, rays, [&](const Context& c, const Backend& b, int64_t n, const float* from, float* to) {
    b.ramp_filter(c, {plan.filter, n, from, to, plan.prepared.get()});
  });
  show("fbp", sinograms, pixels, [&](const Context& c, const Backend& b, int64_t n, const float* from, float* to) {
    fbp(c, b, plan, n, from, to);
  });
  if (g.beam == Beam::parallel) return;
  const RebinnedPlan rebinned = rebinned_plan(g, {});
  show("rebinned fbp", sinograms, pixels,
       [&](const Context& c, const Backend& b, int64_t n, const float* from, float* to) {
         fbp_rebinned(c, b, rebinned, n, from, to);
       });
}

int run() {
  for (const DeviceInfo& device : list_devices())
    std::printf("%s: %s\n", device.name.c_str(), device.usable ? device.description.c_str() : device.reason.c_str());
  const std::vector<DeviceInfo> cuda = cuda_devices();
  if (!cuda[0].usable) {
    std::printf("Nothing to measure: there is no usable CUDA device.\n");
    return 0;
  }
  OnDevice on;
  copies(on);
  for (int64_t slices : {1, 16, 64}) {
    row(on, "parallel 512/720/729", parallel(512, 720, 729), slices);
    row(on, "flat fan 512/984/736", fan(Beam::flat, 512, 984, 736), slices);
    row(on, "arc fan 512/1000/900", fan(Beam::arc, 512, 1000, 900), slices);
  }
  return 0;
}

}  // namespace

}  // namespace sino::test

int main(int count, char** words) {
  sino::test::g_words.assign(words + 1, words + count);
  try {
    return sino::test::run();
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 1;
  }
}
