// joseph on the CPU: batches of interleaved slices (kernels.h), blocked so that what a block of rays reads
// stays in cache.
//
// Projection. A task is kViewsPerTask neighbouring views. It walks blocks of kBinsPerBlock rays by kLinesPerBlock
//   lines, 32·45·64 B ≈ 90 kB of the image at 16 slices. The rays of one bin in all its views follow each other: they see
//   almost the same pixels, which the first of them brings to L1. Bytes per ray step and slice: 8 read from L1.
// Transpose. A task owns kLinesPerTask lines of the image and adds all rays of all views to them: no two tasks write
//   the same pixel and the order of additions never changes, so results do not depend on the number of threads.
#include <algorithm>
#include <cstring>

#include "native/cpu/cpu.h"
#include "native/cpu/interleave.h"
#include "native/cpu/joseph_paths.h"
#include "native/cpu/kernels.h"
#include "native/cpu/turned.h"
#include "native/runtime/prepared.h"

namespace sino::cpu {

namespace {

constexpr int64_t kViewsPerTask = 8;
constexpr int64_t kBinsPerBlock = 32;
constexpr int kLinesPerBlock = 32;
constexpr int64_t kLinesPerTask = 16;

using Rays = Scratch<JosephRay>;

// 9 MB at 1000 views of 900 bins in four quarters, which a plan keeps.
struct TurnedRays {
  TurnedScan scan;
  Rays rays;
  bool used[2];  // whether any ray runs along columns, along rows
  bool is_turned() const { return scan.turns.size() > 1; }
};

Rays all_rays(const Context& context, const Geometry& g) {
  Rays rays(context.memory, g.rays());
  context.parallel_for(g.views(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; v++)
      for (int64_t k = 0; k < g.bins; k++)
        rays[v * g.bins + k] = joseph_ray(g.grid, ray_at(g.beam, g.sod, g.poses[v], (k - g.centre) * g.pitch));
  });
  return rays;
}

TurnedRays turned_rays(const Context& context, const Geometry& g) {
  TurnedScan scan = turned_scan(g);
  Rays rays = all_rays(context, scan.geometry);
  TurnedRays turned{std::move(scan), std::move(rays), {false, false}};
  for (int64_t i = 0; i < turned.rays.size(); i++)
    if (turned.rays[i].first < turned.rays[i].last) turned.used[turned.rays[i].along_rows] = true;
  return turned;
}

// Two unturned slices would leave half of the narrowest vector idle: one after the other costs no more.
int64_t at_once_of(const TurnedRays& table, int64_t slices) {
  if (!table.is_turned() && slices == 2) return 1;
  return std::min(slices, slices_at_once(table.scan));
}

LineLayout layout_of(const Grid& grid, bool along_rows, Lanes lanes) {
  return {along_rows ? grid.rows : grid.columns, along_rows ? grid.columns : grid.rows, lanes};
}

// `units` of progress in all.
void project_batch(const Context& context, const TurnedRays& table, Lanes lanes, const float* images, float* sinograms,
                   int64_t units) {
  const Geometry& g = table.scan.geometry;
  const Rays& rays = table.rays;
  const SimdKernels& simd = simd_kernels();
  const LineLayout layouts[2] = {layout_of(g.grid, false, lanes), layout_of(g.grid, true, lanes)};
  Scratch<float> lines[2];
  for (int by_rows : {0, 1}) {
    if (!table.used[by_rows]) continue;
    lines[by_rows] = context.scratch<float>(layouts[by_rows].size());
    interleave_lines(context, images, g.grid.pixels(), g.grid.rows, g.grid.columns, by_rows, layouts[by_rows],
                     lines[by_rows].data());
  }
  std::atomic<int64_t> views_done{0};
  context.parallel_for(g.views(), kViewsPerTask, [&](int64_t first_view, int64_t last_view) {
    alignas(64) float sums[kViewsPerTask][kBinsPerBlock][16];
    for (int64_t k0 = 0; k0 < g.bins; k0 += kBinsPerBlock) {
      if (context.job.cancelled) return;
      const int64_t k1 = std::min(g.bins, k0 + kBinsPerBlock);
      std::memset(sums, 0, sizeof sums);
      for (int by_rows : {0, 1}) {
        if (!table.used[by_rows]) continue;
        for (int64_t m = 0; m < layouts[by_rows].lines; m += kLinesPerBlock) {
          for (int64_t k = k0; k < k1; k++) {
            for (int64_t v = first_view; v < last_view; v++) {
              const JosephRay& ray = rays[v * g.bins + k];
              const int first = std::max<int64_t>(m, ray.first), last = std::min<int64_t>(m + kLinesPerBlock, ray.last);
              if (ray.along_rows == static_cast<bool>(by_rows) && first < last)
                simd.joseph_gather(lines[by_rows].data(), layouts[by_rows].line_stride(), lanes.width, ray, first, last,
                                   sums[v - first_view][k - k0]);
            }
          }
        }
      }
      for (int64_t v = first_view; v < last_view; v++)
        for (int lane = 0; lane < lanes.used; lane++)
          for (int64_t k = k0; k < k1; k++)
            sinograms[lane * g.rays() + v * g.bins + k] =
                rays[v * g.bins + k].weight * sums[v - first_view][k - k0][lane];
    }
    const int64_t before = views_done.fetch_add(last_view - first_view), after = before + last_view - first_view;
    context.job.advance(after * units / g.views() - before * units / g.views());
  });
}

void transpose_batch(const Context& context, const TurnedRays& table, Lanes lanes, const float* sinograms,
                     float* images, int64_t units) {
  const Geometry& g = table.scan.geometry;
  const Rays& rays = table.rays;
  const SimdKernels& simd = simd_kernels();
  Scratch<float> values = context.scratch<float>(g.rays() * lanes.width);  // weighted, interleaved
  context.parallel_for(g.views(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * g.bins; i < end * g.bins; i++)
      for (int lane = 0; lane < lanes.width; lane++)
        values[i * lanes.width + lane] = rays[i].weight * sinograms[std::min(lane, lanes.used - 1) * g.rays() + i];
  });
  std::atomic<int64_t> lines_done{0};
  const int64_t all_lines = table.used[0] * g.grid.columns + table.used[1] * g.grid.rows;
  if (all_lines == 0) std::fill_n(images, lanes.used * g.grid.pixels(), 0.0f);
  for (int by_rows : {1, 0}) {
    if (!table.used[by_rows]) continue;
    const LineLayout layout = layout_of(g.grid, by_rows, lanes);
    Scratch<float> lines = context.scratch<float>(layout.size());
    context.parallel_for(layout.lines, kLinesPerTask, [&](int64_t begin, int64_t end) {
      std::memset(lines.data() + begin * layout.line_stride(), 0, sizeof(float) * (end - begin) * layout.line_stride());
      for (int64_t v = 0; v < g.views(); v++) {
        if (context.job.cancelled) return;
        for (int64_t i = v * g.bins; i < (v + 1) * g.bins; i++) {
          const JosephRay& ray = rays[i];
          const int first = std::max<int64_t>(begin, ray.first), last = std::min<int64_t>(end, ray.last);
          if (ray.along_rows == static_cast<bool>(by_rows) && first < last)
            simd.joseph_scatter(lines.data(), layout.line_stride(), lanes.width, ray, first, last,
                                &values[i * lanes.width]);
        }
      }
      const int64_t before = lines_done.fetch_add(end - begin), after = before + end - begin;
      context.job.advance(after * units / all_lines - before * units / all_lines);
    });
    deinterleave_lines(context, lines.data(), layout, g.grid.rows, g.grid.columns, by_rows,
                       /*add=*/!by_rows && table.used[1], images, g.grid.pixels());
  }
}

}  // namespace

void joseph_project(const Context& context, const JosephArgs& args) {
  if (simd_kernels().windows) return joseph_project_windows(context, args);
  const Geometry& g = args.geometry;
  const auto table = prepared_table<TurnedRays>(args.prepared, [&] { return turned_rays(context, g); });
  const TurnedScan& scan = table->scan;
  const int64_t turns = static_cast<int64_t>(scan.turns.size()), rays = scan.geometry.rays();
  const int64_t at_once = at_once_of(*table, args.slices);
  Scratch<float> images = context.scratch<float>(table->is_turned() ? at_once * turns * g.grid.pixels() : 0);
  Scratch<float> sinograms = context.scratch<float>(at_once * turns * rays);
  for (int64_t s = 0; s < args.slices; s += at_once) {
    const int64_t slices = std::min(at_once, args.slices - s);
    const float* input = args.input + s * g.grid.pixels();
    if (table->is_turned()) turn_images(context, scan, slices, input, images.data());
    project_batch(context, *table, next_lanes(slices * turns), table->is_turned() ? images.data() : input,
                  sinograms.data(), slices * g.views());
    turn_views_back(context, scan, g.views(), slices, sinograms.data(), args.output + s * g.rays());
  }
}

void joseph_transpose(const Context& context, const JosephArgs& args) {
  if (simd_kernels().windows) return joseph_transpose_windows(context, args);
  const Geometry& g = args.geometry;
  const auto table = prepared_table<TurnedRays>(args.prepared, [&] { return turned_rays(context, g); });
  const TurnedScan& scan = table->scan;
  const int64_t turns = static_cast<int64_t>(scan.turns.size()), rays = scan.geometry.rays();
  const int64_t at_once = at_once_of(*table, args.slices);
  Scratch<float> images = context.scratch<float>(table->is_turned() ? at_once * turns * g.grid.pixels() : 0);
  Scratch<float> sinograms = context.scratch<float>(at_once * turns * rays);
  for (int64_t s = 0; s < args.slices; s += at_once) {
    const int64_t slices = std::min(at_once, args.slices - s);
    turn_views(context, scan, g.views(), slices, args.input + s * g.rays(), sinograms.data());
    float* output = args.output + s * g.grid.pixels();
    transpose_batch(context, *table, next_lanes(slices * turns), sinograms.data(),
                    table->is_turned() ? images.data() : output, slices * g.views());
    if (table->is_turned()) sum_turned_images(context, scan, slices, images.data(), output);
  }
}

}  // namespace sino::cpu
