// Memory and contents of the tables that the kernels of windows.h read.
#pragma once

#include <algorithm>
#include <cmath>

#include "native/cpu/windows.h"
#include "native/runtime/context.h"

namespace sino::cpu {

// The views' directions, and on an arc those of the bins, as windows.h wants them.
struct ViewTables {
  ViewTables(const Context& context, const Geometry& g)
      : directions(context.scratch<double>(2 * padded(g.views()))),
        bins(context.scratch<double>(g.beam == Beam::arc ? 2 * (g.bins + 2 * kMargin) : 0)) {
    const int64_t n = padded(g.views()), m = g.bins + 2 * kMargin;
    for (int64_t v = 0; v < n; v++) {
      const Pose& pose = g.poses[std::min(v, g.views() - 1)];
      directions[v] = pose.ux;
      directions[n + v] = pose.uy;
    }
    for (int64_t k = 0; k < m && bins.size(); k++) {
      bins[k] = std::cos((k - kMargin - g.centre) * g.pitch);
      bins[m + k] = std::sin((k - kMargin - g.centre) * g.pitch);
    }
    table = {g.beam,      g.grid,         g.bins, g.centre, g.pitch, g.sod, directions.data(), directions.data() + n,
             bins.data(), bins.data() + m};
  }
  static int64_t padded(int64_t views) { return (views + 7) / 8 * 8; }
  Scratch<double> directions, bins;
  ViewTable table;
};

}  // namespace sino::cpu
