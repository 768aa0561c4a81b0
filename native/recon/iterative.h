// Iterative reconstruction, written once for any backend: projection A, its exact transpose, and sums in between (axpy).
//
//   sart   for every subset t of the views in turn: x ← clamp(x + relaxation·C_t·A_tᵀ·R_t·(b_t − A_t·x)), R_t = 1/row sums and C_t = 1/column
//          sums of A_t. One subset is SIRT, as many as views SART, what lies between OS-SART; subset t has every n-th view of
//          the list, and the order of subsets is that of their reversed digits, so that neighbours are far apart.
//          A. H. Andersen, A. C. Kak, Ultrasonic Imaging 6, 1984; G. Wang, M. Jiang, J. X-Ray Sci. Tech. 12, 2004.
//   cgls   conjugate gradients on the normal equations: after k iterations the x of the k-th Krylov space with the least ‖b − A·x‖.
//   tv     argmin ½‖b − A·x‖²/D̄ + λ·TV(x), low ≤ x ≤ high, by FISTA with the separable quadratic surrogate D = Aᵀ(A·1) as its metric
//          (Beck & Teboulle 2009; H. Erdogan, J. A. Fessler, Phys. Med. Biol. 44, 1999) and a few steps of total_variation, started
//          where they last ended, for its proximal map. D̄, the root mean square of D, makes λ a number of the image's unit.
// A mask keeps pixels at zero: it is a column of A that is missing. Every slice is by itself: results do not depend on its batch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "native/recon/plan.h"

namespace sino {

enum class IterativeMethod { sart, cgls, tv };

struct IterativeOptions {
  IterativeMethod method = IterativeMethod::sart;
  bool fourier = false;  // projections by the Fourier route; parallel beams, one subset
  int iterations = 1;
  int64_t subsets = 1;
  double relaxation = 1;
  double tolerance = 0;  // a slice is done where ‖b − A·x‖ ≤ tolerance·‖b‖
  float low, high;
  double weight = 0;  // λ
  int weight_steps = 10;
};

struct IterativeArgs {
  int64_t slices;
  int64_t first = 0;  // number of the first slice in `residuals`
  const float* sinograms;
  const float* start;  // null: zero
  const float* mask;   // [pixels] of 0 and 1, or null
  float* images;
  double* residuals;  // of the host: [slice, iteration] ‖b − A·x‖/‖b‖ before each iteration, NaN where there was none
};

// Views by subset, with the tables of devices.
struct ViewSubset {
  Geometry geometry;
  std::vector<int64_t> views;
  std::unique_ptr<Prepared> prepared = std::make_unique<Prepared>();
};
std::vector<ViewSubset> view_subsets(const Geometry& geometry, int64_t count);

void iterate(const Context& context, const Backend& backend, Plan& plan, const IterativeOptions& options,
             const std::vector<ViewSubset>& subsets, const IterativeArgs& args);
Needs iterative_needs(const IterativeOptions& options);

// In views of slices.
int64_t iterative_work(const IterativeOptions& options, int64_t slices, int64_t views);
// Bytes of working memory of a slice.
int64_t iterative_memory(const IterativeOptions& options, const Geometry& geometry);

// As a call on arrays of the caller, which a device gets in slabs (native/runtime/slabs.h).
struct IterativeArrays {
  IterativeArgs args;
  int64_t rays, pixels, working;
};
inline void arrays(Cut& cut, IterativeArrays& a) {
  cut.along(a.args.slices);
  cut.position(a.args.first);
  cut.finite(a.args.sinograms, a.rays, "sinograms");
  cut.finite(a.args.start, a.pixels, "start");
  if (a.args.mask) cut.table(a.args.mask, a.pixels);
  cut.out(a.args.images, a.pixels);
  cut.working(a.working);
}

}  // namespace sino
