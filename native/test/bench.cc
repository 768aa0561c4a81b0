// Speed of the core without Node: medians over several runs, wall and processor ms per slice, and GUPS (pixel-view updates per
// ns) per thread of processor time, which other programs on the machine disturb least.
#include <algorithm>
#include <chrono>
#include <ctime>

#include "native/cpu/kernels.h"
#include "native/recon/fbp_rebinned.h"
#include "native/test/check.h"

namespace {

double wall_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double processor_ms() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Times {
  double wall, processor;
};

std::vector<std::string> g_words;

template <typename Call>
Times median_of(const Call& call) {
  std::vector<double> wall, processor;
  for (int run = 0; run < 9; run++) {
    const double w = wall_ms(), p = processor_ms();
    call();
    wall.push_back(wall_ms() - w), processor.push_back(processor_ms() - p);
  }
  std::sort(wall.begin(), wall.end()), std::sort(processor.begin(), processor.end());
  return {wall[4], processor[4]};
}

void row(const char* name, const sino::Geometry& g, int64_t slices) {
  sino::test::Bench bench;
  const sino::Backend& backend = sino::cpu_backend();
  std::vector<float> images(slices * g.grid.pixels(), 0.01f), sinograms(slices * g.rays());
  const sino::FbpPlan plan = sino::fbp_plan(g, {});
  const double updates = 1e-6 * g.grid.pixels() * g.views();  // per slice; divided by ms this is GUPS
  auto show = [&](const char* operation, const auto& call) {
    const std::string label = std::string(name) + " " + operation;
    for (const std::string& word : g_words)
      if (label.find(word) == std::string::npos) return;
    const Times ms = median_of(call);
    std::printf("%-22s %3lld slices  %-12s %9.2f ms wall %9.2f ms processor %7.2f GUPS\n", name,
                static_cast<long long>(slices), operation, ms.wall / slices, ms.processor / slices,
                updates / (ms.processor / slices));
  };
  show("project", [&] { backend.joseph_project(bench.context, {g, slices, images.data(), sinograms.data()}); });
  show("transpose", [&] { backend.joseph_transpose(bench.context, {g, slices, sinograms.data(), images.data()}); });
  show("backproject", [&] { backend.backproject(bench.context, {g, slices, sinograms.data(), images.data()}); });
  show("filter",
       [&] { backend.ramp_filter(bench.context, {plan.filter, slices, sinograms.data(), sinograms.data()}); });
  show("fbp", [&] { sino::fbp(bench.context, backend, plan, slices, sinograms.data(), images.data()); });
  if (g.beam == sino::Beam::parallel) return;
  const sino::RebinnedPlan rebinned = sino::rebinned_plan(g, {});
  std::vector<float> parallel(slices * rebinned.fbp.geometry.rays());
  show("rebin", [&] { backend.rebin(bench.context, {rebinned.rebin, slices, sinograms.data(), parallel.data()}); });
  show("rebinned fbp",
       [&] { sino::fbp_rebinned(bench.context, backend, rebinned, slices, sinograms.data(), images.data()); });
}

}  // namespace

int main(int count, char** words) {
  // words select by geometry, batch size and operation: sinogram_bench parallel project
  g_words.assign(words + 1, words + count);
  std::printf("%s, %u threads\n", sino::simd_kernels().name, sino::test::Bench().runtime->pool.threads());
  for (int64_t slices : {1, 16}) {
    row("parallel 512/720/729", sino::test::parallel(512, 720, 729), slices);
    row("flat fan 512/984/736", sino::test::fan(sino::Beam::flat, 512, 984, 736), slices);
    row("arc fan 512/1000/900", sino::test::fan(sino::Beam::arc, 512, 1000, 900), slices);
  }
}
