#include "native/recon/degradations.h"

#include <algorithm>
#include <cmath>

#include "native/ops/noise.h"

namespace sino {

namespace {

constexpr int kMostOrder = 8;

// P_0 … P_order at the place of element i of n.
void legendre(int64_t i, int64_t n, int order, double* p) {
  const double x = n > 1 ? 2.0 * double(i) / double(n - 1) - 1 : 0;
  p[0] = 1;
  if (order > 0) p[1] = x;
  for (int k = 1; k < order; k++) p[k + 1] = ((2 * k + 1) * x * p[k] - k * p[k - 1]) / (k + 1);
}

}  // namespace

void rician_noise(const Context& context, const RicianNoiseArgs& args) {
  context.parallel_for(args.count, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      float z[4];
      normal_quad(args.source.draw(uint64_t(args.first + i), 0), z);
      args.output[i] = static_cast<float>(std::hypot(args.input[i] + args.sigma * z[0], args.sigma * z[1]));
    }
    context.job.advance(end - begin);
  });
}

int64_t brightness_terms(int order) { return int64_t(order + 1) * (order + 2) * (order + 3) / 6; }

void brightness(const Context& context, const BrightnessArgs& args) {
  require(args.order >= 0 && args.order <= kMostOrder &&
              static_cast<int64_t>(args.coefficients.size()) == brightness_terms(args.order),
          Code::shape, "Expected an order up to 8 and as many coefficients as it has terms.");
  context.parallel_for(args.slices * args.rows, 16, [&](int64_t begin, int64_t end) {
    double across[kMostOrder + 1], pz[kMostOrder + 1], py[kMostOrder + 1], px[kMostOrder + 1];
    for (int64_t row = begin; row < end; row++) {
      legendre(row / args.rows, args.slices, args.order, pz);
      legendre(row % args.rows, args.rows, args.order, py);
      std::fill_n(across, args.order + 1, 0.0);
      const double* c = args.coefficients.data();
      for (int i = 0; i <= args.order; i++)
        for (int j = 0; i + j <= args.order; j++)
          for (int k = 0; i + j + k <= args.order; k++) across[k] += *c++ * pz[i] * py[j];
      for (int64_t x = 0; x < args.columns; x++) {
        legendre(x, args.columns, args.order, px);
        double sum = 0;
        for (int k = 0; k <= args.order; k++) sum += across[k] * px[k];
        const int64_t at = row * args.columns + x;
        args.output[at] = static_cast<float>(args.input[at] * std::exp(sum));
      }
    }
    context.job.advance(end - begin);
  });
}

}  // namespace sino
