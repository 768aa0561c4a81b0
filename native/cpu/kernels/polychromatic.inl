// exp(x) for −87 ≤ x ≤ 0 (0 below): x = n·ln 2 + r with |r| ≤ ½·ln 2, Taylor's series of order 7 for e^r
// (error 4e-9), n added to the exponent field. Vector compares give all-ones lanes.
template <int W>
__attribute__((always_inline)) inline V<W> exp_of_negative(V<W> x) {
  typedef int32_t I __attribute__((vector_size(W * 4)));
  const V<W> shifted = x * 1.44269504f + 12582912.0f;  // rounds to the nearest whole number
  const V<W> n = shifted - 12582912.0f;
  const V<W> r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  V<W> e = V<W>{} + 1.9841270e-4f;
  e = e * r + 1.3888889e-3f;
  e = e * r + 8.3333333e-3f;
  e = e * r + 4.1666667e-2f;
  e = e * r + 1.6666667e-1f;
  e = e * r + 0.5f;
  e = e * r + 1.0f;
  e = e * r + 1.0f;
  const I bits = (I)e + ((I)shifted << 23);
  return (V<W>)(bits & (I)(x >= -87.0f));
}

// Per energy and register of rays: materials + 17 multiply-adds.
template <int W>
__attribute__((always_inline)) inline void attenuate_rays(const PolychromaticArgs& args, int materials,
                                                          const float* const* paths, int64_t first, float* sums,
                                                          float* shifts) {
  V<W> path[2][kMaxMaterials], shift[2] = {}, sum[2] = {};
  for (int h = 0; h < 2; h++)
    for (int m = 0; m < materials; m++) {
      const V<W> p = load<W>(paths[m] + first + h * W);
      const V<W> low = p * args.least_most[2 * m], high = p * args.least_most[2 * m + 1];
      path[h][m] = p;
      shift[h] += p < 0.0f ? high : low;
    }
  for (int e = 0; e < args.energies; e++)
    for (int h = 0; h < 2; h++) {
      V<W> exponent = shift[h];
      for (int m = 0; m < materials; m++) exponent -= path[h][m] * args.ratios[m * args.energies + e];
      sum[h] += args.weights[e] * exp_of_negative<W>(exponent);
    }
  for (int h = 0; h < 2; h++) {
    store<W>(sums + first + h * W, sum[h]);
    store<W>(shifts + first + h * W, shift[h]);
  }
}

static void attenuate(const PolychromaticArgs& args, const float* const* paths, int64_t rays, float* sums,
                      float* shifts) {
  constexpr int W = kWidth;
  for (int64_t first = 0; first < rays; first += 2 * W) switch (args.materials) {
      case 1:
        attenuate_rays<W>(args, 1, paths, first, sums, shifts);
        break;
      case 2:
        attenuate_rays<W>(args, 2, paths, first, sums, shifts);
        break;
      case 3:
        attenuate_rays<W>(args, 3, paths, first, sums, shifts);
        break;
      default:
        attenuate_rays<W>(args, args.materials, paths, first, sums, shifts);
    }
}

// As attenuate_rays, with Σ weight·ratio of the unknown·exp(shift − exponent) beside the sum.
template <int W>
__attribute__((always_inline)) inline void attenuate_rays_with_slope(const InversionArgs& args, int materials,
                                                                     const float* const* paths, int64_t first,
                                                                     float* sums, float* slopes, float* shifts) {
  V<W> path[2][kMaxMaterials], shift[2] = {}, sum[2] = {}, slope[2] = {};
  for (int h = 0; h < 2; h++)
    for (int m = 0; m < materials; m++) {
      const V<W> p = load<W>(paths[m] + first + h * W);
      const V<W> low = p * args.least_most[2 * m], high = p * args.least_most[2 * m + 1];
      path[h][m] = p;
      shift[h] += p < 0.0f ? high : low;
    }
  for (int e = 0; e < args.energies; e++)
    for (int h = 0; h < 2; h++) {
      V<W> exponent = shift[h];
      for (int m = 0; m < materials; m++) exponent -= path[h][m] * args.ratios[m * args.energies + e];
      const V<W> part = args.weights[e] * exp_of_negative<W>(exponent);
      sum[h] += part;
      slope[h] += part * args.ratios[args.unknown * args.energies + e];
    }
  for (int h = 0; h < 2; h++) {
    store<W>(sums + first + h * W, sum[h]);
    store<W>(slopes + first + h * W, slope[h]);
    store<W>(shifts + first + h * W, shift[h]);
  }
}

static void attenuate_with_slope(const InversionArgs& args, const float* const* paths, int64_t rays, float* sums,
                                 float* slopes, float* shifts) {
  constexpr int W = kWidth;
  for (int64_t first = 0; first < rays; first += 2 * W) switch (args.materials) {
      case 2:
        attenuate_rays_with_slope<W>(args, 2, paths, first, sums, slopes, shifts);
        break;
      case 3:
        attenuate_rays_with_slope<W>(args, 3, paths, first, sums, slopes, shifts);
        break;
      default:
        attenuate_rays_with_slope<W>(args, args.materials, paths, first, sums, slopes, shifts);
    }
}
