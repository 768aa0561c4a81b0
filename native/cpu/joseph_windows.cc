// Projection of single slices through register windows (windows.h).
//
// A task is 32 neighbouring views. Their rays are worked out once and serve all slices of the batch. A block of 16 rays is
//   taken by as many neighbouring views at a time as still see the same 32 pixels of every line, at most eight: they
//   share the loads and the set-up of each line. Blocks whose rays lie too far apart, or of which some run along rows and
//   some along columns, go ray by ray through the general kernel.
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/joseph_paths.h"
#include "native/cpu/kernels.h"
#include "native/cpu/transposed.h"
#include "native/cpu/view_tables.h"

namespace sino::cpu {

namespace {

constexpr int64_t kViewsPerTask = 32;
constexpr int kRays = 16;
constexpr double kRoom = 30.5;
constexpr int64_t kLinesAtOnce = 16;  // that are copied

// Whether any ray of the scan runs along columns, along rows. The directions of a view's rays lie between those of its outermost ones;
// both, where rounding might decide.
std::array<bool, 2> directions(const Geometry& g) {
  std::array<bool, 2> any = {};
  const auto side = [&](const Pose& pose, int64_t bin) {
    const Ray ray = ray_at(g.beam, g.sod, pose, (static_cast<double>(bin) - g.centre) * g.pitch);
    const double along = std::fabs(ray.vy) * g.grid.dx, across = std::fabs(ray.vx) * g.grid.dy;
    if (std::fabs(along - across) <= 1e-9 * (along + across)) return 0;
    return along > across ? (ray.vy > 0 ? 2 : -2) : (ray.vx > 0 ? 1 : -1);
  };
  const bool wide = g.beam == Beam::arc && static_cast<double>(g.bins) * std::fabs(g.pitch) > 3;
  for (const Pose& pose : g.poses) {
    const int first = side(pose, 0);
    if (wide || first == 0 || first != side(pose, g.bins - 1)) return {true, true};
    any[std::abs(first) == 2] = true;
  }
  return any;
}

// An image as lines with margins, by rows and by columns, as far as rays run along them.
struct PaddedLines {
  PaddedLines(const Context& context, const Grid& grid, const std::array<bool, 2>& used) : used(used) {
    for (int by_rows : {0, 1}) {
      if (!used[by_rows]) continue;
      lines[by_rows] = by_rows ? grid.rows : grid.columns;
      positions[by_rows] = by_rows ? grid.columns : grid.rows;
      stride[by_rows] = positions[by_rows] + 2 * kMargin;
      memory[by_rows] = context.scratch<float>(lines[by_rows] * stride[by_rows]);
      for (int64_t m = 0; m < lines[by_rows]; m++) {
        float* line = memory[by_rows].data() + m * stride[by_rows];
        std::fill_n(line, kMargin, 0.0f);
        std::fill_n(line + kMargin + positions[by_rows], kMargin, 0.0f);
      }
    }
  }
  void fill(const Context& context, const float* image) {
    if (used[1])
      context.parallel_for(lines[1], kLinesAtOnce, [&](int64_t begin, int64_t end) {
        for (int64_t m = begin; m < end; m++)
          std::memcpy(memory[1].data() + m * stride[1] + kMargin, image + m * positions[1],
                      sizeof(float) * positions[1]);
      });
    if (used[0])
      context.parallel_for(lines[0], kLinesAtOnce, [&](int64_t begin, int64_t end) {
        transpose_part(image + begin, lines[0], positions[0], end - begin,
                       memory[0].data() + begin * stride[0] + kMargin, stride[0]);
      });
  }
  const float* first(int by_rows) const { return memory[by_rows].data() + kMargin; }
  const std::array<bool, 2> used;
  int64_t lines[2] = {}, positions[2] = {}, stride[2] = {};
  Scratch<float> memory[2];
};

// The rays of one task's views.
struct TaskRays {
  explicit TaskRays(int64_t bins)
      : bins(bins),
        start(kViewsPerTask * bins),
        slope(kViewsPerTask * bins),
        weight(kViewsPerTask * bins),
        along_rows(kViewsPerTask * bins) {}
  ViewRays of(int64_t view) {
    return {&start[view * bins], &slope[view * bins], &weight[view * bins], &along_rows[view * bins]};
  }
  const int64_t bins;
  std::vector<double> start, slope;
  std::vector<float> weight;
  std::vector<int32_t> along_rows;
};

struct Block {
  int64_t first_bin;
  int count;  // of bins
  bool along_rows, is_uniform;
};

Block block_at(const TaskRays& rays, int64_t view, int64_t first_bin) {
  const int32_t* along = &rays.along_rows[view * rays.bins + first_bin];
  const int count = static_cast<int>(std::min<int64_t>(kRays, rays.bins - first_bin));
  const bool same = std::all_of(along, along + count, [&](int32_t a) { return a == along[0]; });
  return {first_bin, count, along[0] != 0, same};
}

// Narrows [low, high) to the lines on which start + m · slope < bound, give or take rounding.
void narrow(double start, double slope, double bound, double* low, double* high) {
  if (std::fabs(slope) < 1e-12) {
    if (start >= bound + 1e-3) *high = *low;
  } else if (slope > 0) {
    *high = std::min(*high, std::ceil((bound - start) / slope) + 1);
  } else {
    *low = std::max(*low, std::floor((bound - start) / slope));
  }
}

// Widens [low, high) by the lines on which any position from one ray to the other lies in [−1, n): both rays may miss the image
// on either side while rays between them cross it.
void widen_to_lines(double start, double slope, double other_start, double other_slope, int64_t lines, int64_t n,
                    double* low, double* high) {
  const double end = static_cast<double>(lines - 1);
  double a = 0, b = static_cast<double>(lines);
  if (start > other_start) std::swap(start, other_start), std::swap(slope, other_slope);
  if (start + end * slope <= other_start + end * other_slope) {  // else they cross in the image: all lines
    narrow(start, slope, static_cast<double>(n), &a, &b);
    narrow(-other_start, -other_slope, 1, &a, &b);
  }
  if (a >= b) return;
  *low = std::min(*low, a);
  *high = std::max(*high, b);
}

// Sets up the views [view, view + views) of a block; false where they do not fit one window on every line.
bool share_window(const TaskRays& rays, int64_t view, int views, const Block& block, int64_t lines, int64_t positions,
                  WindowRays* out) {
  const int64_t last_ray = block.count - 1;
  double low = static_cast<double>(lines), high = 0;
  for (int g = 0; g < views; g++) {
    const int64_t first = (view + g) * rays.bins + block.first_bin, last = first + last_ray;
    if (g > 0) {
      const Block other = block_at(rays, view + g, block.first_bin);
      if (!other.is_uniform || other.along_rows != block.along_rows) return false;
      if ((rays.start[last] >= rays.start[first]) !=
          (rays.start[last - g * rays.bins] >= rays.start[first - g * rays.bins]))
        return false;
    }
    widen_to_lines(rays.start[first], rays.slope[first], rays.start[last], rays.slope[last], lines, positions, &low,
                   &high);
  }
  out->first = static_cast<int>(low);
  out->last = static_cast<int>(std::max(low, high));
  for (double m : {low, high - 1}) {
    double least = 1e30, most = -1e30;
    for (int g = 0; g < views && high > low; g++) {
      const int64_t first = (view + g) * rays.bins + block.first_bin;
      for (int64_t i : {first, first + last_ray}) {
        least = std::min(least, rays.start[i] + m * rays.slope[i]);
        most = std::max(most, rays.start[i] + m * rays.slope[i]);
      }
    }
    if (most - least > kRoom) return false;
  }
  out->views = views;
  out->count = block.count;
  for (int g = 0; g < views; g++) {
    const int64_t first = (view + g) * rays.bins + block.first_bin;
    out->start[g] = &rays.start[first];
    out->slope[g] = &rays.slope[first];
    out->weight[g] = &rays.weight[first];
  }
  return true;
}

// One task's views of one slice. The set-up of a block costs little beside its lines, so slices repeat it.
struct SliceTask {
  const Geometry& g;
  const WindowKernels& windows;
  TaskRays& rays;
  const PaddedLines& image;
  int64_t first_view, views;
  int64_t first_bin, last_bin;
  float* sinogram;
  const std::atomic<bool>& cancelled;

  float* place(int64_t view, int64_t bin) const { return sinogram + (first_view + view) * g.bins + bin; }

  void ray_by_ray(int64_t view, const Block& block) const {
    for (int64_t k = block.first_bin; k < block.first_bin + block.count; k++) {
      const JosephRay ray =
          joseph_ray(g.grid, ray_at(g.beam, g.sod, g.poses[first_view + view], (k - g.centre) * g.pitch));
      const int by_rows = ray.along_rows;
      float sum = 0;
      if (ray.first < ray.last)
        simd_kernels().joseph_gather(image.first(by_rows) - 1, image.stride[by_rows], 1, ray, ray.first, ray.last,
                                     &sum);
      *place(view, k) = ray.weight * sum;
    }
  }

  void run() const {
    WindowRays window;
    window.fan = g.beam != Beam::parallel;
    for (int64_t bin = first_bin; bin < last_bin && !cancelled; bin += kRays) {
      for (int64_t view = 0; view < views;) {
        const Block block = block_at(rays, view, bin);
        const int by_rows = block.along_rows;
        int together = kMostViews;
        while (together > views - view) together /= 2;
        while (block.is_uniform && together > 0 &&
               !share_window(rays, view, together, block, image.lines[by_rows], image.positions[by_rows], &window))
          together /= 2;
        if (!block.is_uniform || together == 0) {
          ray_by_ray(view++, block);
          continue;
        }
        window.lines = image.first(by_rows);
        window.line_stride = image.stride[by_rows];
        window.positions = image.positions[by_rows];
        for (int v = 0; v < together; v++) window.output[v] = place(view + v, bin);
        windows.joseph_project(window);
        view += together;
      }
    }
  }
};

}  // namespace

void joseph_project_windows(const Context& context, const JosephArgs& args) {
  const Geometry& g = args.geometry;
  const WindowKernels& windows = *simd_kernels().windows;
  const ViewTables tables(context, g);
  std::vector<PaddedLines> images;  // a few slices at a time, so that their rays are worked out once
  constexpr int64_t kSlicesAtOnce = 8;
  const std::array<bool, 2> used = directions(g);
  for (int64_t s = 0; s < std::min(args.slices, kSlicesAtOnce); s++) images.emplace_back(context, g.grid, used);
  // few views are dealt out by bins as well
  const int64_t blocks = (g.bins + kRays - 1) / kRays;
  const int64_t parts = g.views() > kViewsPerTask ? 1 : std::clamp<int64_t>(context.pool.threads(), 1, blocks);
  for (int64_t first = 0; first < args.slices; first += kSlicesAtOnce) {
    const int64_t slices = std::min(kSlicesAtOnce, args.slices - first);
    for (int64_t s = 0; s < slices; s++) images[s].fill(context, args.input + (first + s) * g.grid.pixels());
    const auto project = [&](int64_t begin, int64_t end, int64_t part) {
      TaskRays rays(g.bins);
      for (int64_t v = begin; v < end; v++) windows.rays_of_view(tables.table, v, rays.of(v - begin));
      for (int64_t s = 0; s < slices; s++) {
        SliceTask{g,
                  windows,
                  rays,
                  images[s],
                  begin,
                  end - begin,
                  part * blocks / parts * kRays,
                  std::min(g.bins, (part + 1) * blocks / parts * kRays),
                  args.output + (first + s) * g.rays(),
                  context.job.cancelled}
            .run();
      }
      context.job.advance(((part + 1) * (end - begin) / parts - part * (end - begin) / parts) * slices);
    };
    if (parts > 1)
      context.parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; part++) project(0, g.views(), part);
      });
    else
      context.parallel_for(g.views(), kViewsPerTask, [&](int64_t begin, int64_t end) { project(begin, end, 0); });
  }
}

}  // namespace sino::cpu
