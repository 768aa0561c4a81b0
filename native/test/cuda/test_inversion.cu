// linearize, inversion and mean_path on CUDA against the CPU.
#include "cuda/operations.h"
#include "native/cpu/cpu.h"
#include "native/test/cuda/device_test.h"

namespace sino::test {

namespace {

struct Inverted {
  std::vector<float> path, slope;
};

struct Case {
  int64_t rays;
  int materials, energies, subrays, unknown;
  bool everywhere = false;
};

// Rays behind materials whose measurement is that of a path 0.5 longer than where Newton starts, or shorter.
bool inverts(const Case& c) {
  Numbers numbers{uint32_t(c.materials + c.subrays)};
  std::vector<float> weights, ratios, least_most, measured(static_cast<size_t>(c.rays));
  InversionArgs args = {};
  args.rays = c.rays, args.materials = c.materials, args.energies = c.energies, args.subrays = c.subrays;
  args.unknown = c.unknown, args.steps = 6, args.least = -10, args.most = 200;
  for (int e = 0; e < c.energies; e++) weights.push_back(1.1f + numbers.next()), args.total += weights.back();
  for (int m = 0; m < c.materials; m++) {
    float least = INFINITY, most = 0;
    for (int e = 0; e < c.energies; e++) {
      ratios.push_back(1.5f + numbers.next() * (1 + float(m) / 8));
      least = std::fmin(least, ratios.back()), most = std::fmax(most, ratios.back());
    }
    least_most.push_back(least), least_most.push_back(most);
  }
  std::vector<std::vector<float>> paths;
  std::vector<std::unique_ptr<OnDevice<float>>> paths_d;
  for (int m = 0; m < c.materials; m++) {
    paths.push_back(numbers.floats(size_t(c.rays * (m == c.materials - 1 ? c.subrays : 1))));
    for (float& p : paths.back()) p = 2 * std::fabs(p);
    if (paths.back().size() > 8 && m == 0) paths.back()[8] = NAN;
    paths_d.push_back(std::make_unique<OnDevice<float>>(paths.back()));
  }
  for (float& p : measured) p = 4 + 2 * numbers.next();
  std::vector<uint8_t> where;
  for (int64_t i = 0; i < c.rays; i++) where.push_back(i % 5 != 3);
  OnDevice<float> measured_d(measured), path_d(std::vector<float>(measured.size(), -7)),
      slope_d(std::vector<float>(measured.size(), -7));
  OnDevice<uint8_t> where_d(where);
  Inverted here = {std::vector<float>(measured.size(), -7), std::vector<float>(measured.size(), -7)};
  args.weights = weights.data(), args.ratios = ratios.data(), args.least_most = least_most.data();
  InversionArgs there = args;  // tables from the host
  for (int m = 0; m < c.materials; m++)
    args.paths[m] = paths[size_t(m)].data(), there.paths[m] = paths_d[size_t(m)]->data();
  args.measured = measured.data(), there.measured = measured_d.data();
  args.where = c.everywhere ? nullptr : where.data(), there.where = c.everywhere ? nullptr : where_d.data();
  args.path = here.path.data(), there.path = path_d.data();
  args.slope = here.slope.data(), there.slope = slope_d.data();
  cpu::inversion(on_cpu(), args);
  cuda::inversion(nullptr, there);
  // twice what each may err by: 1e-5 + 1e-6 p
  return close(path_d.download(), here.path, 3e-5) && close(slope_d.download(), here.slope, 1e-5);
}

}  // namespace

TEST(linearize_agrees) {
  for (const int64_t count : {0, 1, 301})
    for (const double scatter : {0.0, 1e-4}) {
      std::vector<float> p = Numbers(3).floats(size_t(count)), expected(p.size());
      for (float& v : p) v *= 12;
      if (count > 9) p[9] = NAN;
      OnDevice<float> in(p);
      const double least = scatter / 10;
      cpu::linearize(on_cpu(), {count, 3, {1.01, 0.02, 0.0003}, scatter, least, p.data(), expected.data()});
      cuda::linearize(nullptr, {count, 3, {1.01, 0.02, 0.0003}, scatter, least, in.data(), in.data()});
      CHECK(close(in.download(), expected, 2e-6));  // rounded once, up to 12
    }
}

TEST(inversion_agrees) {
  CHECK(inverts({1, 2, 1, 1, 0}));
  CHECK(inverts({41, 2, 33, 1, 0, true}));
  CHECK(inverts({131, 3, 21, 1, 2}));  // the unknown is the last material
  CHECK(inverts({67, 3, 17, 3, 0}));   // sub-rays
  CHECK(inverts({23, 3, 9, 5, 1, true}));
  CHECK(inverts({19, 5, 7, 2, 1}));
  CHECK(inverts({0, 2, 3, 1, 0}));
}

TEST(mean_path_agrees) {
  for (const int subrays : {1, 3, 5}) {
    constexpr int64_t kRays = 77;
    std::vector<float> paths = Numbers(4).floats(size_t(kRays * subrays)), mean(kRays);
    for (float& p : paths) p = std::fmax(p, 0.f);
    std::vector<uint8_t> trace(kRays);
    OnDevice<float> in(paths), mean_d(kRays);
    OnDevice<uint8_t> trace_d(kRays);
    cpu::mean_path(on_cpu(), {kRays, subrays, paths.data(), mean.data(), trace.data()});
    cuda::mean_path(nullptr, {kRays, subrays, in.data(), mean_d.data(), trace_d.data()});
    CHECK(close(mean_d.download(), mean, 1e-7));
    CHECK(close(trace_d.download(), trace, 0));
  }
}

}  // namespace sino::test
