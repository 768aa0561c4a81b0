// The exact transpose of the projection, gathered through register windows (windows.h).
//
// The idea. Along its line a pixel is touched by the rays that pass within one pixel: with bins not much finer than pixels,
//   one or two rays on either side. Which they are follows from the pixel's place on the detector, as in back-projection;
//   how much each gives, 1 − distance, from where they cross the line, which is worked out per ray and line. The rays of a view
//   under a tile of 16 × 16 pixels lie in two registers, so values and crossings come by permutes, and a tile's sums stay in
//   registers for a chunk of views. Rays along rows and rays along columns go to two images, one of them lying on its side.
// Planes. Place and weights are the same for every slice, and for views a quarter turn apart if the image is turned with them:
//   up to four such planes share them.
//     Per 16 updates: 9 (parallel), 18 (flat), 21 (arc) instructions for place and weights of a pixel's two rays, and four for
//     each plane: 6 to 10 with four planes, where the projection has 8 to 9.
// Order. A task owns 16 lines; views come in one order: results depend neither on threads nor on the batch.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/joseph_paths.h"
#include "native/cpu/kernels.h"
#include "native/cpu/transposed.h"
#include "native/cpu/view_tables.h"

namespace sino::cpu {

namespace {

constexpr int64_t kPlanesAtOnce = 4;
constexpr double kPi = 3.14159265358979323846;

// Views that differ by quarter turns of the image, as classes: `poses` has one of each, and plane j of class c is view
// view[c·turns + j], turned by quarter[j], or −1.
struct TurnedViews {
  int64_t turns = 1;
  int quarter[4] = {0, 1, 2, 3};
  std::vector<Pose> poses;
  std::vector<int64_t> view;
  int64_t classes() const { return static_cast<int64_t>(poses.size()); }
};

TurnedViews unturned(const Geometry& g) {
  TurnedViews t;
  t.poses = g.poses;
  for (int64_t v = 0; v < g.views(); v++) t.view.push_back(v);
  return t;
}

Pose turned_back(Pose pose, int quarters) {
  for (; quarters > 0; quarters--) pose = {pose.uy, -pose.ux};
  return pose;
}

// The grid must map to itself when turned about the axis: by half a turn if centred, by a quarter if square as well.
int smallest_turn(const Grid& grid) {
  const double x = grid.x0 + 0.5 * static_cast<double>(grid.columns - 1) * grid.dx;
  const double y = grid.y0 - 0.5 * static_cast<double>(grid.rows - 1) * grid.dy;
  if (std::fabs(x) > 1e-9 * grid.dx || std::fabs(y) > 1e-9 * grid.dy) return 4;
  return grid.rows == grid.columns && grid.dx == grid.dy ? 1 : 2;
}

TurnedViews turned_views(const Geometry& g) {
  const int least = smallest_turn(g.grid);
  if (least == 4) return unturned(g);
  struct Member {
    double angle;  // less its quarters
    int quarters;
    int64_t view;
  };
  std::vector<Member> members;
  bool used[4] = {};
  for (int64_t v = 0; v < g.views(); v++) {
    const double angle = std::atan2(g.poses[v].uy, g.poses[v].ux), turn = 0.5 * kPi * least;
    const double turns = std::floor(angle / turn + 1e-10);
    const int quarters = ((static_cast<int>(turns) * least) % 4 + 4) % 4;
    members.push_back({angle - turns * turn, quarters, v});
    used[quarters] = true;
  }
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.angle != b.angle ? a.angle < b.angle : a.view < b.view; });
  TurnedViews t;
  t.turns = 0;
  int plane_of[4];
  for (int q = 0; q < 4; q++)
    if (used[q]) t.quarter[t.turns] = q, plane_of[q] = static_cast<int>(t.turns++);
  double angle = -1;
  for (const Member& m : members) {
    const int64_t last = (t.classes() - 1) * t.turns, plane = plane_of[m.quarters];
    if (t.poses.empty() || m.angle - angle > 1e-10 || t.view[last + plane] >= 0) {
      t.poses.push_back(turned_back(g.poses[m.view], m.quarters));
      t.view.insert(t.view.end(), t.turns, -1);
      angle = m.angle;
    }
    t.view[(t.classes() - 1) * t.turns + plane] = m.view;
  }
  // places that no view fills cost as much as others
  return t.classes() * t.turns > g.views() * 5 / 4 ? unturned(g) : t;
}

Geometry with_poses(Geometry g, const std::vector<Pose>& poses) {
  g.poses = poses;
  return g;
}

// What does not depend on the data.
struct TransposePlan {
  TransposePlan(const Context& context, const Geometry& geometry)
      : turned(turned_views(geometry)),
        g(with_poses(geometry, turned.poses)),
        tables(context, g),
        stride(g.bins + 2 * kMargin),
        weight(context.scratch<float>(g.views() * g.bins)),
        spacing(context.scratch<float>(g.views() * stride)),
        closest(context.scratch<float>(g.views() * stride)) {
    for (int j = 0; j < 34; j++) {
      const double away = (j - 1) * g.pitch;
      tangents[j] = static_cast<float>(g.beam == Beam::arc ? std::tan(away) / g.pitch : j - 1);
      cosines[j] = static_cast<float>(std::cos(away));
    }
    for (int by_rows : {0, 1}) ends[by_rows].resize(2 * g.views());
    const WindowKernels& windows = *simd_kernels().windows;
    context.parallel_for(g.views(), 16, [&](int64_t begin, int64_t end) {
      std::vector<double> start(g.bins), slope(g.bins);
      std::vector<int32_t> along_rows(g.bins);
      for (int64_t v = begin; v < end; v++) {
        float* w = weight.data() + v * g.bins;
        windows.rays_of_view(tables.table, v, {start.data(), slope.data(), w, along_rows.data()});
        set_spacing(v, w);
        for (int by_rows : {0, 1}) {
          int64_t first = INT32_MAX, last = 0;
          for (int64_t k = 0; k < g.bins; k++)
            if (along_rows[k] == by_rows) first = std::min(first, k), last = k + 1;
          ends[by_rows][2 * v] = first, ends[by_rows][2 * v + 1] = last;
        }
        for (int64_t k = 0; k < g.bins; k++) w[k] = along_rows[k] ? w[k] : -w[k];
      }
    });
    for (int by_rows : {0, 1})
      for (int64_t v = 0; v < g.views(); v++) used[by_rows] |= ends[by_rows][2 * v] < ends[by_rows][2 * v + 1];
  }

  // One upright image of each slice: there is nothing to collect.
  bool is_plain() const { return turned.turns == 1 && turned.quarter[0] == 0 && !used[0]; }

  // Distance from ray to ray along a line, in pixels per bin at the depth of the axis, and the least of each 32.
  void set_spacing(int64_t v, const float* w) {
    const double unit = std::fabs(g.pitch) / (g.grid.dx * g.grid.dy);
    float *row = spacing.data() + v * stride, *least = closest.data() + v * stride;
    for (int64_t k = 0; k < g.bins; k++) {
      double s = w[k] * unit;
      if (g.beam == Beam::arc) s *= g.sod;
      if (g.beam == Beam::flat) {
        const double z = (static_cast<double>(k) - g.centre) * g.pitch / g.sod;
        s /= std::sqrt(1 + z * z);
      }
      row[kMargin + k] = static_cast<float>(s);
    }
    std::fill_n(row, kMargin, row[kMargin]);
    std::fill_n(row + kMargin + g.bins, kMargin, row[kMargin + g.bins - 1]);
    std::copy_n(row, stride, least);
    for (int64_t step : {1, 2, 4, 8, 16})
      for (int64_t k = 0; k + step < stride; k++) least[k] = std::min(least[k], least[k + step]);
  }

  const TurnedViews turned;
  const Geometry g;  // of the classes
  const ViewTables tables;
  const int64_t stride;
  Scratch<float> weight;  // of a ray; negative where it runs along columns
  Scratch<float> spacing, closest;
  std::vector<int64_t> ends[2];  // first and past the last bin of each class that runs along columns, along rows
  bool used[2] = {};             // whether any does
  float tangents[34], cosines[34];
};

// Up to four planes: slices, each in all turns.
struct Planes {
  Planes(const Context& context, const TransposePlan& plan, int64_t most) : most(most) {
    const Grid& grid = plan.g.grid;
    view_stride = most * plan.stride;
    for (int by_rows : {0, 1}) {
      if (!plan.used[by_rows]) continue;
      lines[by_rows] = by_rows ? grid.rows : grid.columns;
      positions[by_rows] = by_rows ? grid.columns : grid.rows;
      values[by_rows] = context.scratch<float>(plan.g.views() * view_stride);
      if (plan.is_plain()) continue;
      memory[by_rows] = context.scratch<float>(most * grid.pixels());
      images[by_rows] = memory[by_rows].data();
    }
  }
  const int64_t most;
  int64_t view_stride;
  int64_t lines[2] = {}, positions[2] = {};
  Scratch<float> values[2];  // [class][plane][bin]
  Scratch<float> memory[2];
  float* images[2] = {};  // [plane][line][position]
};

struct Transpose {
  const Context& context;
  const TransposePlan& plan;
  Planes& planes;
  int64_t slices;      // at once
  int64_t scan_views;  // before they became classes

  int64_t count() const { return slices * plan.turned.turns; }

  void fill(const float* sinograms) const {
    const TurnedViews& turned = plan.turned;
    const int64_t bins = plan.g.bins, rays = bins * scan_views;
    context.parallel_for(plan.g.views(), 16, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; c++)
        for (int by_rows : {0, 1}) {
          const int64_t first = plan.ends[by_rows][2 * c], last = plan.ends[by_rows][2 * c + 1];
          if (first >= last) continue;
          const float *weight = plan.weight.data() + c * bins, sign = by_rows ? 1.0f : -1.0f;
          for (int64_t p = 0; p < count(); p++) {
            float* row = planes.values[by_rows].data() + c * planes.view_stride + p * plan.stride + kMargin;
            const int64_t view = turned.view[c * turned.turns + p % turned.turns];
            std::fill(row - kMargin, row + bins + kMargin, 0.0f);
            if (view < 0) continue;
            const float* source = sinograms + p / turned.turns * rays + view * bins;
            for (int64_t k = first; k < last; k++) row[k] = source[k] * std::max(0.0f, sign * weight[k]);
          }
        }
    });
  }

  // Adds the views [first, first + views) to a tile. One that a window does not hold is cut into fewer lines, and then goes
  // pixel by pixel.
  void add(const TransposeLines& tile) const {
    TransposeLook look;
    const int by_rows = tile.by_rows;
    const WindowKernels& windows = *simd_kernels().windows;
    const int64_t stride = planes.positions[by_rows];
    float* image = planes.images[by_rows] + tile.first_line * stride + tile.first_position;
    if (!windows.transpose_look(plan.tables.table, tile, look)) {
      if (tile.lines <= 4) return add_pixels(tile, image);
      TransposeLines part = tile;
      for (const int half = tile.lines > 8 ? 8 : 4; part.first_line < tile.first_line + tile.lines;
           part.first_line += half) {
        part.lines = static_cast<int>(std::min<int64_t>(half, tile.first_line + tile.lines - part.first_line));
        add(part);
      }
      return;
    }
    int lists[3][kTransposeViews], lengths[3] = {};  // by rays that may touch a pixel: 2, 3, 4
    for (int v = 0; v < tile.views; v++) {
      const int64_t c = tile.first_view + v, *ends = &plan.ends[by_rows][2 * c];
      const float spacing = look.nearest[v] * plan.closest.data()[c * plan.stride + kMargin + look.base[v] - 1];
      const auto reach = static_cast<int64_t>(std::ceil(1 / spacing));  // rays away that a pixel still touches
      if (look.base[v] + 31 + reach <= ends[0] || look.base[v] - reach >= ends[1]) continue;
      const float slack = plan.g.beam == Beam::parallel ? 0 : kSlackOfPlace;
      if (spacing * (2 - slack) < 1) {
        TransposeLines one = tile;
        one.first_view = c, one.views = 1;
        add_pixels(one, image);
        continue;
      }
      const int more = spacing * (1 - slack) >= 1 - 1e-6f ? 0 : spacing * (1.5f - slack) >= 1 ? 1 : 2;
      lists[more][lengths[more]++] = v;
    }
    TransposeTile task;
    task.beam = plan.g.beam;
    task.look = &look;
    task.values = planes.values[by_rows].data() + tile.first_view * planes.view_stride + kMargin;
    task.view_stride = planes.view_stride;
    task.plane_stride = plan.stride;
    task.spacing = plan.spacing.data() + tile.first_view * plan.stride + kMargin;
    task.spacing_stride = plan.stride;
    task.tangents = plan.tangents;
    task.cosines = plan.cosines;
    task.pitch_squared = static_cast<float>(plan.g.pitch * plan.g.pitch);
    task.planes = static_cast<int>(count());
    task.lines = tile.lines;
    task.positions = tile.positions;
    task.image = image;
    task.image_stride = stride;
    task.image_plane_stride = plan.g.grid.pixels();
    for (int more : {0, 1, 2}) {
      task.touching = 2 + more;
      task.list = lists[more];
      task.count = lengths[more];
      if (task.count > 0) windows.transpose_tile(task);
    }
  }

  void add_pixels(const TransposeLines& tile, float* image) const;

  bool any_ray(const TransposeLines& tile) const {
    const int64_t* ends = &plan.ends[tile.by_rows][2 * tile.first_view];
    for (int64_t v = 0; v < tile.views; v++)
      if (ends[2 * v] < ends[2 * v + 1]) return true;
    return false;
  }

  void add_all() const {
    int64_t tiles[2];
    for (int by_rows : {0, 1}) tiles[by_rows] = (planes.lines[by_rows] + kTile - 1) / kTile;
    const int64_t all = tiles[0] + tiles[1], units = scan_views * slices;
    std::atomic<int64_t> done{0};
    context.parallel_for(all, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; task++) {
        const bool by_rows = task >= tiles[0];
        TransposeLines tile;
        tile.by_rows = by_rows;
        tile.first_line = (by_rows ? task - tiles[0] : task) * kTile;
        tile.lines = static_cast<int>(std::min<int64_t>(kTile, planes.lines[by_rows] - tile.first_line));
        const int64_t positions = planes.positions[by_rows];
        for (int64_t p = 0; p < count(); p++)
          std::fill_n(planes.images[by_rows] + p * plan.g.grid.pixels() + tile.first_line * positions,
                      tile.lines * positions, 0.0f);
        for (tile.first_view = 0; tile.first_view < plan.g.views(); tile.first_view += kTransposeViews) {
          tile.views = std::min(kTransposeViews, plan.g.views() - tile.first_view);
          if (!any_ray(tile)) continue;
          for (tile.first_position = 0; tile.first_position < positions; tile.first_position += kTile) {
            if (context.job.cancelled) return;
            tile.positions = static_cast<int>(std::min<int64_t>(kTile, positions - tile.first_position));
            add(tile);
          }
        }
      }
      const int64_t before = done.fetch_add(end - begin), after = before + end - begin;
      context.job.advance(after * units / all - before * units / all);
    });
  }

  // images = all planes of a slice, turned back, lying and upright.
  void collect(float* output) const {
    const int64_t rows = plan.g.grid.rows, pixels = plan.g.grid.pixels(), turns = plan.turned.turns;
    if (!plan.used[0] && !plan.used[1]) std::fill_n(output, slices * pixels, 0.0f);
    context.parallel_for(slices * rows, kTile, [&](int64_t begin, int64_t end) {
      for (int64_t count = 0; begin < end; begin += count) {
        const int64_t slice = begin / rows, row = begin % rows;
        count = std::min(end - begin, rows - row);
        bool add = false;
        for (int64_t j = 0; j < turns; j++)
          for (int by_rows : {1, 0}) {
            if (!plan.used[by_rows]) continue;
            collect_rows(by_rows, j, planes.images[by_rows] + (slice * turns + j) * pixels, row, count,
                         output + slice * pixels, add);
            add = true;
          }
      }
    });
  }

  // `count` rows of a slice from plane j: element (row, column) is at origin + row·down + column·right there.
  void collect_rows(int by_rows, int64_t j, const float* plane, int64_t row, int64_t count, float* output,
                    bool add) const {
    const int64_t rows = plan.g.grid.rows, columns = plan.g.grid.columns;
    const int64_t row_step = by_rows ? columns : 1, column_step = by_rows ? 1 : rows;
    int64_t row0 = 0, column0 = 0, down = row_step, right = column_step;
    const int quarter = plan.turned.quarter[j];
    if (quarter == 1) column0 = columns - 1, down = -column_step, right = row_step;
    if (quarter == 2) row0 = rows - 1, column0 = columns - 1, down = -row_step, right = -column_step;
    if (quarter == 3) row0 = rows - 1, down = column_step, right = -row_step;
    const float* source = plane + row0 * row_step + column0 * column_step + row * down;
    float* target = output + row * columns;
    if (down == 1) return transpose_part(source, right, columns, count, target, columns, add);
    if (down == -1)
      return transpose_part(source - (count - 1), right, columns, count, target + (count - 1) * columns, -columns, add);
    const auto row_by_row = [&](auto right) {  // a constant where neighbours are neighbours: vector code
      for (int64_t r = 0; r < count; r++, source += down, target += columns)
        for (int64_t c = 0; c < columns; c++) target[c] = add ? target[c] + source[c * right] : source[c * right];
    };
    if (right == 1) return row_by_row(std::integral_constant<int64_t, 1>());
    row_by_row(std::integral_constant<int64_t, -1>());
  }
};

// δ of windows.h in double, for the rays on either side until they pass by.
void Transpose::add_pixels(const TransposeLines& tile, float* image) const {
  const Geometry& g = plan.g;
  const int by_rows = tile.by_rows;
  for (int64_t v = tile.first_view; v < tile.first_view + tile.views; v++) {
    if (plan.ends[by_rows][2 * v] >= plan.ends[by_rows][2 * v + 1]) continue;
    const float* spacing = plan.spacing.data() + v * plan.stride + kMargin;
    const Pose& pose = g.poses[v];
    for (int64_t l = 0; l < tile.lines; l++)
      for (int64_t p = 0; p < tile.positions; p++) {
        const int64_t line = tile.first_line + l, position = tile.first_position + p;
        const double x = g.grid.x0 + static_cast<double>(by_rows ? position : line) * g.grid.dx;
        const double y = g.grid.y0 - static_cast<double>(by_rows ? line : position) * g.grid.dy;
        const double n = x * pose.ux + y * pose.uy, d = g.sod - x * pose.uy + y * pose.ux;
        const double place = g.beam == Beam::parallel ? n / g.pitch
                             : g.beam == Beam::flat   ? n / d * g.sod / g.pitch
                                                      : std::atan2(n, d) / g.pitch;
        // distance to ray k in pixels, signed
        auto away = [&](int64_t k) {
          const double u = (static_cast<double>(k) - g.centre) * g.pitch;
          if (g.beam == Beam::parallel) return (n - u) / g.pitch * spacing[k];
          if (g.beam == Beam::flat) return (n - u * d / g.sod) / g.pitch * spacing[k];
          return (n * std::cos(u) - d * std::sin(u)) / (g.pitch * g.sod) * spacing[k];
        };
        auto gather = [&](int64_t k, int64_t step) {
          for (; k >= 0 && k < g.bins; k += step) {
            const double weight = 1 - std::fabs(away(k));
            if (weight <= 0) break;
            for (int64_t plane = 0; plane < count(); plane++)
              image[plane * g.grid.pixels() + l * planes.positions[by_rows] + p] += static_cast<float>(
                  weight * planes.values[by_rows].data()[v * planes.view_stride + plane * plan.stride + kMargin + k]);
          }
        };
        const double middle = std::floor(place + g.centre);
        const int64_t first = static_cast<int64_t>(std::clamp(middle, -2.0, static_cast<double>(g.bins) + 1));
        gather(std::min(first, g.bins - 1), -1);
        gather(std::max<int64_t>(first + 1, 0), 1);
      }
  }
}

}  // namespace

void joseph_transpose_windows(const Context& context, const JosephArgs& args) {
  const Geometry& g = args.geometry;
  const TransposePlan plan(context, g);
  const int64_t at_once = std::max<int64_t>(1, std::min(args.slices, kPlanesAtOnce / plan.turned.turns));
  Planes planes(context, plan, at_once * plan.turned.turns);
  for (int64_t s = 0; s < args.slices; s += at_once) {
    const int64_t slices = std::min(at_once, args.slices - s);
    const Transpose transpose{context, plan, planes, slices, g.views()};
    float* output = args.output + s * g.grid.pixels();
    if (plan.is_plain()) planes.images[1] = output;
    transpose.fill(args.input + s * g.rays());
    transpose.add_all();
    if (!plan.is_plain()) transpose.collect(output);
  }
}

}  // namespace sino::cpu
