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
#include "native/runtime/prepared.h"

namespace sino::cpu {

namespace {

constexpr int64_t kViewsPerTask = 8;
constexpr int64_t kBinsPerBlock = 32;
constexpr int kLinesPerBlock = 32;
constexpr int64_t kLinesPerTask = 16;

using Rays = Scratch<JosephRay>;

// 35 MB at 1000 views of 900 bins, which a plan keeps.
Rays all_rays(const Context& context, const Geometry& g) {
  Rays rays(context.memory, g.rays());
  context.parallel_for(g.views(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; v++)
      for (int64_t k = 0; k < g.bins; k++)
        rays[v * g.bins + k] = joseph_ray(g.grid, ray_at(g.beam, g.sod, g.poses[v], (k - g.centre) * g.pitch));
  });
  return rays;
}

LineLayout layout_of(const Grid& grid, bool along_rows, Lanes lanes) {
  return {along_rows ? grid.rows : grid.columns, along_rows ? grid.columns : grid.rows, lanes};
}

void project_batch(const Context& context, const Geometry& g, const Rays& rays, Lanes lanes, const float* images,
                   float* sinograms) {
  const SimdKernels& simd = simd_kernels();
  const LineLayout layouts[2] = {layout_of(g.grid, false, lanes), layout_of(g.grid, true, lanes)};
  Scratch<float> lines[2] = {context.scratch<float>(layouts[0].size()), context.scratch<float>(layouts[1].size())};
  for (int by_rows : {0, 1})
    interleave_lines(context, images, g.grid.pixels(), g.grid.rows, g.grid.columns, by_rows, layouts[by_rows],
                     lines[by_rows].data());
  context.parallel_for(g.views(), kViewsPerTask, [&](int64_t first_view, int64_t last_view) {
    alignas(64) float sums[kViewsPerTask][kBinsPerBlock][16];
    for (int64_t k0 = 0; k0 < g.bins; k0 += kBinsPerBlock) {
      if (context.job.cancelled) return;
      const int64_t k1 = std::min(g.bins, k0 + kBinsPerBlock);
      std::memset(sums, 0, sizeof sums);
      for (int by_rows : {0, 1}) {
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
    context.job.advance((last_view - first_view) * lanes.used);
  });
}

void transpose_batch(const Context& context, const Geometry& g, const Rays& rays, Lanes lanes, const float* sinograms,
                     float* images) {
  const SimdKernels& simd = simd_kernels();
  Scratch<float> values = context.scratch<float>(g.rays() * lanes.width);  // weighted, interleaved
  context.parallel_for(g.views(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * g.bins; i < end * g.bins; i++)
      for (int lane = 0; lane < lanes.width; lane++)
        values[i * lanes.width + lane] = rays[i].weight * sinograms[std::min(lane, lanes.used - 1) * g.rays() + i];
  });
  std::atomic<int64_t> lines_done{0};
  const int64_t all_lines = g.grid.rows + g.grid.columns;
  for (int by_rows : {1, 0}) {
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
      context.job.advance((after * g.views() / all_lines - before * g.views() / all_lines) * lanes.used);
    });
    deinterleave_lines(context, lines.data(), layout, g.grid.rows, g.grid.columns, by_rows, /*add=*/!by_rows, images,
                       g.grid.pixels());
  }
}

}  // namespace

void joseph_project(const Context& context, const JosephArgs& args) {
  if (simd_kernels().windows) return joseph_project_windows(context, args);
  const Geometry& g = args.geometry;
  const auto rays = prepared_table<Rays>(args.prepared, [&] { return all_rays(context, g); });
  for (int64_t s = 0; s < args.slices;) {
    const Lanes lanes = next_lanes(args.slices - s);
    project_batch(context, g, *rays, lanes, args.input + s * g.grid.pixels(), args.output + s * g.rays());
    s += lanes.used;
  }
}

void joseph_transpose(const Context& context, const JosephArgs& args) {
  if (simd_kernels().windows) return joseph_transpose_windows(context, args);
  const Geometry& g = args.geometry;
  const auto rays = prepared_table<Rays>(args.prepared, [&] { return all_rays(context, g); });
  for (int64_t s = 0; s < args.slices;) {
    const Lanes lanes = next_lanes(args.slices - s);
    transpose_batch(context, g, *rays, lanes, args.input + s * g.rays(), args.output + s * g.grid.pixels());
    s += lanes.used;
  }
}

}  // namespace sino::cpu
