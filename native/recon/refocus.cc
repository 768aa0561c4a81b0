#include "native/recon/refocus.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "native/recon/turned_lines.h"

namespace sino {

namespace {

using Complex = TurnedLines::Complex;
using Values = TurnedLines::Values;
using Numbers = std::vector<double>;

constexpr double kPi = 3.14159265358979323846;
constexpr double kFlat = 0.02;  // of the steepest gradient: below, entropy takes no notice
constexpr int kConjugateSteps = 12;
constexpr double kGain = 0.0008;        // of sharpness, by which one jump more pays
constexpr int64_t kCoarsest = 64;       // lines of the first level
constexpr int64_t kFinest = 128;        // lines from which on periods can be told apart
constexpr int64_t kMostSearched = 256;  // lines up to which jumps are looked for
constexpr int kMostJumps = 6;

double squared(const Values& values) {
  double sum = 0;
  for (const Complex& v : values) sum += std::norm(v);
  return sum;
}

// What a level of resolution measures, and how sharp positions make it.
class Sharpness {
 public:
  // The middle rows × columns of the lines `k`.
  Sharpness(const RefocusArgs& args, const Values& k, int64_t rows, int64_t columns, const std::atomic<bool>& cancelled)
      : lines_(rows, columns, args.rows, args.columns),
        count_(rows * columns),
        measured_(count_),
        cancelled_(cancelled) {
    const int64_t from_row = args.rows / 2 - rows / 2, from_column = args.columns / 2 - columns / 2;
    for (int64_t v = 0; v < rows; v++)
      for (int64_t u = 0; u < columns; u++)
        measured_[v * columns + u] = k[(from_row + v) * args.columns + from_column + u];
    lines_.place(std::vector<Position>(rows).data());
    lines_.adjoint(measured_, image_);
    steepest_ = 0;
    each_gradient([&](Complex a, Complex b, int64_t, int64_t, int64_t) {
      steepest_ = std::max(steepest_, double(std::norm(a) + std::norm(b)));
    });
    steepest_ = std::sqrt(steepest_);
  }
  int64_t rows() const { return lines_.rows(); }
  int64_t columns() const { return lines_.columns(); }
  bool is_blank() const { return !(steepest_ > 0); }

  // With `gradient`, one per line, overwritten.
  double operator()(const std::vector<Position>& positions, std::vector<Position>* gradient) {
    if (cancelled_) throw Error(Code::cancelled, "The job was cancelled.");
    lines_.place(positions.data());
    if (gradient) gradient->assign(rows(), Position{});
    return through_adjoint(gradient);
  }

  // The corrected image, as a magnitude; and how well it explains what was measured.
  double reconstruct(const std::vector<Position>& positions, std::vector<float>& result) {
    lines_.place(positions.data());
    result.resize(count_);
    conjugate_gradients();
    for (int64_t i = 0; i < count_; i++) result[i] = std::abs(image_[i]);
    lines_.forward(image_, moved_);
    for (int64_t i = 0; i < count_; i++) moved_[i] -= measured_[i];
    return std::sqrt(squared(moved_) / squared(measured_));
  }

 private:
  double through_adjoint(std::vector<Position>* gradient) {
    lines_.adjoint(measured_, image_);
    const double entropy = entropy_of_image(gradient ? &slope_ : nullptr);
    if (!gradient) return entropy;
    lines_.forward(slope_, moved_);
    scaled_ = measured_;
    for (Complex& v : scaled_) v *= 1.0f / static_cast<float>(count_);
    lines_.gradient(slope_, moved_, scaled_, gradient->data());
    return entropy;
  }

  template <typename Body>
  void each_gradient(Body body) const {
    const int64_t rows = lines_.rows(), columns = lines_.columns();
    for (int64_t y = 0; y < rows; y++)
      for (int64_t x = 0; x < columns; x++) {
        const int64_t at = y * columns + x, below = (y + 1 < rows ? at + columns : x),
                      beside = x + 1 < columns ? at + 1 : y * columns;
        body(image_[below] - image_[at], image_[beside] - image_[at], at, below, beside);
      }
  }
  double entropy_of_image(Values* slope) const {
    const double flat = std::pow(kFlat * steepest_, 2);
    double sum = 0, logs = 0;
    each_gradient([&](Complex a, Complex b, int64_t, int64_t, int64_t) {
      const double size = std::sqrt(std::norm(a) + std::norm(b) + flat);
      sum += size, logs += size * std::log(size);
    });
    if (slope) {
      slope->assign(count_, 0);
      each_gradient([&](Complex a, Complex b, int64_t at, int64_t below, int64_t beside) {
        const double size = std::sqrt(std::norm(a) + std::norm(b) + flat);
        const float weight = static_cast<float>((logs / sum - std::log(size)) / sum / size);
        (*slope)[below] += weight * a, (*slope)[beside] += weight * b, (*slope)[at] -= weight * (a + b);
      });
    }
    return std::log(sum) - logs / sum;
  }

  void conjugate_gradients() {
    lines_.adjoint(measured_, image_);
    Values lines, product, residual = image_, direction;
    const Values right = image_;
    lines_.forward(image_, lines);
    lines_.adjoint(lines, product);
    for (int64_t i = 0; i < count_; i++) residual[i] = right[i] - product[i];
    direction = residual;
    double size = squared(residual);
    const double enough = 1e-12 * squared(right);
    for (int k = 0; k < kConjugateSteps && size > enough; k++) {
      if (cancelled_) throw Error(Code::cancelled, "The job was cancelled.");
      lines_.forward(direction, lines);
      lines_.adjoint(lines, product);
      const double along = squared(lines) / double(count_);
      const float step = static_cast<float>(size / along);
      for (int64_t i = 0; i < count_; i++) image_[i] += step * direction[i], residual[i] -= step * product[i];
      const double next = squared(residual);
      for (int64_t i = 0; i < count_; i++) direction[i] = residual[i] + static_cast<float>(next / size) * direction[i];
      size = next;
    }
  }

  TurnedLines lines_;
  int64_t count_;
  Values measured_;
  const std::atomic<bool>& cancelled_;
  double steepest_ = 0;
  Values image_, moved_, slope_, scaled_;
};

// Positions of all lines from few numbers: three (turn, down, right; in pixels of way) for each of some functions of the line.
struct Path {
  Numbers jumps;       // sorted: lines from here on lie elsewhere
  double periods = 0;  // per scan; above 0: sine and cosine instead of jumps
  Numbers q;
  int terms() const { return periods > 0 ? 2 : static_cast<int>(jumps.size()); }
  // Of line v, 0 in the middle, of `field` lines.
  void weights(double v, double field, double* w) const {
    if (periods > 0) {
      const double angle = 2 * kPi * periods * v / field;
      w[0] = std::sin(angle), w[1] = std::cos(angle) - 1;
      return;
    }
    for (int k = 0; k < terms(); k++) w[k] = 0;
    const int here = segment(v), middle = segment(0);
    if (here != middle) w[here < middle ? here : here - 1] = 1;
  }
  int term(double v) const {  // of a line that does not lie where the middle one does
    const int here = segment(v);
    return here < segment(0) ? here : here - 1;
  }
  int segment(double v) const {
    return static_cast<int>(std::upper_bound(jumps.begin(), jumps.end(), v) - jumps.begin());
  }
};

class Search {
 public:
  Search(const RefocusArgs& args, const Values& k, const std::atomic<bool>& cancelled)
      : args_(args), k_(k), cancelled_(cancelled), radius_(double(args.rows + args.columns) / 8) {}

  double per_degree() const { return radius_ * kPi / 180; }  // pixels of way at a quarter of the field

  void level(int64_t lines) {
    const int64_t rows = std::min(lines, args_.rows);
    const int64_t columns =
        std::min<int64_t>(args_.columns, std::max<int64_t>(16, (rows * args_.columns / args_.rows + 1) / 2 * 2));
    sharpness_.emplace(args_, k_, rows, columns, cancelled_);
  }
  Sharpness& sharpness() { return *sharpness_; }
  int64_t rows() const { return sharpness_->rows(); }

  std::vector<Position> positions(const Path& path) const {
    std::vector<Position> all(rows());
    double w[kMostJumps + 2];
    for (int64_t row = 0; row < rows(); row++) {
      path.weights(double(row - rows() / 2), double(args_.rows), w);
      for (int k = 0; k < path.terms(); k++) {
        all[row].turn += w[k] * path.q[3 * k] / per_degree();
        all[row].down += w[k] * path.q[3 * k + 1];
        all[row].right += w[k] * path.q[3 * k + 2];
      }
    }
    return all;
  }

  double cost(const Path& path) { return (*sharpness_)(positions(path), nullptr); }
  double cost(const Path& path, Numbers& gradient) {
    std::vector<Position> of_lines;
    const double value = (*sharpness_)(positions(path), &of_lines);
    gradient.assign(path.q.size(), 0);
    double w[kMostJumps + 2];
    for (int64_t row = 0; row < rows(); row++) {
      path.weights(double(row - rows() / 2), double(args_.rows), w);
      for (int k = 0; k < path.terms(); k++) {
        gradient[3 * k] += w[k] * of_lines[row].turn / per_degree();
        gradient[3 * k + 1] += w[k] * of_lines[row].down;
        gradient[3 * k + 2] += w[k] * of_lines[row].right;
      }
    }
    return value;
  }

  // BFGS with halved steps; only numbers from `first` on move. Steps are at most `way` pixels.
  double descend(Path& path, int most, size_t first = 0, size_t last = SIZE_MAX) {
    last = std::min(last, path.q.size());
    const size_t n = last - first;
    Numbers gradient, next_gradient, inverse(n * n, 0.0), step(n), y(n), hy(n);
    double value = cost(path, gradient);
    bool is_fresh = true;
    const double way = double(args_.rows) / double(rows());
    for (int k = 0; k < most && n > 0; k++) {
      if (is_fresh) {
        double size = 0;
        for (size_t i = 0; i < n; i++) size = std::max(size, std::fabs(gradient[first + i]));
        if (!(size > 0)) break;
        std::fill(inverse.begin(), inverse.end(), 0.0);
        for (size_t i = 0; i < n; i++) inverse[i * n + i] = 0.3 * way / size;
      }
      double slope = 0, longest = 0;
      for (size_t i = 0; i < n; i++) {
        step[i] = 0;
        for (size_t j = 0; j < n; j++) step[i] -= inverse[i * n + j] * gradient[first + j];
        slope += step[i] * gradient[first + i], longest = std::max(longest, std::fabs(step[i]));
      }
      if (slope >= 0) {
        if (is_fresh) break;
        is_fresh = true;
        continue;
      }
      double scale = std::min(1.0, 1.5 * way / longest), next = 0;
      Path trial = path;
      bool is_lower = false;
      for (int halved = 0; halved < 6 && !is_lower; halved++, scale *= 0.4) {
        for (size_t i = 0; i < n; i++) trial.q[first + i] = path.q[first + i] + scale * step[i];
        next = cost(trial, next_gradient);
        is_lower = next < value + 1e-4 * scale * slope;
        if (is_lower) break;
      }
      if (!is_lower) {
        if (is_fresh) break;
        is_fresh = true;
        continue;
      }
      double sy = 0, yhy = 0;
      for (size_t i = 0; i < n; i++) {
        step[i] *= scale, y[i] = next_gradient[first + i] - gradient[first + i];
        sy += step[i] * y[i];
      }
      if (sy > 1e-14) {
        for (size_t i = 0; i < n; i++) {
          hy[i] = 0;
          for (size_t j = 0; j < n; j++) hy[i] += inverse[i * n + j] * y[j];
          yhy += y[i] * hy[i];
        }
        for (size_t i = 0; i < n; i++)
          for (size_t j = 0; j < n; j++)
            inverse[i * n + j] += ((1 + yhy / sy) * step[i] * step[j] - hy[i] * step[j] - step[i] * hy[j]) / sy;
        is_fresh = false;
      }
      const double gained = value - next;
      path = trial, value = next, gradient = next_gradient;
      if (gained < 2e-6 || longest * scale < 0.003 * way) break;
    }
    return value;
  }

  struct Candidate {
    Path path;
    double cost;
  };
  void keep_best(std::vector<Candidate>& list, Candidate candidate, size_t most) const {
    const auto at = std::upper_bound(list.begin(), list.end(), candidate.cost,
                                     [](double cost, const Candidate& c) { return cost < c.cost; });
    list.insert(at, std::move(candidate));
    if (list.size() > most) list.pop_back();
  }

  // Number k of a sequence that fills −1 … 1 evenly, in the dimension of a prime base (J. H. Halton, 1960).
  static double halton(int k, int base) {
    double value = 0, share = 1;
    for (k++; k > 0; k /= base) share /= base, value += share * (k % base);
    return 2 * value - 1;
  }
  static constexpr int kBases[] = {5, 2, 3};
  double far(int axis) const { return axis == 0 ? args_.degrees * per_degree() : args_.pixels; }

  // Jumps at lines beyond `inner` (0: anywhere), added one by one while each makes the image sharper by `gain`.
  double add_jumps(Path& path, int64_t inner, double gain, int starts, size_t descents) {
    double best = path.q.empty() ? cost(path) : descend(path, 15);
    while (path.terms() < kMostJumps) {
      const int64_t half = rows() / 2, step = std::max<int64_t>(1, (half - inner) / (inner ? 4 : 8));
      Candidate found{path, best};
      for (int side : {1, -1})
        for (int64_t at = inner ? inner : step / 2; at < half - 1; at += step) {
          const Path split = with_jump(path, side * (double(at) + 0.5));
          if (!are_apart(split.jumps)) continue;
          const size_t changed = 3 * split.term(side * double(at + 1));
          std::vector<Candidate> list;
          for (int k = 0; k < starts; k++) {
            Path trial = split;
            for (int axis = 0; axis < 3; axis++)
              trial.q[changed + axis] += k > 0 ? far(axis) * halton(k, kBases[axis]) : 0.1 * (axis - 0.7);
            const double value = cost(trial);
            keep_best(list, {std::move(trial), value}, descents);
          }
          for (Candidate& c : list) {
            c.cost = descend(c.path, 10, changed, changed + 3);
            if (c.cost < found.cost) found = c;
          }
        }
      if (!(found.cost < best - gain)) break;
      place_jumps(found, step);
      path = found.path, best = found.cost;
    }
    Candidate last{path, best};
    drop_jumps(last, gain);
    path = last.path;
    return last.cost;
  }
  static Path with_jump(const Path& path, double at) {
    Path split = path;
    split.jumps.insert(std::upper_bound(split.jumps.begin(), split.jumps.end(), at), at);
    split.q.assign(3 * split.jumps.size(), 0.0);
    // every piece starts where it lay: read at a line within it
    for (int part = 0; part <= static_cast<int>(split.jumps.size()); part++) {
      const double low = part == 0 ? split.jumps[0] - 2 : split.jumps[part - 1];
      const double high = part == static_cast<int>(split.jumps.size()) ? low + 2 : split.jumps[part];
      const double within = (low + high) / 2;
      const int middle = split.segment(0);
      if (part == middle) continue;
      const int term = part < middle ? part : part - 1, old_part = path.segment(within), old_middle = path.segment(0);
      if (old_part == old_middle) continue;
      const int old_term = old_part < old_middle ? old_part : old_part - 1;
      for (int axis = 0; axis < 3; axis++) split.q[3 * term + axis] = path.q[3 * old_term + axis];
    }
    return split;
  }
  // The lines of most energy lie where the middle one does, and no position lasts for a line only.
  static bool is_apart(const Numbers& jumps, size_t k) {
    return std::fabs(jumps[k]) > 1 && (k == 0 || jumps[k] - jumps[k - 1] > 1.5) &&
           (k + 1 == jumps.size() || jumps[k + 1] - jumps[k] > 1.5);
  }
  static bool are_apart(const Numbers& jumps) {
    for (size_t k = 0; k < jumps.size(); k++)
      if (!is_apart(jumps, k)) return false;
    return true;
  }
  // Leaves out jumps without which the image stays as sharp, but for `gain`.
  void drop_jumps(Candidate& c, double gain) {
    for (size_t k = 0; k < c.path.jumps.size();) {
      Candidate without{without_jump(c.path, k), 0};
      without.cost = descend(without.path, 8);
      if (without.cost < c.cost + gain)
        c = without;
      else
        k++;
    }
  }
  // The pieces beside it become one, which lies where the one nearer the middle does.
  static Path without_jump(const Path& path, size_t k) {
    Path rest = path;
    const double at = path.jumps[k];
    rest.jumps.erase(rest.jumps.begin() + k);
    const size_t gone = 3 * path.term(at > 0 ? at + 0.25 : at - 0.25);
    rest.q.erase(rest.q.begin() + gone, rest.q.begin() + gone + 3);
    return rest;
  }
  // Every jump to the line where it makes the image sharpest, by smaller and smaller steps.
  void place_jumps(Candidate& c, int64_t step) {
    for (int64_t by = std::max<int64_t>(1, step / 2); by >= 1; by /= 2) {
      for (size_t k = 0; k < c.path.jumps.size(); k++)
        for (int side : {1, -1})
          for (int times = 0; times < 4; times++) {
            Path trial = c.path;
            trial.jumps[k] += side * double(by);
            const bool is_sorted = std::is_sorted(trial.jumps.begin(), trial.jumps.end());
            if (!is_sorted || trial.segment(0) != c.path.segment(0) || !is_apart(trial.jumps, k) ||
                std::fabs(trial.jumps[k]) > double(rows()) / 2)
              break;
            const double value = cost(trial);
            if (value >= c.cost) break;
            c = {trial, value};
          }
      c.cost = descend(c.path, by > 1 ? 6 : 15);
    }
  }

  // A sine of the line: periods per scan from 2 to a tenth of the lines.
  Candidate find_periodic(int starts, size_t descents) {
    std::vector<Candidate> list;
    const double most = std::min(24.0, double(args_.rows) / 10);
    for (double periods = 2; periods <= most; periods += 0.5)
      for (int k = 0; k < starts; k++) {
        Path path;
        path.periods = periods;
        path.q.resize(6);
        constexpr int kSixBases[] = {7, 2, 3, 11, 5, 13};
        for (int i = 0; i < 6; i++) path.q[i] = 0.5 * far(i % 3) * halton(k, kSixBases[i]);
        const double value = cost(path);
        keep_best(list, {std::move(path), value}, descents);
      }
    Candidate found{{}, std::numeric_limits<double>::infinity()};
    for (Candidate& c : list) {
      c.cost = descend(c.path, 12);
      if (c.cost < found.cost) found = c;
    }
    return found;
  }
  void refine_periods(Candidate& c, double by) {
    for (; by > 0.01; by /= 2)
      for (int side : {1, -1}) {
        Path trial = c.path;
        trial.periods += side * by;
        if (trial.periods < 1.75) continue;
        const double value = descend(trial, 4);
        if (value < c.cost) c = {trial, value};
      }
    c.cost = descend(c.path, 20);
  }

 private:
  const RefocusArgs& args_;
  const Values& k_;
  const std::atomic<bool>& cancelled_;
  double radius_;
  std::optional<Sharpness> sharpness_;
};

// Lines of k-space of slice s, middle at (rows/2, columns/2).
Values measured(const RefocusArgs& args, int64_t s) {
  const int64_t count = args.rows * args.columns;
  Values image(count), k;
  for (int64_t i = 0; i < count; i++) image[i] = {args.real[s * count + i], args.imaginary[s * count + i]};
  TurnedLines lines(args.rows, args.columns, args.rows, args.columns);
  lines.place(std::vector<Position>(args.rows).data());
  lines.forward(image, k);
  return k;
}

std::vector<int64_t> levels_of(int64_t rows) {
  std::vector<int64_t> levels;
  for (int64_t lines = kCoarsest; 3 * lines < 2 * rows; lines *= 2) levels.push_back(lines);
  levels.push_back(rows);
  return levels;
}

void of_slice(const std::atomic<bool>& cancelled, const RefocusArgs& args, int64_t s) {
  const int64_t count = args.rows * args.columns;
  const Values k = measured(args, s);
  Search search(args, k, cancelled);
  double* report = args.report + s * kRefocusReport;

  const std::vector<int64_t> levels = levels_of(args.rows);
  Path sudden;
  Search::Candidate periodic{{}, std::numeric_limits<double>::infinity()};
  double sudden_cost = 0, still_cost = 0;
  for (size_t level = 0; level < levels.size(); level++) {
    const bool is_first = level == 0, is_last = level + 1 == levels.size();
    search.level(levels[level]);
    if (search.sharpness().is_blank()) break;
    still_cost = sudden_cost = search.cost(Path{});
    const bool is_large = levels[level] > kMostSearched;
    const int64_t inner = is_first ? 0 : levels[level - 1] / 2;
    if (is_large)
      sudden_cost = search.descend(sudden, 6);
    else
      sudden_cost = search.add_jumps(sudden, inner, is_first ? 3 * kGain : kGain, is_first ? 16 : 40, 2);
    const bool finds_periods = levels[level] >= kFinest || is_last;
    if (finds_periods && periodic.path.periods == 0)
      periodic = search.find_periodic(10, 6), search.refine_periods(periodic, 0.25);
    else if (finds_periods)
      periodic.cost = search.descend(periodic.path, is_large ? 6 : 20);
  }
  const bool is_periodic = periodic.cost < sudden_cost - kGain;
  const Path& path = is_periodic ? periodic.path : sudden;
  const double after = is_periodic ? periodic.cost : sudden_cost;
  const bool is_better = !search.sharpness().is_blank() && path.terms() > 0 && still_cost - after > args.least_gain;
  const std::vector<Position> found = search.positions(is_better ? path : Path{});
  for (int64_t v = 0; v < args.rows; v++) {
    const int64_t at = s * args.rows + v;
    args.turn[at] = found[v].turn, args.down[at] = found[v].down, args.right[at] = found[v].right;
  }
  report[0] = still_cost, report[1] = after, report[2] = 0;
  report[3] = is_periodic ? path.periods : 0, report[4] = double(is_periodic ? 0 : path.terms()), report[5] = is_better;
  float* output = args.output + s * count;
  if (!is_better) {
    for (int64_t i = 0; i < count; i++) output[i] = std::hypot(args.real[s * count + i], args.imaginary[s * count + i]);
    return;
  }
  std::vector<float> image;
  report[2] = search.sharpness().reconstruct(found, image);
  std::copy(image.begin(), image.end(), output);
}

}  // namespace

void refocus(const Context& context, const RefocusArgs& args) {
  if (args.rows * args.columns == 0) return;
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; s++) {
      of_slice(context.job.cancelled, args, s);
      context.job.advance(args.rows);
    }
  });
}

}  // namespace sino
