// Included once per instruction set by kernels_*.cc, inside namespace SINO_TARGET. Only plain structs from
// headers and functions defined in this file: a shared inline function compiled here with wider instructions
// could be kept by the linker for everyone.

template <int W>
struct Lanes {
  typedef float type __attribute__((vector_size(W * 4)));
};
template <>
struct Lanes<1> {
  typedef float type;
};
template <int W>
using V = typename Lanes<W>::type;

template <int W>
__attribute__((always_inline)) inline V<W> load(const float* p) {
  V<W> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <int W>
__attribute__((always_inline)) inline void store(float* p, V<W> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// ---------------------------------------------------------------- joseph
// Places of the ray on up to kLines lines, worked out together: this loop vectorises, the one that uses them
// is bound by the two loads per line. Per line and vector: 2 loads, 1 subtraction, 1 fused multiply-add, 1
// addition.
constexpr int kLines = 64;

struct Places {
  int32_t index[kLines];
  float fraction[kLines];
};

__attribute__((always_inline)) inline void find_places(const JosephRay& ray, int first, int count, Places& places) {
  const double start = ray.start + 1.0, slope = ray.slope;
  for (int j = 0; j < count; j++) {
    const double s = start + (first + j) * slope;
    const int32_t index = static_cast<int32_t>(s);
    places.index[j] = index;
    places.fraction[j] = static_cast<float>(s - index);
  }
}

template <int W>
__attribute__((always_inline)) inline void gather(const float* lines, int64_t line_stride, const JosephRay& ray,
                                                  int first, int last, float* acc) {
  Places places;
  V<W> even = load<W>(acc), odd = V<W>{};
  for (int m = first; m < last; m += kLines) {
    const int count = last - m < kLines ? last - m : kLines;
    find_places(ray, m, count, places);
    const float* line = lines + m * line_stride;
    int j = 0;
    for (; j + 1 < count; j += 2, line += 2 * line_stride) {
      const float* p = line + int64_t(places.index[j]) * W;
      const float* q = line + line_stride + int64_t(places.index[j + 1]) * W;
      const V<W> p0 = load<W>(p), q0 = load<W>(q);
      even += p0 + places.fraction[j] * (load<W>(p + W) - p0);
      odd += q0 + places.fraction[j + 1] * (load<W>(q + W) - q0);
    }
    if (j < count) {
      const float* p = line + int64_t(places.index[j]) * W;
      const V<W> p0 = load<W>(p);
      even += p0 + places.fraction[j] * (load<W>(p + W) - p0);
    }
  }
  store<W>(acc, even + odd);
}

template <int W>
__attribute__((always_inline)) inline void scatter(float* lines, int64_t line_stride, const JosephRay& ray, int first,
                                                   int last, const float* value) {
  Places places;
  const V<W> v = load<W>(value);
  for (int m = first; m < last; m += kLines) {
    const int count = last - m < kLines ? last - m : kLines;
    find_places(ray, m, count, places);
    float* line = lines + m * line_stride;
    for (int j = 0; j < count; j++, line += line_stride) {
      float* p = line + int64_t(places.index[j]) * W;
      const V<W> right = places.fraction[j] * v;
      store<W>(p, load<W>(p) + (v - right));
      store<W>(p + W, load<W>(p + W) + right);
    }
  }
}

static void joseph_gather(const float* lines, int64_t line_stride, int width, const JosephRay& ray, int first, int last,
                          float* acc) {
  switch (width) {
    case 16:
      return gather<16>(lines, line_stride, ray, first, last, acc);
    case 8:
      return gather<8>(lines, line_stride, ray, first, last, acc);
    case 4:
      return gather<4>(lines, line_stride, ray, first, last, acc);
    default:
      return gather<1>(lines, line_stride, ray, first, last, acc);
  }
}

static void joseph_scatter(float* lines, int64_t line_stride, int width, const JosephRay& ray, int first, int last,
                           const float* value) {
  switch (width) {
    case 16:
      return scatter<16>(lines, line_stride, ray, first, last, value);
    case 8:
      return scatter<8>(lines, line_stride, ray, first, last, value);
    case 4:
      return scatter<4>(lines, line_stride, ray, first, last, value);
    default:
      return scatter<1>(lines, line_stride, ray, first, last, value);
  }
}

// ---------------------------------------------------------------- backproject
// One row of the tile at a time: its pixels' sums stay in registers while all views of the chunk pass. Per
// view, detector places of the 16 pixels are one vector computation; per pixel and vector then 2 loads, 1
// subtraction, 2 multiply-adds.

// Abramowitz & Stegun 4.4.49, |error| ≤ 2e-8 for |z| ≤ 1
template <typename T>
__attribute__((always_inline)) inline T arctangent(T z) {
  const T q = z * z;
  T p = T{} + 0.0028662257f;
  p = p * q - 0.0161657367f;
  p = p * q + 0.0429096138f;
  p = p * q - 0.0752896400f;
  p = p * q + 0.1065626393f;
  p = p * q - 0.1420889944f;
  p = p * q + 0.1999355085f;
  p = p * q - 0.3333314528f;
  return z + z * q * p;
}

struct Spots {
  int32_t index[kTile];
  float fraction[kTile], weight[kTile];
};

template <Beam B>
__attribute__((always_inline)) inline void find_spots(const TileTask& task, const TileView& view, int row,
                                                      Spots& spots) {
  const float a0 = view.a0 + row * view.ar, b0 = view.b0 + row * view.br;
  const float lowest = float(-1 - view.base), highest = float(task.bins - view.base);
  for (int c = 0; c < kTile; c++) {
    float t = a0 + c * view.ac;
    if (B != Beam::parallel) {
      const float b = b0 + c * view.bc, inverse = 1.0f / b;
      if (B == Beam::arc) {
        spots.weight[c] = task.sod_squared / (b * b + t * t);
        t = arctangent(t * inverse) * task.inverse_pitch;
      } else {
        spots.weight[c] = task.sod_squared * inverse * inverse;
        t *= inverse;
      }
    }
    t = t < lowest ? lowest : t;
    t = t > highest ? highest : t;
    const float whole = __builtin_floorf(t);
    spots.fraction[c] = t - whole;
    spots.index[c] = static_cast<int32_t>(whole) + view.base;
  }
}

// P pixels at a time, as many as keep their sums in registers.
template <int W, Beam B, int P>
__attribute__((always_inline)) inline void tile_rows(const TileTask& task) {
  for (int r = 0; r < task.rows; r++) {
    for (int c0 = 0; c0 < task.columns; c0 += P) {
      float* pixel = task.image + r * task.image_row_stride + c0 * W;
      const int live = task.columns - c0 < P ? task.columns - c0 : P;
      V<W> sum[P];
      for (int p = 0; p < P; p++) sum[p] = task.first || p >= live ? V<W>{} : load<W>(pixel + p * W);
      const float* filtered = task.filtered;
      for (int64_t v = 0; v < task.views; v++, filtered += task.view_stride) {
        Spots spots;
        find_spots<B>(task, task.tile_views[v], r, spots);
#pragma GCC unroll 16
        for (int p = 0; p < P; p++) {
          const float* q = filtered + int64_t(spots.index[c0 + p]) * W;
          const V<W> q0 = load<W>(q), value = q0 + spots.fraction[c0 + p] * (load<W>(q + W) - q0);
          if (B == Beam::parallel)
            sum[p] += value;
          else
            sum[p] += spots.weight[c0 + p] * value;
        }
      }
      for (int p = 0; p < live; p++) store<W>(pixel + p * W, sum[p]);
    }
  }
}

template <int W, int P>
__attribute__((always_inline)) inline void tile(const TileTask& task) {
  switch (task.beam) {
    case Beam::parallel:
      return tile_rows<W, Beam::parallel, P>(task);
    case Beam::flat:
      return tile_rows<W, Beam::flat, P>(task);
    case Beam::arc:
      return tile_rows<W, Beam::arc, P>(task);
  }
}

static void backproject_tile(const TileTask& task, int width) {
  constexpr int kWide = kWidth == 4 ? 8 : 16;  // sums that fit the register file
  switch (width) {
    case 16:
      return tile<16, 16>(task);
    case 8:
      return tile < 8, kWide == 16 && kWidth == 8 ? 8 : kWide > (task);
    case 4:
      return tile<4, 8>(task);
    default:
      return tile<1, 16>(task);
  }
}

// ---------------------------------------------------------------- filter
// Complex FFT of length n on W lanes at once, real and imaginary parts apart: radix 4 in place, decimation in
// frequency forwards and in time backwards, so that no reordering is ever done (the response is stored in the
// order of fft_order). Two real rows share a lane, one as real, one as imaginary part: the response is real
// and even, so they never mix.

template <int W>
__attribute__((always_inline)) inline void forward4(float* re, float* im, int64_t n, int64_t span,
                                                    const float* twiddles) {
  const int64_t quarter = span / 4, step = n / span, o = quarter * W;
  for (int64_t k = 0; k < quarter; k++) {
    const float *t1 = twiddles + 2 * (k * step), *t2 = twiddles + 2 * (2 * k * step),
                *t3 = twiddles + 2 * (3 * k * step);
    for (int64_t block = 0; block < n; block += span) {
      float *r = re + (block + k) * W, *i = im + (block + k) * W;
      const V<W> ar = load<W>(r), br = load<W>(r + o), cr = load<W>(r + 2 * o), dr = load<W>(r + 3 * o);
      const V<W> ai = load<W>(i), bi = load<W>(i + o), ci = load<W>(i + 2 * o), di = load<W>(i + 3 * o);
      const V<W> sr = ar + cr, si = ai + ci, pr = br + dr, pi = bi + di;
      const V<W> er = ar - cr, ei = ai - ci, fr = br - dr, fi = bi - di;
      const V<W> x1r = er + fi, x1i = ei - fr, x2r = sr - pr, x2i = si - pi, x3r = er - fi, x3i = ei + fr;
      store<W>(r, sr + pr), store<W>(i, si + pi);
      store<W>(r + o, x1r * t1[0] - x1i * t1[1]), store<W>(i + o, x1r * t1[1] + x1i * t1[0]);
      store<W>(r + 2 * o, x2r * t2[0] - x2i * t2[1]), store<W>(i + 2 * o, x2r * t2[1] + x2i * t2[0]);
      store<W>(r + 3 * o, x3r * t3[0] - x3i * t3[1]), store<W>(i + 3 * o, x3r * t3[1] + x3i * t3[0]);
    }
  }
}

template <int W>
__attribute__((always_inline)) inline void backward4(float* re, float* im, int64_t n, int64_t span,
                                                     const float* twiddles) {
  const int64_t quarter = span / 4, step = n / span, o = quarter * W;
  for (int64_t k = 0; k < quarter; k++) {
    const float *t1 = twiddles + 2 * (k * step), *t2 = twiddles + 2 * (2 * k * step),
                *t3 = twiddles + 2 * (3 * k * step);
    for (int64_t block = 0; block < n; block += span) {
      float *r = re + (block + k) * W, *i = im + (block + k) * W;
      const V<W> ar = load<W>(r), yr = load<W>(r + o), zr = load<W>(r + 2 * o), vr = load<W>(r + 3 * o);
      const V<W> ai = load<W>(i), yi = load<W>(i + o), zi = load<W>(i + 2 * o), vi = load<W>(i + 3 * o);
      const V<W> br = yr * t1[0] + yi * t1[1], bi = yi * t1[0] - yr * t1[1];
      const V<W> cr = zr * t2[0] + zi * t2[1], ci = zi * t2[0] - zr * t2[1];
      const V<W> dr = vr * t3[0] + vi * t3[1], di = vi * t3[0] - vr * t3[1];
      const V<W> sr = ar + cr, si = ai + ci, pr = br + dr, pi = bi + di;
      const V<W> er = ar - cr, ei = ai - ci, fr = br - dr, fi = bi - di;
      store<W>(r, sr + pr), store<W>(i, si + pi);
      store<W>(r + 2 * o, sr - pr), store<W>(i + 2 * o, si - pi);
      store<W>(r + o, er - fi), store<W>(i + o, ei + fr);
      store<W>(r + 3 * o, er + fi), store<W>(i + 3 * o, ei - fr);
    }
  }
}

template <int W>
__attribute__((always_inline)) inline void pairs(float* x,
                                                 int64_t n) {  // radix 2 with span 2, its own inverse up to 2
  for (int64_t k = 0; k < n; k += 2) {
    const V<W> a = load<W>(x + k * W), b = load<W>(x + (k + 1) * W);
    store<W>(x + k * W, a + b), store<W>(x + (k + 1) * W, a - b);
  }
}

static void filter_rows(const float* const* source, const float* const* ray_weights, const float* view_weights,
                        float* const* target, int rows, int64_t bins, int64_t length, const float* response,
                        const float* twiddles, float* work) {
  constexpr int W = kWidth;
  float *re = work, *im = work + length * W;
  __builtin_memset(work, 0, sizeof(float) * 2 * length * W);
  for (int row = 0; row < rows; row++) {
    float* lane = (row < W ? re : im) + row % W;
    const float *p = source[row], *w = ray_weights ? ray_weights[row] : nullptr;
    if (w)
      for (int64_t k = 0; k < bins; k++) lane[k * W] = p[k] * w[k];
    else
      for (int64_t k = 0; k < bins; k++) lane[k * W] = p[k];
  }
  int64_t span = length;
  for (; span >= 4; span /= 4) forward4<W>(re, im, length, span, twiddles);
  if (span == 2) pairs<W>(re, length), pairs<W>(im, length);
  for (int64_t k = 0; k < length; k++) {
    store<W>(re + k * W, load<W>(re + k * W) * response[k]);
    store<W>(im + k * W, load<W>(im + k * W) * response[k]);
  }
  if (span == 2) pairs<W>(re, length), pairs<W>(im, length);
  for (span = span == 2 ? 8 : 4; span <= length; span *= 4) backward4<W>(re, im, length, span, twiddles);
  for (int row = 0; row < rows; row++) {
    const float* lane = (row < W ? re : im) + row % W;
    float* q = target[row];
    const float s = view_weights[row];
    for (int64_t k = 0; k < bins; k++) q[k] = lane[k * W] * s;
  }
}

// ---------------------------------------------------------------- polychromatic
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

// ---------------------------------------------------------------- distance
// Rows one after the other, down and up again: memory is touched in order. The mask is widened to all-ones
// words 64 pixels at a time, which compilers do well, apart from the arithmetic, which they then do well too.
typedef int32_t Words __attribute__((vector_size(kWidth * 4)));

static void distance_counts(const uint8_t* mask, bool flip, int64_t rows, int64_t stride, int64_t columns,
                            float* counts) {
  constexpr int W = kWidth, kBlock = 64;
  const float infinity = __builtin_inff();
  for (int64_t y = 0; y < rows; y++) {
    const uint8_t* m = mask + y * stride;
    float* here = counts + y * stride;
    const float* above = here - stride;
    const int32_t turn = flip ? -1 : 0;
    int64_t x = 0;
    for (; x + kBlock <= columns; x += kBlock) {
      int32_t keep[kBlock];
      for (int i = 0; i < kBlock; i++) keep[i] = (m[x + i] != 0 ? -1 : 0) ^ turn;
      for (int i = 0; i < kBlock; i += W) {
        const V<W> next = y > 0 ? load<W>(above + x + i) + 1.0f : V<W>{} + infinity;
        Words k;
        __builtin_memcpy(&k, keep + i, sizeof k);
        store<W>(here + x + i, (V<W>)(k & (Words)next));
      }
    }
    for (; x < columns; x++) here[x] = (m[x] != 0) == flip ? 0 : y > 0 ? above[x] + 1.0f : infinity;
  }
  for (int64_t y = rows - 2; y >= 0; y--) {
    float* here = counts + y * stride;
    const float* below = here + stride;
    int64_t x = 0;
    for (; x + W <= columns; x += W) {
      const V<W> next = load<W>(below + x) + 1.0f, old = load<W>(here + x);
      store<W>(here + x, next < old ? next : old);
    }
    for (; x < columns; x++) here[x] = below[x] + 1.0f < here[x] ? below[x] + 1.0f : here[x];
  }
}

static void distance_fill(float* squares, int64_t begin, int64_t end, int32_t vertex, float offset) {
  for (int64_t x = begin; x < end; x++) {
    const float d = static_cast<float>(static_cast<int32_t>(x) - vertex);
    squares[x] = offset + d * d;
  }
}

// The compiler leaves sqrt alone where it might set errno.
template <int W>
__attribute__((always_inline)) inline V<W> square_roots(V<W> x) {
#if defined(__clang__)
  return __builtin_elementwise_sqrt(x);
#elif defined(__x86_64__)
  if constexpr (W == 16)
    return __builtin_ia32_sqrtps512_mask(x, x, static_cast<uint16_t>(-1), 4);
  else if constexpr (W == 8)
    return __builtin_ia32_sqrtps256(x);
  else
    return __builtin_ia32_sqrtps(x);
#else
  for (int lane = 0; lane < W; lane++) x[lane] = __builtin_sqrtf(x[lane]);
  return x;
#endif
}

static void distance_roots(const float* squares, int64_t count, float* distances) {
  constexpr int W = kWidth;
  int64_t x = 0;
  for (; x + W <= count; x += W) store<W>(distances + x, square_roots<W>(load<W>(squares + x)));
  for (; x < count; x++) distances[x] = __builtin_sqrtf(squares[x]);
}

extern const SimdKernels kernels;
const SimdKernels kernels = {SINO_TARGET_NAME, SINO_TARGET_WINDOWS, kWidth,        joseph_gather,
                             joseph_scatter,   backproject_tile,    filter_rows,   attenuate,
                             distance_counts,  distance_fill,       distance_roots};
