// What the tests and benches of operations share: a runtime to call them with, and geometries.
#pragma once

#include "native/backend/backend.h"
#include "native/runtime/runtime.h"
#include "native/test/testing.h"

namespace sino::test {

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
