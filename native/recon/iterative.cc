#include "native/recon/iterative.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace sino {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kFloat = sizeof(float);

// Numbers 0 … count − 1 by their binary digits read backwards.
std::vector<int64_t> far_apart(int64_t count) {
  int bits = 0;
  while ((int64_t(1) << bits) < count) bits++;
  std::vector<int64_t> order;
  for (int64_t k = 0; k < (int64_t(1) << bits); k++) {
    int64_t reversed = 0;
    for (int b = 0; b < bits; b++) reversed |= (k >> b & 1) << (bits - 1 - b);
    if (reversed < count) order.push_back(reversed);
  }
  return order;
}

// What is left of a slice's work: the residuals so far, and whether it is done.
class Progress {
 public:
  Progress(const Context& context, const IterativeOptions& options, int64_t pixels, const IterativeArgs& args)
      : context_(context),
        options_(options),
        pixels_(pixels),
        args_(args),
        done_(args.slices, false),
        norms_(args.slices, 0.0) {
    for (int64_t s = 0; s < args.slices; s++)
      std::fill_n(row(s), options.iterations, std::numeric_limits<double>::quiet_NaN());
  }
  double* norms() { return norms_.data(); }  // ‖b‖², to be filled in

  // Takes ‖b − A·x‖² of all slices before iteration k; x of those that are done now is kept. False where none goes on.
  bool goes_on(int k, const std::vector<double>& squares, const float* x) {
    bool any = false;
    for (int64_t s = 0; s < args_.slices; s++) {
      if (done_[s]) continue;
      const double residual = norms_[s] > 0 ? std::sqrt(squares[s] / norms_[s]) : 0;
      row(s)[k] = residual;
      if (options_.tolerance > 0 && residual <= options_.tolerance)
        keep(s, x);
      else
        any = true;
    }
    return any;
  }
  void finish(const float* x) {
    for (int64_t s = 0; s < args_.slices; s++)
      if (!done_[s]) keep(s, x);
  }

 private:
  double* row(int64_t s) const { return args_.residuals + (args_.first + s) * options_.iterations; }
  void keep(int64_t s, const float* x) {
    const int64_t bytes = pixels_ * kFloat;
    context_.copy_rows(args_.images + s * pixels_, bytes, x + s * pixels_, bytes, bytes, 1);
    done_[s] = true;
  }
  const Context& context_;
  const IterativeOptions& options_;
  const int64_t pixels_;
  const IterativeArgs& args_;
  std::vector<bool> done_;
  std::vector<double> norms_;
};

// A batch of slices, or the tables of all of them.
struct Solver {
  const Context& context;
  const Backend& backend;
  Plan& plan;
  const IterativeOptions& o;
  const std::vector<ViewSubset>& subsets;
  const float* mask;
  const Geometry& g = plan.geometry;
  const int64_t pixels = g.grid.pixels(), rays = g.rays();

  Scratch<float> floats(int64_t count) const { return context.scratch<float>(count); }

  void project(const Geometry& geometry, Prepared* prepared, int64_t slices, const float* x, float* p) const {
    if (o.fourier) return backend.fourier_project(context, {plan.fourier(), slices, x, p});
    backend.joseph_project(context, {geometry, slices, x, p, prepared});
  }
  void transpose(const Geometry& geometry, Prepared* prepared, int64_t slices, const float* p, float* x) const {
    if (o.fourier) return backend.fourier_transpose(context, {plan.fourier(), slices, p, x});
    backend.joseph_transpose(context, {geometry, slices, p, x, prepared});
  }
  void project(int64_t slices, const float* x, float* p) const { project(g, &plan.prepared, slices, x, p); }
  void transpose(int64_t slices, const float* p, float* x) const { transpose(g, &plan.prepared, slices, p, x); }

  // out = a·x + b·w·y
  void axpy(int64_t slices, int64_t length, std::vector<double> a, const float* x, std::vector<double> b,
            const float* weights, const float* y, float* output, double* squares = nullptr) const {
    backend.axpy(context,
                 {slices, length, std::move(a), x, std::move(b), weights, y, -kInfinity, kInfinity, output, squares});
  }
  void fill_ones(int64_t count, float* output) const {
    backend.axpy(context, {1, count, {0}, nullptr, {0}, nullptr, nullptr, 1, 1, output});
  }
  void start(const IterativeArgs& args, float* x) const {
    const int64_t bytes = args.slices * pixels * kFloat;
    if (!args.start)
      context.fill_zero(x, bytes);
    else if (mask)
      axpy(args.slices, pixels, {0}, nullptr, {1}, mask, args.start, x);
    else
      context.copy_rows(x, bytes, args.start, bytes, bytes, 1);
    if (o.method != IterativeMethod::cgls)
      backend.axpy(context, {args.slices,
                             pixels,
                             {1},
                             x,
                             {0},
                             nullptr,
                             nullptr,
                             mask ? std::min(o.low, 0.0f) : o.low,
                             mask ? std::max(o.high, 0.0f) : o.high,
                             x});
  }
  // What a ray meets of the image: A·1.
  void row_sums(const Geometry& geometry, Prepared* prepared, const float* ones, float* sums) const {
    backend.joseph_project(context, {geometry, 1, ones, sums, prepared});
  }
};

// Of every subset R, and relaxation·C where that takes little memory; else C is made anew with every step, as one slice more.
struct SartTables {
  Scratch<float> rows, columns;
};
constexpr int64_t kMostColumns = int64_t(1) << 24;  // floats

// out = [subset][slice, view, bin] of [slice, view, bin]
void by_subset(const Solver& solver, int64_t slices, const float* sinograms, float* output) {
  const int64_t bins = solver.g.bins;
  for (const ViewSubset& subset : solver.subsets) {
    const int64_t views = static_cast<int64_t>(subset.views.size());
    for (int64_t v = 0; v < views; v++)
      solver.context.copy_rows(output + v * bins, views * bins * kFloat, sinograms + subset.views[v] * bins,
                               solver.rays * kFloat, bins * kFloat, slices);
    output += slices * views * bins;
  }
}

float least_sum(const Grid& grid) { return static_cast<float>(1e-4 * std::min(grid.dx, grid.dy)); }

// columns = relaxation·C from column sums, in place
void columns_of_sums(const Solver& solver, float* columns) {
  solver.backend.reciprocal(solver.context, {solver.pixels, static_cast<float>(solver.o.relaxation),
                                             least_sum(solver.g.grid), columns, solver.mask, columns});
}

SartTables sart_tables(const Solver& solver) {
  const int64_t pixels = solver.pixels, count = static_cast<int64_t>(solver.subsets.size());
  SartTables tables{solver.floats(solver.rays), {}};
  Scratch<float> sums = solver.floats(solver.rays), ones = solver.floats(std::max(pixels, solver.rays));
  const float* seen = solver.mask;
  if (!seen) solver.fill_ones(pixels, ones.data()), seen = ones.data();
  solver.row_sums(solver.g, &solver.plan.prepared, seen, sums.data());
  solver.backend.reciprocal(solver.context,
                            {solver.rays, 1, least_sum(solver.g.grid), sums.data(), nullptr, sums.data()});
  by_subset(solver, 1, sums.data(), tables.rows.data());
  if (count * pixels > kMostColumns && count > 1) return tables;
  tables.columns = solver.floats(count * pixels);
  for (int64_t t = 0; t < count; t++) {
    const ViewSubset& subset = solver.subsets[t];
    solver.fill_ones(subset.geometry.rays(), ones.data());
    float* columns = tables.columns.data() + t * pixels;
    solver.backend.joseph_transpose(solver.context, {subset.geometry, 1, ones.data(), columns, subset.prepared.get()});
    columns_of_sums(solver, columns);
  }
  return tables;
}

void sart(const Solver& solver, const SartTables& tables, const IterativeArgs& args) {
  const Context& context = solver.context;
  const IterativeOptions& o = solver.o;
  const int64_t slices = args.slices, pixels = solver.pixels;
  const bool kept = tables.columns.size() > 0;
  const int64_t back = kept ? slices : slices + 1;  // what is projected back; ones come last
  const int64_t longest = static_cast<int64_t>(solver.subsets[0].views.size()) * solver.g.bins;
  Scratch<float> measured = solver.floats(slices * solver.rays), residual = solver.floats(back * longest),
                 x = solver.floats(slices * pixels), step = solver.floats(back * pixels);
  Progress progress(context, o, pixels, args);
  solver.axpy(slices, solver.rays, {1}, args.sinograms, {0}, nullptr, nullptr, nullptr, progress.norms());
  by_subset(solver, slices, args.sinograms, measured.data());
  solver.start(args, x.data());
  // masked pixels have no column: they stay at zero, whatever the bounds say
  for (int k = 0; k < o.iterations; k++) {
    std::vector<double> squares(slices, 0.0), part(slices);
    const float *b = measured.data(), *rows = tables.rows.data();
    bool whole = solver.subsets.size() == 1;
    for (size_t t = 0; t < solver.subsets.size(); t++) {
      const ViewSubset& subset = solver.subsets[t];
      const int64_t length = subset.geometry.rays();
      float* r = residual.data();
      solver.project(subset.geometry, subset.prepared.get(), slices, x.data(), r);
      solver.axpy(slices, length, {1}, b, {-1}, nullptr, r, r, part.data());
      for (int64_t s = 0; s < slices; s++) squares[s] += part[s];
      if (whole && !progress.goes_on(k, squares, x.data())) return;
      solver.axpy(slices, length, {0}, nullptr, {1}, rows, r, r);
      if (!kept) solver.fill_ones(length, r + slices * length);
      solver.transpose(subset.geometry, subset.prepared.get(), back, r, step.data());
      float* columns = kept ? nullptr : step.data() + slices * pixels;
      if (columns) columns_of_sums(solver, columns);
      solver.backend.axpy(context, {slices,
                                    pixels,
                                    {1},
                                    x.data(),
                                    {1},
                                    columns ? columns : tables.columns.data() + int64_t(t) * pixels,
                                    step.data(),
                                    solver.mask ? std::min(o.low, 0.0f) : o.low,
                                    solver.mask ? std::max(o.high, 0.0f) : o.high,
                                    x.data()});
      b += slices * length, rows += length;
    }
    if (!whole && !progress.goes_on(k, squares, x.data())) return;
  }
  progress.finish(x.data());
}

void cgls(const Solver& solver, const IterativeArgs& args) {
  const IterativeOptions& o = solver.o;
  const int64_t slices = args.slices, pixels = solver.pixels, rays = solver.rays;
  Scratch<float> r = solver.floats(slices * rays), q = solver.floats(slices * rays), x = solver.floats(slices * pixels),
                 p = solver.floats(slices * pixels), s = solver.floats(slices * pixels);
  Progress progress(solver.context, o, pixels, args);
  std::vector<double> squares(slices), gamma(slices), delta(slices), factors(slices), minus(slices);
  solver.axpy(slices, rays, {1}, args.sinograms, {0}, nullptr, nullptr, nullptr, progress.norms());
  solver.start(args, x.data());
  solver.project(slices, x.data(), q.data());
  solver.axpy(slices, rays, {1}, args.sinograms, {-1}, nullptr, q.data(), r.data(), squares.data());
  solver.transpose(slices, r.data(), s.data());
  solver.axpy(slices, pixels, {0}, nullptr, {1}, solver.mask, s.data(), p.data(), gamma.data());
  for (int k = 0; k < o.iterations; k++) {
    if (!progress.goes_on(k, squares, x.data())) return;
    solver.project(slices, p.data(), q.data());
    solver.axpy(slices, rays, {1}, q.data(), {0}, nullptr, nullptr, nullptr, delta.data());
    for (int64_t i = 0; i < slices; i++) minus[i] = -(factors[i] = delta[i] > 0 ? gamma[i] / delta[i] : 0);
    solver.axpy(slices, pixels, {1}, x.data(), factors, nullptr, p.data(), x.data());
    solver.axpy(slices, rays, {1}, r.data(), minus, nullptr, q.data(), r.data(), squares.data());
    solver.transpose(slices, r.data(), s.data());
    solver.axpy(slices, pixels, {0}, nullptr, {1}, solver.mask, s.data(), s.data(), factors.data());
    for (int64_t i = 0; i < slices; i++) {
      const double before = gamma[i];
      gamma[i] = factors[i];
      factors[i] = before > 0 ? gamma[i] / before : 0;
    }
    solver.axpy(slices, pixels, factors, p.data(), {1}, nullptr, s.data(), p.data());
  }
  progress.finish(x.data());
}

struct TvTables {
  Scratch<float> curvature;  // 1/D
  double mean = 0;           // D̄
};

TvTables tv_tables(const Solver& solver) {
  const int64_t pixels = solver.pixels;
  TvTables tables{solver.floats(pixels), 0};
  Scratch<float> sums = solver.floats(solver.rays);
  float* d = tables.curvature.data();
  const float* seen = solver.mask;
  if (!seen) solver.fill_ones(pixels, d), seen = d;
  solver.row_sums(solver.g, &solver.plan.prepared, seen, sums.data());
  solver.backend.joseph_transpose(solver.context, {solver.g, 1, sums.data(), d, &solver.plan.prepared});
  double square = 0;
  solver.axpy(1, pixels, {0}, nullptr, {1}, solver.mask, d, d, &square);
  tables.mean = std::sqrt(square / double(std::max<int64_t>(pixels, 1)));
  // the Fourier route's projections ring: a little more than Joseph's surrogate covers them
  const float scale = solver.o.fourier ? 0.95f : 1.0f;
  solver.backend.reciprocal(solver.context, {pixels, scale, static_cast<float>(1e-3 * tables.mean), d, solver.mask, d});
  return tables;
}

void tv(const Solver& solver, const TvTables& tables, const IterativeArgs& args) {
  const IterativeOptions& o = solver.o;
  const int64_t slices = args.slices, pixels = solver.pixels, rays = solver.rays;
  Scratch<float> r = solver.floats(slices * rays), x = solver.floats(slices * pixels),
                 y = solver.floats(slices * pixels), z = solver.floats(slices * pixels),
                 dual = solver.floats(2 * slices * pixels);
  Progress progress(solver.context, o, pixels, args);
  std::vector<double> squares(slices);
  solver.axpy(slices, rays, {1}, args.sinograms, {0}, nullptr, nullptr, nullptr, progress.norms());
  solver.start(args, x.data());
  solver.context.copy_rows(y.data(), slices * pixels * kFloat, x.data(), slices * pixels * kFloat,
                           slices * pixels * kFloat, 1);
  solver.context.fill_zero(dual.data(), 2 * slices * pixels * kFloat);
  NesterovMomentum momentum;
  for (int k = 0; k < o.iterations; k++) {
    solver.project(slices, y.data(), r.data());
    solver.axpy(slices, rays, {1}, args.sinograms, {-1}, nullptr, r.data(), r.data(), squares.data());
    if (!progress.goes_on(k, squares, x.data())) return;
    solver.transpose(slices, r.data(), z.data());
    solver.axpy(slices, pixels, {1}, y.data(), {1}, tables.curvature.data(), z.data(), z.data());
    solver.backend.total_variation(solver.context, {slices,
                                                    solver.g.grid.rows,
                                                    solver.g.grid.columns,
                                                    {o.weight * tables.mean},
                                                    tables.curvature.data(),
                                                    o.low,
                                                    o.high,
                                                    o.weight_steps,
                                                    z.data(),
                                                    z.data(),
                                                    dual.data()});
    if (solver.mask) solver.axpy(slices, pixels, {0}, nullptr, {1}, solver.mask, z.data(), z.data());
    const double m = momentum.next();
    solver.axpy(slices, pixels, {1 + m}, z.data(), {-m}, nullptr, x.data(), y.data());
    std::swap(x, z);
  }
  progress.finish(x.data());
}

}  // namespace

std::vector<ViewSubset> view_subsets(const Geometry& geometry, int64_t count) {
  std::vector<ViewSubset> subsets;
  if (count == 1) {
    ViewSubset all{geometry, std::vector<int64_t>(geometry.views())};
    std::iota(all.views.begin(), all.views.end(), 0);
    subsets.push_back(std::move(all));
    return subsets;
  }
  for (int64_t t : far_apart(count)) {
    ViewSubset subset;
    subset.geometry = geometry;
    subset.geometry.poses.clear();
    for (int64_t view = t; view < geometry.views(); view += count) {
      subset.views.push_back(view);
      subset.geometry.poses.push_back(geometry.poses[view]);
    }
    subsets.push_back(std::move(subset));
  }
  return subsets;
}

Needs iterative_needs(const IterativeOptions& o) {
  Needs needs(&Backend::joseph_project, &Backend::joseph_transpose, &Backend::axpy, &Backend::reciprocal);
  if (o.fourier) needs = needs + Needs(&Backend::fourier_project, &Backend::fourier_transpose);
  return o.method == IterativeMethod::tv ? needs + Needs(&Backend::total_variation) : needs;
}

void iterate(const Context& context, const Backend& backend, Plan& plan, const IterativeOptions& options,
             const std::vector<ViewSubset>& subsets, const IterativeArgs& args) {
  const Solver solver{context, backend, plan, options, subsets, args.mask};
  SartTables by_rows;
  TvTables surrogate;
  if (options.method == IterativeMethod::sart) by_rows = sart_tables(solver);
  if (options.method == IterativeMethod::tv) surrogate = tv_tables(solver);
  const int64_t at_once = context.batch(args.slices);
  for (int64_t s = 0; s < args.slices; s += at_once) {
    IterativeArgs batch = args;
    batch.slices = std::min(at_once, args.slices - s);
    batch.first += s;
    batch.sinograms += s * solver.rays;
    if (batch.start) batch.start += s * solver.pixels;
    batch.images += s * solver.pixels;
    if (options.method == IterativeMethod::sart) sart(solver, by_rows, batch);
    if (options.method == IterativeMethod::cgls) cgls(solver, batch);
    if (options.method == IterativeMethod::tv) tv(solver, surrogate, batch);
  }
}

int64_t iterative_work(const IterativeOptions& options, int64_t slices, int64_t views) {
  const int64_t first = options.method == IterativeMethod::cgls ? slices : 1;
  return 2 * views * (options.iterations * slices + first);
}

int64_t iterative_memory(const IterativeOptions& options, const Geometry& geometry) {
  const int64_t pixels = geometry.grid.pixels(), rays = geometry.rays();
  if (options.method == IterativeMethod::sart) return kFloat * (2 * rays + 2 * pixels);
  if (options.method == IterativeMethod::cgls) return kFloat * (2 * rays + 3 * pixels);
  return kFloat * (rays + 11 * pixels);
}

}  // namespace sino
