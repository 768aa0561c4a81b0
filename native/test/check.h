// Tests without a framework: TEST(name) { CHECK(condition); } and a main that runs them all.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "native/backend/backend.h"
#include "native/runtime/runtime.h"

namespace sino::test {

struct Test {
  const char* name;
  std::function<void()> body;
};
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
struct Registered {
  Registered(const char* name, std::function<void()> body) { tests().push_back({name, std::move(body)}); }
};
inline int& failures() {
  static int count = 0;
  return count;
}

#define TEST(name)                                                      \
  static void name();                                                   \
  static const ::sino::test::Registered registered_##name(#name, name); \
  static void name()
#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      std::printf("%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
      ::sino::test::failures()++;                                               \
    }                                                                           \
  } while (0)

// A runtime and a job to call operations with.
struct Bench {
  std::shared_ptr<Runtime> runtime = Runtime::shared();
  JobControl job;
  Context context{runtime->pool, runtime->memory, job};
};

inline Geometry parallel(int64_t n, int64_t views, int64_t bins) {
  GeometryDescription d;
  d.rows = d.columns = n;
  d.bins = bins;
  for (int64_t v = 0; v < views; v++) d.angles_deg.push_back(180.0 * v / views);
  return make_geometry(d);
}

inline Geometry fan(Beam beam, int64_t n, int64_t views, int64_t bins) {
  GeometryDescription d;
  d.beam = beam;
  d.rows = d.columns = n;
  d.bins = bins;
  d.sod = 2.0 * n;
  d.pitch = beam == Beam::arc ? 0.9 / d.sod : 0.9;
  for (int64_t v = 0; v < views; v++) d.angles_deg.push_back(360.0 * v / views);
  return make_geometry(d);
}

}  // namespace sino::test
