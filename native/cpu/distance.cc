// distance on the CPU. Small planes go one per task with everything in cache; the rows of large ones are
// shared out. Column counts, looking outward and the filling of a row are vector kernels (kernels/distance.inl). In
// 3-D the last pass takes kLinesAtOnce neighbouring lines along the slices, so that whole cache lines are read.
//
// Two ways through a line of whole squares. Looking outward from every pixel costs one step per pixel of distance, but
// sixteen pixels step at once and nothing branches or divides: 512² with half of the pixels zero in 0.15 ms. The
// envelope costs about 4 ns a parabola however far away, so that a few metal parts take 0.28 ms. Outward is tried first,
// with as many steps as the envelope would take, and then left alone for a while.
#include <cstring>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/distance_lines.h"
#include "native/cpu/kernels.h"

namespace sino::cpu {

namespace {

constexpr int64_t kPlaneOfOneTask = 1 << 20;  // pixels; about 5 ms
constexpr int64_t kPixelsPerTask = 1 << 17;
constexpr int64_t kColumnsPerTask = 256;
constexpr int64_t kLinesAtOnce = 32;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// squares[begin, end) = offset + (spacing · (x − vertex))²
template <typename T>
void fill(T* squares, int64_t begin, int64_t end, int32_t vertex, T offset, T spacing) {
  for (int64_t x = begin; x < end; x++) {
    const T d = spacing * static_cast<T>(static_cast<int32_t>(x) - vertex);
    squares[x] = offset + d * d;
  }
}

void take_roots(const float* squares, int64_t count, double scale, float* distances) {
  if (scale == 1) return simd_kernels().distance_roots(squares, count, distances);
  for (int64_t x = 0; x < count; x++)
    distances[x] = static_cast<float>(scale * std::sqrt(static_cast<double>(squares[x])));
}
void take_roots(const double* squares, int64_t count, double, float* distances) {
  for (int64_t x = 0; x < count; x++) distances[x] = static_cast<float>(std::sqrt(squares[x]));
}

// A whole line of squares by its envelope; room for kDistanceMargin floats behind `result`.
template <typename Offset>
void fill_exact(Envelope<float>& envelope, const int32_t* vertices, int64_t count, const Offset& offset, int64_t length,
                float* result) {
  envelope.clear();
  for (int64_t j = 0; j < count; j++) envelope.add(vertices[j], offset(vertices[j]));
  simd_kernels().distance_fill(envelope.from(), envelope.vertices(), envelope.offsets(), envelope.count(), length,
                               result);
}

// Steps of distance_near that take as long as the envelope of a line of so many parabolas.
int64_t patience_for(int64_t parabolas) { return 32 + 3 * parabolas; }

// When to look outward (kernels' distance_near): again at once where that worked, else after ever longer pauses.
class Patience {
 public:
  bool tries() { return left_ == 0 || --left_ == 0; }
  bool learn(bool worked) {
    left_ = worked ? 0 : pause_;
    pause_ = worked ? 2 : std::min(2 * pause_, 64);
    return worked;
  }

 private:
  int left_ = 0, pause_ = 2;
};

// Squares of `lines` lines side by side, element i of each, then i + 1; infinity around them, as distance_near wants it.
class Surrounded {
 public:
  Surrounded(const Context& context, int64_t length, int64_t lines)
      : margin_(kDistanceReach * lines + kDistanceMargin), all_(context.scratch<float>(length * lines + 2 * margin_)) {
    std::fill(all_.data(), all_.data() + all_.size(), kInfinity);
  }
  float* data() { return all_.data() + margin_; }

 private:
  int64_t margin_;
  Scratch<float> all_;
};

// A row of whole squares, without indices.
class ExactRow {
 public:
  ExactRow(const Context& context, const std::vector<int32_t>& active, int64_t columns)
      : active_(active),
        columns_(columns),
        before_(context, columns, 1),
        after_(context.scratch<float>(columns + kDistanceMargin)),
        envelope_(context, active.size() + 1, 1) {}

  const float* solve(const float* counts) {
    if (patience_.tries()) {
      float* squares = before_.data();
      for (int64_t x = 0; x < columns_; x++) squares[x] = counts[x] * counts[x];
      const bool is_near =
          simd_kernels().distance_near(squares, columns_, 1, patience_for(active_.size()), after_.data());
      if (patience_.learn(is_near)) return after_.data();
    }
    fill_exact(
        envelope_, active_.data(), active_.size(), [&](int32_t q) { return counts[q] * counts[q]; }, columns_,
        after_.data());
    return after_.data();
  }

 private:
  const std::vector<int32_t>& active_;
  int64_t columns_;
  Surrounded before_;
  Scratch<float> after_;
  Envelope<float> envelope_;
  Patience patience_;
};

// kLinesAtOnce neighbouring lines across the slices, looked at outward only.
class NearLines {
 public:
  NearLines(const Context& context, int64_t length)
      : length_(length),
        before_(context, length, kLinesAtOnce),
        after_(context.scratch<float>(length * kLinesAtOnce + kDistanceMargin)) {}

  bool solve(const float* squares, int64_t stride, int64_t lines) {
    if (!patience_.tries()) return false;
    for (int64_t z = 0; z < length_; z++) {
      float* line = before_.data() + z * kLinesAtOnce;
      std::fill(std::copy(squares + z * stride, squares + z * stride + lines, line), line + kLinesAtOnce, 0.0f);
    }
    const bool is_near = simd_kernels().distance_near(before_.data(), length_ * kLinesAtOnce, kLinesAtOnce,
                                                      kLinesAtOnce * patience_for(length_), after_.data());
    return patience_.learn(is_near);
  }
  const float* line(int64_t z) const { return after_.data() + z * kLinesAtOnce; }

 private:
  int64_t length_;
  Surrounded before_;
  Scratch<float> after_;
  Patience patience_;
};

// T is float where all squares are integers (spacings 1, the common spacing multiplied on at the end),
// otherwise double.
template <typename T>
class Transform {
 public:
  Transform(const Context& context, const DistanceArgs& args)
      : context_(context), a_(args), plane_(args.rows * args.columns) {
    constexpr bool exact = std::is_same_v<T, float>;
    for (int axis = 0; axis < 3; axis++) spacing_[axis] = exact ? 1 : static_cast<T>(args.spacing[axis]);
    scale_ = exact ? args.spacing[1] : 1;
    if (!args.volume) return;
    if (!exact) squares_ = context.scratch<T>(args.slices * plane_);
    if (args.indices) nearest_ = context.scratch<int32_t>(args.slices * plane_);
  }

  void run() {
    if (plane_ <= kPlaneOfOneTask && (a_.slices > 1 || plane_ <= kPixelsPerTask)) {
      context_.parallel_for(a_.slices, 1, [&](int64_t begin, int64_t end) {
        for (int64_t slice = begin; slice < end; slice++) {
          count_columns(slice, 0, a_.columns);
          const std::vector<int32_t> active = active_columns(slice);
          solve_rows(slice, active, 0, a_.rows);
          context_.job.advance(a_.rows);
        }
      });
    } else {
      for (int64_t slice = 0; slice < a_.slices; slice++) large_plane(slice);
    }
    if (a_.volume) solve_across_slices();
  }

 private:
  void large_plane(int64_t slice) {
    context_.parallel_for(a_.columns, kColumnsPerTask,
                          [&](int64_t begin, int64_t end) { count_columns(slice, begin, end); });
    const std::vector<int32_t> active = active_columns(slice);
    context_.parallel_for(a_.rows, std::max<int64_t>(1, kPixelsPerTask / a_.columns), [&](int64_t begin, int64_t end) {
      solve_rows(slice, active, begin, end);
      context_.job.advance(end - begin);
    });
  }

  // The counts lie where the distances will: a row's are read before its distances are written.
  void count_columns(int64_t slice, int64_t first, int64_t last) {
    simd_kernels().distance_counts(a_.mask + slice * plane_ + first, 0, a_.rows, a_.columns, last - first,
                                   a_.distances + slice * plane_ + first);
  }

  std::vector<int32_t> active_columns(int64_t slice) const {
    std::vector<int32_t> active;
    const float* counts = a_.distances + slice * plane_;
    for (int64_t x = 0; x < a_.columns; x++)
      if (counts[x] < kInfinity) active.push_back(static_cast<int32_t>(x));
    return active;
  }

  void solve_rows(int64_t slice, const std::vector<int32_t>& active, int64_t first, int64_t last) {
    if constexpr (std::is_same_v<T, float>)
      if (!a_.indices && !active.empty()) return solve_exact_rows(slice, active, first, last);
    Envelope<T> envelope(context_, active.size() + 1, spacing_[2]);
    Scratch<T> row = context_.scratch<T>(a_.columns);
    for (int64_t y = first; y < last; y++) {
      float* counts = a_.distances + slice * plane_ + y * a_.columns;
      T* squares = !a_.volume ? row.data() : squares_of(slice) + y * a_.columns;
      if (static_cast<void*>(squares) == counts) {  // 3-D in float: solved in place, so the counts move out of the way
        std::memcpy(row.data(), counts, a_.columns * sizeof(float));
        counts = reinterpret_cast<float*>(row.data());
      }
      if (active.empty()) std::fill(squares, squares + a_.columns, std::numeric_limits<T>::infinity());
      solve_line(
          envelope, active.data(), active.size(), a_.columns,
          [&](int32_t q) {
            const T d = spacing_[1] * static_cast<T>(counts[q]);
            return d * d;
          },
          [&](int64_t begin, int64_t end, int32_t vertex, T offset) {
            if (offset == 0 && end == begin + 1 && vertex == begin)
              squares[begin] = 0;
            else
              fill(squares, begin, end, vertex, offset, spacing_[2]);
            if (a_.indices) name_row(slice, y, begin, end, vertex, counts[vertex]);
          });
      if (active.empty() && a_.indices) name_row(slice, y, 0, a_.columns, -1, 0);
      if (!a_.volume) take_roots(squares, a_.columns, scale_, a_.distances + slice * plane_ + y * a_.columns);
    }
  }

  void solve_exact_rows(int64_t slice, const std::vector<int32_t>& active, int64_t first, int64_t last) {
    ExactRow row(context_, active, a_.columns);
    for (int64_t y = first; y < last; y++) {
      float* line = a_.distances + slice * plane_ + y * a_.columns;
      const float* squares = row.solve(line);
      if (a_.volume)
        std::memcpy(line, squares, a_.columns * sizeof(float));
      else
        take_roots(squares, a_.columns, scale_, line);
    }
  }

  // The nearest zero of the pixels [begin, end) of a row lies in `column`, `count` rows up or down.
  void name_row(int64_t slice, int64_t y, int64_t begin, int64_t end, int32_t column, float count) {
    const int64_t up = y - static_cast<int64_t>(count), at = slice * plane_ + y * a_.columns;
    int64_t row = -1;
    if (column >= 0)
      row = up >= 0 && a_.mask[slice * plane_ + up * a_.columns + column] == 0 ? up : y + static_cast<int64_t>(count);
    if (a_.volume) {
      const int32_t nearest = column < 0 ? -1 : static_cast<int32_t>(slice * plane_ + row * a_.columns + column);
      std::fill(nearest_.data() + at + begin, nearest_.data() + at + end, nearest);
    } else {
      int32_t *rows = a_.indices + at, *columns = rows + a_.slices * plane_;
      std::fill(rows + begin, rows + end, static_cast<int32_t>(row));
      std::fill(columns + begin, columns + end, column);
    }
  }

  T* squares_of(int64_t slice) {
    if constexpr (std::is_same_v<T, float>)
      return a_.distances + slice * plane_;
    else
      return squares_.data() + slice * plane_;
  }

  void solve_across_slices() {
    const int64_t blocks = (a_.columns + kLinesAtOnce - 1) / kLinesAtOnce, n = a_.slices;
    const int64_t grain = std::max<int64_t>(1, kPixelsPerTask / (n * kLinesAtOnce));
    context_.parallel_for(a_.rows * blocks, grain, [&](int64_t begin, int64_t end) {
      Envelope<T> envelope(context_, n, spacing_[0]);
      Scratch<T> before = context_.scratch<T>(n * kLinesAtOnce),
                 after = context_.scratch<T>(n * kLinesAtOnce + kDistanceMargin);
      Scratch<int32_t> nearest = context_.scratch<int32_t>(a_.indices ? n * kLinesAtOnce : 0);
      std::vector<int32_t> finite(n);
      NearLines near(context_, n);
      for (int64_t task = begin; task < end && !context_.job.cancelled; task++) {
        const int64_t x0 = task % blocks * kLinesAtOnce, lines = std::min(kLinesAtOnce, a_.columns - x0);
        const int64_t at = task / blocks * a_.columns + x0;
        if constexpr (std::is_same_v<T, float>)
          if (!a_.indices && near.solve(a_.distances + at, plane_, lines)) {
            for (int64_t z = 0; z < n; z++) take_roots(near.line(z), lines, scale_, a_.distances + z * plane_ + at);
            continue;
          }
        for (int64_t z = 0; z < n; z++)
          for (int64_t x = 0; x < lines; x++) before[x * n + z] = squares_of(z)[at + x];
        for (int64_t x = 0; x < lines; x++) {
          const T* line = before.data() + x * n;
          int64_t count = 0;
          for (int64_t z = 0; z < n; z++)
            if (line[z] < std::numeric_limits<T>::infinity()) finite[count++] = static_cast<int32_t>(z);
          T* result = after.data() + x * n;
          if (count == 0) std::fill(result, result + n, std::numeric_limits<T>::infinity());
          if (count == 0 && a_.indices) std::fill(nearest.data() + x * n, nearest.data() + (x + 1) * n, -1);
          if constexpr (std::is_same_v<T, float>)
            if (!a_.indices && count > 0) {
              fill_exact(
                  envelope, finite.data(), count, [&](int32_t q) { return line[q]; }, n,
                  result);  // and into the next line's begin
              continue;
            }
          solve_line(
              envelope, finite.data(), count, n, [&](int32_t q) { return line[q]; },
              [&](int64_t first, int64_t last, int32_t vertex, T offset) {
                fill(result, first, last, vertex, offset, spacing_[0]);
                if (a_.indices)
                  std::fill(nearest.data() + x * n + first, nearest.data() + x * n + last,
                            nearest_[vertex * plane_ + at + x]);
              });
        }
        alignas(64) T squares[kLinesAtOnce];
        for (int64_t z = 0; z < n; z++) {
          for (int64_t x = 0; x < lines; x++) squares[x] = after[x * n + z];
          take_roots(squares, lines, scale_, a_.distances + z * plane_ + at);
          if (a_.indices)
            for (int64_t x = 0; x < lines; x++) name_voxel(z * plane_ + at + x, nearest[x * n + z]);
        }
      }
    });
  }

  void name_voxel(int64_t at, int32_t nearest) {
    const int64_t volume = a_.slices * plane_;
    a_.indices[at] = nearest < 0 ? -1 : static_cast<int32_t>(nearest / plane_);
    a_.indices[at + volume] = nearest < 0 ? -1 : static_cast<int32_t>(nearest % plane_ / a_.columns);
    a_.indices[at + 2 * volume] = nearest < 0 ? -1 : static_cast<int32_t>(nearest % a_.columns);
  }

  const Context& context_;
  const DistanceArgs& a_;
  const int64_t plane_;
  T spacing_[3];
  double scale_;
  Scratch<T> squares_;        // 3-D in double
  Scratch<int32_t> nearest_;  // 3-D: element number of the nearest zero
};

}  // namespace

void distance(const Context& context, const DistanceArgs& args) {
  if (args.slices == 0 || args.rows == 0 || args.columns == 0) return;
  require(args.slices * args.rows * args.columns < (int64_t(1) << 31) || !(args.volume && args.indices), Code::overflow,
          "Indices of a 3-D distance transform need fewer than 2^31 voxels.");
  if (squares_are_exact(args))
    Transform<float>(context, args).run();
  else
    Transform<double>(context, args).run();
}

}  // namespace sino::cpu
