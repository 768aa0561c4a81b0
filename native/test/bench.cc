// Speed of the core without Node: medians over several runs, in ms per slice and in GUPS (pixel-view updates per ns).
#include <algorithm>
#include <chrono>

#include "native/cpu/kernels.h"
#include "native/recon/fbp.h"
#include "native/test/check.h"

namespace {

template <typename Call>
double median_ms(const Call& call) {
  std::vector<double> times;
  for (int run = 0; run < 7; run++) {
    const auto start = std::chrono::steady_clock::now();
    call();
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + 3, times.end());
  return times[3];
}

void row(const char* name, const sino::Geometry& g, int64_t slices) {
  sino::test::Bench bench;
  const sino::Backend& backend = sino::backend_for("cpu");
  std::vector<float> images(slices * g.grid.pixels(), 0.01f), sinograms(slices * g.rays());
  const sino::FbpPlan plan = sino::fbp_plan(g, {});
  const double updates = 1e-6 * g.grid.pixels() * g.views();  // per slice; divided by ms this is GUPS
  auto show = [&](const char* operation, double ms) {
    std::printf("%-22s %3lld slices  %-10s %9.2f ms/slice  %6.2f GUPS\n", name, static_cast<long long>(slices),
                operation, ms / slices, updates / (ms / slices));
  };
  show("project",
       median_ms([&] { backend.joseph_project(bench.context, {g, slices, images.data(), sinograms.data()}); }));
  show("transpose",
       median_ms([&] { backend.joseph_transpose(bench.context, {g, slices, sinograms.data(), images.data()}); }));
  show("fbp", median_ms([&] { sino::fbp(bench.context, backend, plan, slices, sinograms.data(), images.data()); }));
}

}  // namespace

int main() {
  std::printf("%s, %u threads\n", sino::simd_kernels().name, sino::test::Bench().runtime->pool.threads());
  for (int64_t slices : {1, 16}) {
    row("parallel 512/720/729", sino::test::parallel(512, 720, 729), slices);
    row("flat fan 512/984/736", sino::test::fan(sino::Beam::flat, 512, 984, 736), slices);
    row("arc fan 512/1000/900", sino::test::fan(sino::Beam::arc, 512, 1000, 900), slices);
  }
}
