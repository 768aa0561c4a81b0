#include "native/ops/fourier.h"

#include <algorithm>
#include <complex>
#include <deque>
#include <mutex>

#include "native/core/error.h"

namespace sino {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kOversampling = 1.5;
constexpr int64_t kLongestView = 1 << 17;
constexpr size_t kPlansKept = 4;

double bessel_i0(double x) {
  double sum = 1, term = 1;
  for (int k = 1; k < 200 && term > sum * 1e-17; k++) sum += term *= x * x / (4.0 * k * k);
  return sum;
}

// Kaiser–Bessel over kFourierSpan cells; the shape is the one with the least worst aliasing (found by search, 1.25 … 1.5).
struct Kernel {
  explicit Kernel(double oversampling)
      : beta(0.977 * kPi * kFourierSpan * (1 - 1 / (2 * oversampling))), top(bessel_i0(beta)) {}
  double at(double cells) const {
    const double z = 2 * cells / kFourierSpan;
    return z * z >= 1 ? 1 / top : bessel_i0(beta * std::sqrt(1 - z * z)) / top;
  }
  double transform(double frequency) const {  // cycles per cell
    const double a = beta * beta - std::pow(kPi * kFourierSpan * frequency, 2), root = std::sqrt(std::fabs(a));
    const double shape = root < 1e-9 ? 1 : a > 0 ? std::sinh(root) / root : std::sin(root) / root;
    return kFourierSpan * shape / top;
  }
  double beta, top;
};

// The kernel at fraction − span/2 + i as a polynomial of the fraction: interpolation in Chebyshev's points.
template <int kCopies>
void fit(const Kernel& kernel, float (*polynomials)[8 * kCopies]) {
  constexpr int n = kFourierDegree + 1;
  for (int i = 0; i < 8; i++) {
    double divided[n], node[n], power[n] = {};
    for (int k = 0; k < n; k++) {
      node[k] = 0.5 - 0.5 * std::cos(kPi * (k + 0.5) / n);
      divided[k] = i < kFourierSpan ? kernel.at(node[k] - kFourierSpan / 2.0 + i) : 0;
    }
    for (int order = 1; order < n; order++)
      for (int k = n - 1; k >= order; k--) divided[k] = (divided[k] - divided[k - 1]) / (node[k] - node[k - order]);
    for (int k = n - 1; k >= 0; k--) {  // Newton's form to powers
      for (int p = n - 1; p > 0; p--) power[p] = power[p - 1] - node[k] * power[p];
      power[0] = divided[k] - node[k] * power[0];
    }
    for (int p = 0; p < n; p++)
      for (int copy = 0; copy < kCopies; copy++)
        polynomials[p][i * kCopies + copy] = static_cast<float>(power[n - 1 - p]);
  }
}

std::vector<float> pixel_weights(const Kernel& kernel, int64_t pixels, int64_t cells) {
  std::vector<float> weights(pixels);
  for (int64_t i = 0; i < pixels; i++)
    weights[i] = static_cast<float>(1 / kernel.transform(double(i - pixels / 2) / cells));
  return weights;
}

FourierTransform transform_of(int64_t length) {
  FourierTransform t;
  t.length = length;
  for (int64_t rest = length; rest > 1;) {
    const int32_t radix = rest % 5 == 0 ? 5 : rest % 3 == 0 ? 3 : rest % 4 == 0 ? 4 : 2;
    t.radices.push_back(radix);
    rest /= radix;
  }
  t.place.assign(length, 0);
  int64_t span = length, digit_value = 1;
  for (int32_t radix : t.radices) {
    const int64_t part = span / radix;
    for (int64_t k = 0; k < part; k++)
      for (int r = 1; r < radix; r++) {
        const double angle = -2 * kPi * (k * r % span) / span;
        t.twiddles.push_back(static_cast<float>(std::cos(angle)));
        t.twiddles.push_back(static_cast<float>(std::sin(angle)));
      }
    for (int64_t f = 0; f < length; f++) t.place[f] += static_cast<int32_t>(f / digit_value % radix * part);
    digit_value *= radix;
    span = part;
  }
  return t;
}

// In double, only for tables: splits off the smallest prime factor.
void dft(std::vector<std::complex<double>>& x) {
  const size_t n = x.size();
  if (n == 1) return;
  size_t radix = 2;
  while (n % radix != 0) radix++;
  std::vector<std::vector<std::complex<double>>> parts(radix, std::vector<std::complex<double>>(n / radix));
  for (size_t i = 0; i < n; i++) parts[i % radix][i / radix] = x[i];
  for (auto& part : parts) dft(part);
  for (size_t f = 0; f < n; f++) {
    x[f] = 0;
    for (size_t r = 0; r < radix; r++) x[f] += std::polar(1.0, -2 * kPi * (f * r % n) / n) * parts[r][f % (n / radix)];
  }
}

// The same convolution on a shorter transform: the response becomes a kernel of 2·bins − 1 taps, and that a response.
FourierFilter filter_of(const FilterPlan& ramp, int64_t measured_bins) {
  FourierFilter filter;
  std::vector<std::complex<double>> taps(ramp.response.begin(), ramp.response.end());
  dft(taps);
  const int64_t length = fourier_length(2 * ramp.bins - 1);
  std::vector<std::complex<double>> wrapped(length, 0.0);
  wrapped[0] = taps[0].real();
  for (int64_t k = 1; k < ramp.bins; k++) wrapped[k] = wrapped[length - k] = taps[k].real();
  dft(wrapped);
  for (const auto& w : wrapped) filter.response.push_back(static_cast<float>(w.real() / length));
  filter.transform = transform_of(length);
  filter.view_weights = ramp.view_weights;
  filter.ray_weights = ramp.ray_weights;
  if (filter.ray_weights.empty()) filter.ray_weights.assign(measured_bins, 1.0f);
  return filter;
}

void fill_tiles(FourierPlan& plan) {
  const int64_t cells_x = plan.transform_x.length, cells_y = plan.transform_y.length;
  const int64_t across = (cells_y / 2 + 1 + 2 * kFourierPad) / kFourierTileY + 1;
  const int64_t down = (cells_x + 2 * kFourierPad) / kFourierTileX + 1;
  std::vector<std::vector<FourierSegment>> tiles(down * across);
  for (size_t l = 0; l < plan.lines.size(); l++) {
    const FourierLine& line = plan.lines[l];
    const double zero_x = cells_x / 2 + kFourierPad, zero_y = kFourierPad;
    const auto tile_of = [&](int32_t j) {
      return fourier_place(zero_x + j * line.step_x).cell / kFourierTileX * across +
             fourier_place(zero_y + j * line.step_y).cell / kFourierTileY;
    };
    for (int32_t begin = line.middle_samples, end; begin < line.samples; begin = end) {
      const int64_t tile = tile_of(begin), tx = tile / across, ty = tile % across;
      // where the line leaves the tile, by division, and then by looking
      double leaves = line.samples;
      if (line.step_x > 0) leaves = std::min(leaves, ((tx + 1) * kFourierTileX - zero_x) / line.step_x);
      if (line.step_x < 0) leaves = std::min(leaves, (tx * kFourierTileX - zero_x) / line.step_x);
      if (line.step_y > 0) leaves = std::min(leaves, ((ty + 1) * kFourierTileY - zero_y) / line.step_y);
      end = static_cast<int32_t>(std::clamp(leaves, begin + 1.0, double(line.samples)));
      while (end > begin + 1 && tile_of(end - 1) != tile) end--;
      while (end < line.samples && tile_of(end) == tile) end++;
      tiles[tile].push_back({static_cast<int32_t>(l), begin, end});
    }
  }
  for (int64_t tile = 0; tile < down * across; tile++)
    if (!tiles[tile].empty()) plan.tiles[tile / across % 2 * 2 + tile % across % 2].push_back(std::move(tiles[tile]));
}

double sinc(double x) { return x == 0 ? 1 : std::sin(kPi * x) / (kPi * x); }

}  // namespace

int64_t fourier_length(int64_t least) {
  // passes over the data, by radix, in units of one radix-4 pass
  int64_t best = 0;
  double best_cost = 0;
  for (int64_t n = least + (least & 1); n < 2 * least + 16; n += 2) {
    double passes = 4;  // what every sample costs beside the transform
    int64_t rest = n;
    for (; rest % 4 == 0; rest /= 4) passes += 1;
    for (; rest % 5 == 0; rest /= 5) passes += 1.5;
    for (; rest % 3 == 0; rest /= 3) passes += 1;
    for (; rest % 2 == 0; rest /= 2) passes += 0.7;
    if (rest != 1) continue;
    if (best == 0 || n * passes < best_cost) best = n, best_cost = n * passes;
  }
  return best;
}

namespace {

FourierPlan make_plan(const Geometry& g, const FourierOptions& options) {
  require(g.beam == Beam::parallel, Code::unsupported,
          "The Fourier route is for parallel beams; use route \"direct\" for a fan, or rebin it first.");
  const Grid& grid = g.grid;
  FourierPlan plan;
  plan.rows = grid.rows, plan.columns = grid.columns, plan.bins = g.bins, plan.views = g.views();
  plan.transform_x = transform_of(fourier_length(std::max<int64_t>(16, std::ceil(kOversampling * grid.columns))));
  plan.transform_y = transform_of(fourier_length(std::max<int64_t>(16, std::ceil(kOversampling * grid.rows))));

  // What lies a period away from any bin must lie beside the image.
  const double middle_x = grid.x0 + (grid.columns - 1) / 2.0 * grid.dx;
  const double middle_y = grid.y0 - (grid.rows - 1) / 2.0 * grid.dy;
  const double reach = (std::hypot(grid.columns * grid.dx, grid.rows * grid.dy) / 2 + std::hypot(middle_x, middle_y)) /
                       std::fabs(g.pitch);
  const double period = std::max({double(g.bins), reach + g.centre, reach + g.bins - 1 - g.centre});
  if (period > kLongestView)
    throw Error(Code::unsupported,
                "The Fourier route would need views of more than 131072 bins to cover image and detector; use wider "
                "bins or route \"direct\".",
                {{"bins", period}});
  plan.transform_view = transform_of(fourier_length(std::max<int64_t>(4, std::ceil(period))));
  const int64_t cells_x = plan.transform_x.length, cells_y = plan.transform_y.length;
  const int64_t length = plan.transform_view.length;

  // Pixel (rows/2, columns/2) is the grid's zero in space.
  const double zero_x = grid.x0 + (grid.columns / 2) * grid.dx, zero_y = grid.y0 - (grid.rows / 2) * grid.dy;
  plan.edge_weights.assign(plan.views, 1.0f);
  for (int64_t v = 0; v < plan.views; v++) {
    const Pose& pose = g.poses[v];
    const double unit = 1 / (length * g.pitch);
    FourierLine line;
    line.step_x = unit * pose.ux * grid.dx * cells_x;
    line.step_y = -unit * pose.uy * grid.dy * cells_y;
    double turn = -unit * (zero_x * pose.ux + zero_y * pose.uy) - g.centre / length;
    line.mirrored = line.step_y < 0 || (line.step_y == 0 && line.step_x < 0);
    if (line.mirrored) line.step_x = -line.step_x, line.step_y = -line.step_y, turn = -turn;
    turn -= std::floor(turn);
    line.phase_re = std::cos(2 * kPi * turn), line.phase_im = std::sin(2 * kPi * turn);
    const double last = 0.5 / std::hypot(pose.ux * grid.dx, pose.uy * grid.dy) / std::fabs(unit);
    line.samples = static_cast<int32_t>(std::floor(last * (1 + 1e-12))) + 1;
    const double cells = std::max(std::fabs(line.step_x), line.step_y);
    line.middle_samples =
        std::min<int32_t>(line.samples, static_cast<int32_t>(std::min(1e9, middle_radius(plan) / cells)) + 1);
    line.view = static_cast<int32_t>(v);
    if (2 * int64_t(line.samples - 1) == length) plan.edge_weights[v] = 0.5f;
    plan.most_samples = std::max(plan.most_samples, line.samples);
    plan.lines.push_back(line);
  }
  std::stable_sort(plan.lines.begin(), plan.lines.end(), [](const FourierLine& a, const FourierLine& b) {
    return a.step_x * b.step_y > b.step_x * a.step_y;
  });

  const Kernel kernel_x(double(cells_x) / plan.columns), kernel_y(double(cells_y) / plan.rows);
  fit<1>(kernel_x, plan.kernel_x), fit<2>(kernel_y, plan.kernel_y);
  plan.column_weights = pixel_weights(kernel_x, plan.columns, cells_x);
  plan.row_weights = pixel_weights(kernel_y, plan.rows, cells_y);
  // ½: two real lines go through one complex transform, and their parts come out doubled
  const double scale = 0.5 * options.scale * grid.dx * grid.dy / (length * std::fabs(g.pitch));
  plan.sample_weights.resize(plan.most_samples);
  for (int32_t j = 0; j < plan.most_samples; j++) {
    const double s = options.apodisation == Apodisation::linear ? sinc(double(j) / length) : 1;
    plan.sample_weights[j] = static_cast<float>(scale * s * s * (j == 0 ? 0.5 : 1));
  }
  plan.measured_bins = plan.bins;
  if (options.filter) {
    plan.measured_bins = options.measured_bins, plan.first_bin = options.first_bin;
    plan.filter = filter_of(*options.filter, plan.measured_bins);
    auto& weights = plan.filter.ray_weights;  // of the measured bins only
    if (static_cast<int64_t>(weights.size()) > plan.measured_bins)
      weights =
          std::vector<float>(weights.begin() + plan.first_bin, weights.begin() + plan.first_bin + plan.measured_bins);
  }
  fill_tiles(plan);
  return plan;
}

struct Kept {
  Geometry geometry;
  FourierOptions options;
  FilterPlan filter;  // a copy of what options.filter pointed to
  std::shared_ptr<const FourierPlan> plan;
};

bool same(const Geometry& a, const Geometry& b) {
  const auto same_pose = [](const Pose& p, const Pose& q) { return p.ux == q.ux && p.uy == q.uy; };
  const Grid &g = a.grid, &h = b.grid;
  return a.beam == b.beam && a.bins == b.bins && a.centre == b.centre && a.pitch == b.pitch && g.rows == h.rows &&
         g.columns == h.columns && g.dx == h.dx && g.dy == h.dy && g.x0 == h.x0 && g.y0 == h.y0 &&
         std::equal(a.poses.begin(), a.poses.end(), b.poses.begin(), b.poses.end(), same_pose);
}

bool same(const Kept& kept, const FourierOptions& options) {
  const FourierOptions& o = kept.options;
  if (o.apodisation != options.apodisation || o.scale != options.scale || !o.filter != !options.filter) return false;
  if (!options.filter) return true;
  const FilterPlan& f = *options.filter;
  return o.measured_bins == options.measured_bins && o.first_bin == options.first_bin &&
         kept.filter.response == f.response && kept.filter.ray_weights == f.ray_weights &&
         kept.filter.view_weights == f.view_weights;
}

}  // namespace

std::shared_ptr<const FourierPlan> fourier_plan(const Geometry& geometry, const FourierOptions& options) {
  static std::mutex mutex;
  static std::deque<Kept> kept;
  {
    std::lock_guard lock(mutex);
    for (const Kept& k : kept)
      if (same(k, options) && same(k.geometry, geometry)) return k.plan;
  }
  auto plan = std::make_shared<const FourierPlan>(make_plan(geometry, options));
  std::lock_guard lock(mutex);
  kept.push_front({geometry, options, options.filter ? *options.filter : FilterPlan(), plan});
  if (kept.size() > kPlansKept) kept.pop_back();
  return plan;
}

}  // namespace sino
