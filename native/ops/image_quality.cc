#include "native/ops/image_quality.h"

namespace sino {

namespace {

// Gauss-Jordan; terms that a small region cannot tell apart are left out.
void invert(double (&a)[kTrendTerms][kTrendTerms], double least, Trend& trend) {
  for (int i = 0; i < trend.count; i++) trend.inverse[i][i] = 1;
  for (int k = 0; k < trend.count; k++) {
    if (!(std::fabs(a[k][k]) > least)) {
      for (int j = 0; j < kTrendTerms; j++) trend.inverse[k][j] = a[k][j] = 0;
      continue;
    }
    const double pivot = a[k][k];
    for (int j = 0; j < trend.count; j++) a[k][j] /= pivot, trend.inverse[k][j] /= pivot;
    for (int i = 0; i < trend.count; i++) {
      if (i == k) continue;
      const double factor = a[i][k];
      for (int j = 0; j < trend.count; j++)
        a[i][j] -= factor * a[k][j], trend.inverse[i][j] -= factor * trend.inverse[k][j];
    }
  }
}

}  // namespace

// The normal equations of a square are well conditioned when x and y run from −1 to 1.
Trend trend_of(int64_t size, int order) {
  Trend trend = {order == 0 ? 1 : order == 1 ? 3 : 6, {}};
  double normal[kTrendTerms][kTrendTerms] = {}, m[kTrendTerms];
  for (int64_t y = 0; y < size; y++)
    for (int64_t x = 0; x < size; x++) {
      trend_terms(size, y, x, m);
      for (int i = 0; i < trend.count; i++)
        for (int j = 0; j < trend.count; j++) normal[i][j] += m[i] * m[j];
    }
  invert(normal, 1e-9 * double(size * size), trend);
  return trend;
}

}  // namespace sino
