// Included once per instruction set by fourier_kernels_*.cc, inside a namespace of its own, with kWidth lanes per register.
// Only plain structs from headers and functions of this file, as in kernels.inl.

template <int W>
struct Lanes {
  typedef float type __attribute__((vector_size(W * 4)));
  typedef int32_t index __attribute__((vector_size(W * 4)));
};
template <int W>
using V = typename Lanes<W>::type;

#define SINO_INLINE __attribute__((always_inline)) inline

template <int W>
SINO_INLINE V<W> load(const float* p) {
  V<W> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <int W>
SINO_INLINE void store(float* p, V<W> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

typedef V<kWidth> Vec;
constexpr int W = kWidth;

SINO_INLINE Vec get(const float* p) { return load<W>(p); }
SINO_INLINE void put(float* p, Vec v) { store<W>(p, v); }

// ---------------------------------------------------------------- reordering lanes
#if defined(__clang__)
#define SINO_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SINO_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, typename Lanes<W>::index{__VA_ARGS__})
#endif

template <int... i>
SINO_INLINE Vec zip_low(Vec a, Vec b, std::integer_sequence<int, i...>) {  // a0 b0 a1 b1 …
  return SINO_SHUFFLE(a, b, ((i % 2) * W + i / 2)...);
}
template <int... i>
SINO_INLINE Vec zip_high(Vec a, Vec b, std::integer_sequence<int, i...>) {
  return SINO_SHUFFLE(a, b, ((i % 2) * W + W / 2 + i / 2)...);
}
template <int... i>
SINO_INLINE Vec every_second(Vec a, Vec b, std::integer_sequence<int, i...>) {  // a0 a2 … b0 b2 …
  return SINO_SHUFFLE(a, b, (2 * i)...);
}
template <int... i>
SINO_INLINE Vec every_other(Vec a, Vec b, std::integer_sequence<int, i...>) {
  return SINO_SHUFFLE(a, b, (2 * i + 1)...);
}
typedef std::make_integer_sequence<int, W> AllLanes;

struct Pair {
  Vec re, im;
};
SINO_INLINE Pair split(const float* complex) {
  const Vec a = get(complex), b = get(complex + W);
  return {every_second(a, b, AllLanes()), every_other(a, b, AllLanes())};
}
SINO_INLINE void join(float* complex, Pair p) {
  put(complex, zip_low(p.re, p.im, AllLanes()));
  put(complex + W, zip_high(p.re, p.im, AllLanes()));
}

// Perfect shuffles, as many as it takes.
SINO_INLINE void transpose(Vec* m) {
  for (int stage = 1; stage < W; stage *= 2) {
    Vec next[W];
    for (int i = 0; i < W / 2; i++) {
      next[2 * i] = zip_low(m[i], m[i + W / 2], AllLanes());
      next[2 * i + 1] = zip_high(m[i], m[i + W / 2], AllLanes());
    }
    for (int i = 0; i < W; i++) m[i] = next[i];
  }
}

// ---------------------------------------------------------------- transform
// Discrete transforms of R registers in place.
template <int R>
SINO_INLINE void small_transform(Vec* r, Vec* i);

template <>
SINO_INLINE void small_transform<2>(Vec* r, Vec* i) {
  const Vec ar = r[0], ai = i[0];
  r[0] = ar + r[1], i[0] = ai + i[1];
  r[1] = ar - r[1], i[1] = ai - i[1];
}

template <>
SINO_INLINE void small_transform<3>(Vec* r, Vec* i) {
  constexpr float s = 0.866025403784438647f;
  const Vec pr = r[1] + r[2], pi = i[1] + i[2], mr = s * (r[1] - r[2]), mi = s * (i[1] - i[2]);
  const Vec hr = r[0] - 0.5f * pr, hi = i[0] - 0.5f * pi;
  r[0] += pr, i[0] += pi;
  r[1] = hr + mi, i[1] = hi - mr;
  r[2] = hr - mi, i[2] = hi + mr;
}

template <>
SINO_INLINE void small_transform<4>(Vec* r, Vec* i) {
  const Vec sr = r[0] + r[2], si = i[0] + i[2], pr = r[1] + r[3], pi = i[1] + i[3];
  const Vec er = r[0] - r[2], ei = i[0] - i[2], fr = r[1] - r[3], fi = i[1] - i[3];
  r[0] = sr + pr, i[0] = si + pi;
  r[1] = er + fi, i[1] = ei - fr;
  r[2] = sr - pr, i[2] = si - pi;
  r[3] = er - fi, i[3] = ei + fr;
}

template <>
SINO_INLINE void small_transform<5>(Vec* r, Vec* i) {
  constexpr float c1 = 0.309016994374947424f, c2 = -0.809016994374947424f;
  constexpr float s1 = 0.951056516295153572f, s2 = 0.587785252292473129f;
  const Vec pr = r[1] + r[4], pi = i[1] + i[4], qr = r[2] + r[3], qi = i[2] + i[3];
  const Vec ur = r[1] - r[4], ui = i[1] - i[4], vr = r[2] - r[3], vi = i[2] - i[3];
  const Vec xr = r[0] + c1 * pr + c2 * qr, xi = i[0] + c1 * pi + c2 * qi;
  const Vec yr = r[0] + c2 * pr + c1 * qr, yi = i[0] + c2 * pi + c1 * qi;
  const Vec gr = s1 * ur + s2 * vr, gi = s1 * ui + s2 * vi;
  const Vec hr = s2 * ur - s1 * vr, hi = s2 * ui - s1 * vi;
  r[0] += pr + qr, i[0] += pi + qi;
  r[1] = xr + gi, i[1] = xi - gr;
  r[2] = yr + hi, i[2] = yi - hr;
  r[3] = yr - hi, i[3] = yi + hr;
  r[4] = xr - gi, i[4] = xi + gr;
}

template <int R, bool Back>
static void fft_pass(float* re, float* im, int64_t length, int64_t span, const float* twiddles) {
  const int64_t part = span / R;
  for (int64_t block = 0; block < length; block += span) {
    const float* t = twiddles;
    for (int64_t k = 0; k < part; k++, t += 2 * (R - 1)) {
      float *pr = re + (block + k) * W, *pi = im + (block + k) * W;
      Vec r[R], i[R];
      for (int m = 0; m < R; m++) r[m] = get(pr + m * part * W), i[m] = get(pi + m * part * W);
      if constexpr (Back) {  // every step of the other direction transposed and conjugated, in reverse
        for (int m = 1; m < R; m++) {
          const Vec x = r[m];
          r[m] = x * t[2 * m - 2] + i[m] * t[2 * m - 1];
          i[m] = i[m] * t[2 * m - 2] - x * t[2 * m - 1];
        }
        small_transform<R>(i, r);
      } else {
        small_transform<R>(r, i);
        for (int m = 1; m < R; m++) {
          const Vec x = r[m];
          r[m] = x * t[2 * m - 2] - i[m] * t[2 * m - 1];
          i[m] = i[m] * t[2 * m - 2] + x * t[2 * m - 1];
        }
      }
      for (int m = 0; m < R; m++) put(pr + m * part * W, r[m]), put(pi + m * part * W, i[m]);
    }
  }
}

template <bool Back>
SINO_INLINE void fft_any_pass(int radix, float* re, float* im, int64_t length, int64_t span, const float* twiddles) {
  if (radix == 4)
    fft_pass<4, Back>(re, im, length, span, twiddles);
  else if (radix == 5)
    fft_pass<5, Back>(re, im, length, span, twiddles);
  else if (radix == 3)
    fft_pass<3, Back>(re, im, length, span, twiddles);
  else
    fft_pass<2, Back>(re, im, length, span, twiddles);
}

// Natural order in, frequency f at place[f] out.
static void fft(const FftPlan& plan, float* re, float* im) {
  int64_t span = plan.length;
  const float* twiddles = plan.twiddles;
  for (int p = 0; p < plan.passes; p++) {
    fft_any_pass<false>(plan.radix[p], re, im, plan.length, span, twiddles);
    span /= plan.radix[p];
    twiddles += span * 2 * (plan.radix[p] - 1);
  }
}

// The adjoint of fft, rounded twiddles included: frequency f at place[f] in, natural order out, not divided by the length.
static void fft_back(const FftPlan& plan, float* re, float* im) {
  int64_t span = 1;
  const float* twiddles = plan.twiddles_end;
  for (int p = plan.passes - 1; p >= 0; p--) {
    twiddles -= span * 2 * (plan.radix[p] - 1);
    span *= plan.radix[p];
    fft_any_pass<true>(plan.radix[p], re, im, plan.length, span, twiddles);
  }
}

// ---------------------------------------------------------------- image columns
// Up to W floats; the rest of the register is zero.
SINO_INLINE Vec get_some(const float* p, int64_t count) {
  if (count >= W) return get(p);
  float some[W] = {};
  for (int64_t i = 0; i < count; i++) some[i] = p[i];
  return get(some);
}
SINO_INLINE void put_some(float* p, Vec v, int64_t count) {
  if (count >= W) return put(p, v);
  float some[W];
  put(some, v);
  for (int64_t i = 0; i < count; i++) p[i] = some[i];
}

// Pixel i of n lies at grid place i − n/2, modulo the period.
SINO_INLINE int64_t wrapped_place(int64_t i, int64_t n, int64_t period) {
  return i < n / 2 ? i - n / 2 + period : i - n / 2;
}

static void columns_forward(const FourierTables& tables, const float* image, int64_t block, float* middle,
                            float* work) {
  const FftPlan& plan_y = tables.fft_y;
  const int64_t n = plan_y.length, rows = tables.rows, columns = tables.columns, x0 = block * 2 * W;
  const int64_t count_a = columns - x0, count_b = columns - x0 - W;
  float *re = work, *im = work + n * W;
  const Vec weight_a = get_some(tables.column_weights + x0, count_a);
  const Vec weight_b = get_some(tables.column_weights + x0 + W, count_b);
  for (int64_t r = 0; r < rows; r++) {
    const int64_t place = wrapped_place(r, rows, n) * W;
    const float* p = image + r * columns + x0;
    const float weight = tables.row_weights[r];
    put(re + place, get_some(p, count_a) * (weight * weight_a));
    put(im + place, get_some(p + W, count_b) * (weight * weight_b));
  }
  for (int64_t k = rows - rows / 2; k < n - rows / 2; k++) put(re + k * W, Vec{}), put(im + k * W, Vec{});
  fft(plan_y, re, im);
  const int64_t half = n / 2 + 1;
  for (int64_t y0 = 0; y0 < half; y0 += W) {
    Vec ar[W], ai[W], br[W], bi[W];
    for (int t = 0; t < W; t++) {
      const int64_t y = y0 + t < half ? y0 + t : 0;
      const int64_t up = plan_y.place[y] * W, down = plan_y.place[y ? n - y : 0] * W;
      const Vec zr = get(re + up), zi = get(im + up), yr = get(re + down), yi = get(im + down);
      ar[t] = zr + yr, ai[t] = zi - yi, br[t] = zi + yi, bi[t] = yr - zr;
    }
    transpose(ar), transpose(ai), transpose(br), transpose(bi);
    float* record = middle + (y0 * columns + x0 * W) * 2;
    for (int t = 0; t < W && t < count_a; t++, record += 2 * W) put(record, ar[t]), put(record + W, ai[t]);
    for (int t = 0; t < W && t < count_b; t++, record += 2 * W) put(record, br[t]), put(record + W, bi[t]);
  }
}

static void columns_backward(const FourierTables& tables, const float* middle, int64_t block, float* image,
                             float* work) {
  const FftPlan& plan_y = tables.fft_y;
  const int64_t n = plan_y.length, rows = tables.rows, columns = tables.columns, x0 = block * 2 * W;
  const int64_t count_a = columns - x0, count_b = columns - x0 - W;
  float *re = work, *im = work + n * W;
  const int64_t half = n / 2 + 1;
  for (int64_t y0 = 0; y0 < half; y0 += W) {
    Vec ar[W], ai[W], br[W], bi[W];
    const float* record = middle + (y0 * columns + x0 * W) * 2;
    for (int t = 0; t < W; t++) {
      const bool a = t < count_a, b = t < count_b;
      ar[t] = a ? get(record + 2 * t * W) : Vec{}, ai[t] = a ? get(record + (2 * t + 1) * W) : Vec{};
      br[t] = b ? get(record + 2 * (t + W) * W) : Vec{}, bi[t] = b ? get(record + (2 * (t + W) + 1) * W) : Vec{};
    }
    transpose(ar), transpose(ai), transpose(br), transpose(bi);
    for (int t = 0; t < W && y0 + t < half; t++) {
      const int64_t y = y0 + t, up = plan_y.place[y] * W, down = plan_y.place[y ? n - y : 0] * W;
      if (y == 0 || 2 * y == n) {
        put(re + up, 2.0f * ar[t]), put(im + up, 2.0f * br[t]);
      } else {
        put(re + up, ar[t] - bi[t]), put(im + up, ai[t] + br[t]);
        put(re + down, ar[t] + bi[t]), put(im + down, br[t] - ai[t]);
      }
    }
  }
  fft_back(plan_y, re, im);
  const Vec weight_a = get_some(tables.column_weights + x0, count_a);
  const Vec weight_b = get_some(tables.column_weights + x0 + W, count_b);
  for (int64_t r = 0; r < rows; r++) {
    const int64_t place = wrapped_place(r, rows, n) * W;
    float* p = image + r * columns + x0;
    const float weight = tables.row_weights[r];
    put_some(p, get(re + place) * (weight * weight_a), count_a);
    if (count_b > 0) put_some(p + W, get(im + place) * (weight * weight_b), count_b);
  }
}

// ---------------------------------------------------------------- grid rows
static void rows_forward(const FourierTables& tables, const float* middle, int64_t block, const FourierGrid& grid,
                         float* work) {
  const FftPlan& plan_x = tables.fft_x;
  const int64_t n = plan_x.length, columns = tables.columns;
  float *re = work, *im = work + n * W;
  const float* record = middle + block * columns * 2 * W;
  for (int64_t c = 0; c < columns; c++, record += 2 * W) {
    const int64_t place = wrapped_place(c, columns, n) * W;
    put(re + place, get(record)), put(im + place, get(record + W));
  }
  for (int64_t k = columns - columns / 2; k < n - columns / 2; k++) put(re + k * W, Vec{}), put(im + k * W, Vec{});
  fft(plan_x, re, im);
  float* cell = grid.data + kFourierPad * grid.stride + 2 * (kFourierPad + block * W);
  for (int64_t x = 0; x < n; x++, cell += grid.stride) {
    const int64_t place = plan_x.place[x < n / 2 ? x + n / 2 : x - n / 2] * W;
    join(cell, {get(re + place), get(im + place)});
  }
}

static void rows_backward(const FourierTables& tables, const FourierGrid& grid, int64_t block, float* middle,
                          float* work) {
  const FftPlan& plan_x = tables.fft_x;
  const int64_t n = plan_x.length, columns = tables.columns;
  float *re = work, *im = work + n * W;
  const float* cell = grid.data + kFourierPad * grid.stride + 2 * (kFourierPad + block * W);
  for (int64_t x = 0; x < n; x++, cell += grid.stride) {
    const int64_t place = plan_x.place[x < n / 2 ? x + n / 2 : x - n / 2] * W;
    const Pair p = split(cell);
    put(re + place, p.re), put(im + place, p.im);
  }
  fft_back(plan_x, re, im);
  float* record = middle + block * columns * 2 * W;
  for (int64_t c = 0; c < columns; c++, record += 2 * W) {
    const int64_t place = wrapped_place(c, columns, n) * W;
    put(record, get(re + place)), put(record + W, get(im + place));
  }
}

// ---------------------------------------------------------------- lines
// Cells and kernel weights of up to kFourierPoints samples, worked out together.
struct Cells {
  int32_t x[kFourierPoints], y[kFourierPoints];
  float fraction_x[kFourierPoints], fraction_y[kFourierPoints];
  alignas(64) float weights_x[kFourierPoints][8];
};

SINO_INLINE void find_cells(const FourierTables& tables, const FourierGrid& grid, const FourierLine& line,
                            int32_t first, int count, Cells& cells) {
  const double low_x = grid.cells_x / 2 + kFourierPad - kFourierSpan / 2.0, low_y = kFourierPad - kFourierSpan / 2.0;
  for (int i = 0; i < count; i++) {  // fourier_place, here because shared inline functions may not be
    const int32_t j = first + i < line.samples ? first + i : line.samples - 1;
    const double x = j * line.step_x + low_x, y = j * line.step_y + low_y;
    const int32_t cell_x = static_cast<int32_t>(x) + 1, cell_y = static_cast<int32_t>(y) + 1;
    cells.x[i] = cell_x, cells.y[i] = cell_y;
    cells.fraction_x[i] = static_cast<float>(cell_x - x), cells.fraction_y[i] = static_cast<float>(cell_y - y);
  }
  constexpr int H = W < 8 ? W : 8;
  for (int h = 0; h < 8; h += H) {
    V<H> c[kFourierDegree + 1];
    for (int d = 0; d <= kFourierDegree; d++) c[d] = load<H>(tables.kernel_x + 8 * d + h);
    for (int i = 0; i < count; i++) {
      V<H> w = c[0];
      for (int d = 1; d <= kFourierDegree; d++) w = w * cells.fraction_x[i] + c[d];
      store<H>(cells.weights_x[i] + h, w);
    }
  }
}

constexpr int kParts = 16 / W;  // registers for 8 complex cells

struct KernelY {
  Vec c[kParts][kFourierDegree + 1];
};
SINO_INLINE KernelY kernel_y_of(const FourierTables& tables) {
  KernelY k;
  for (int p = 0; p < kParts; p++)
    for (int d = 0; d <= kFourierDegree; d++) k.c[p][d] = get(tables.kernel_y + 16 * d + p * W);
  return k;
}
SINO_INLINE Vec weights_y(const KernelY& kernel, int part, float fraction) {
  Vec w = kernel.c[part][0];
  for (int d = 1; d <= kFourierDegree; d++) w = w * fraction + kernel.c[part][d];
  return w;
}

// Complex neighbours added: a0+a1, a2+a3, …, b0+b1, ….
template <int... i>
SINO_INLINE Vec added(Vec a, Vec b, std::integer_sequence<int, i...>) {
  return SINO_SHUFFLE(a, b, (i / 2 * 4 + i % 2)...) + SINO_SHUFFLE(a, b, (i / 2 * 4 + i % 2 + 2)...);
}

static void gather(const FourierTables& tables, const FourierGrid& grid, const FourierLine& line, float* samples) {
  constexpr int kGroup = W / 2;  // samples whose sums fill one register
  const KernelY kernel = kernel_y_of(tables);
  const float* data = grid.data;
  const int64_t stride = grid.stride;
  Cells cells;
  for (int32_t first = 0; first < line.samples; first += kFourierPoints) {
    const int count = line.samples - first < kFourierPoints ? line.samples - first : kFourierPoints;
    find_cells(tables, grid, line, first, (count + kGroup - 1) / kGroup * kGroup, cells);
    for (int group = 0; group < count; group += kGroup) {
      Vec total[kGroup];
      for (int g = 0; g < kGroup; g++) {
        const int i = group + g;
        const float *p = data + cells.x[i] * stride + 2 * cells.y[i], *w = cells.weights_x[i];
        Vec sum[kParts];
        for (int part = 0; part < kParts; part++) {
          Vec even = w[0] * get(p + part * W), odd = w[1] * get(p + stride + part * W);
          for (int r = 2; r < kFourierSpan; r += 2) even += w[r] * get(p + r * stride + part * W);
          for (int r = 3; r < kFourierSpan; r += 2) odd += w[r] * get(p + r * stride + part * W);
          sum[part] = even + odd;
        }
        total[g] = sum[0] * weights_y(kernel, 0, cells.fraction_y[i]);
        for (int part = 1; part < kParts; part++) total[g] += sum[part] * weights_y(kernel, part, cells.fraction_y[i]);
      }
      for (int n = kGroup; n > 1; n /= 2)
        for (int g = 0; g < n / 2; g++) total[g] = added(total[2 * g], total[2 * g + 1], AllLanes());
      put(samples + 2 * (first + group), total[0]);
    }
  }
}

// Whole aligned registers are read and written, so that a store is found whole by the next sample's load: a cell is
// touched by several samples in a row. `shifted` holds a sample's 8 weights between zeros, to be read where they belong.
static void spread(const FourierTables& tables, const FourierGrid& grid, const FourierLine& line, int32_t begin,
                   int32_t end, const float* samples) {
  constexpr int kCells = W / 2;                                               // of a register
  constexpr int kWindow = (kFourierSpan + kCells - 1 + kCells - 1) / kCells;  // registers that a sample touches
  constexpr int kShifted = W + (kWindow * W > 16 ? kWindow * W : 16);
  const KernelY kernel = kernel_y_of(tables);
  float* data = grid.data;
  const int64_t stride = grid.stride;
  Cells cells;
  alignas(64) float shifted[kFourierPoints][kShifted];
  for (int32_t first = begin; first < end; first += kFourierPoints) {
    const int count = end - first < kFourierPoints ? end - first : kFourierPoints;
    find_cells(tables, grid, line, first, count, cells);
    for (int i = 0; i < count; i++) {
      int64_t both;
      __builtin_memcpy(&both, samples + 2 * (first + i), 8);
      typedef int64_t Both __attribute__((vector_size(W * 4)));
      const Both value = Both{} + both;
      put(shifted[i], Vec{}), put(shifted[i] + kShifted - W, Vec{});
      for (int part = 0; part < kParts; part++)
        put(shifted[i] + W + part * W, (Vec)value * weights_y(kernel, part, cells.fraction_y[i]));
    }
    for (int i = 0; i < count; i++) {
      const int shift = cells.y[i] % kCells;
      float* p = data + cells.x[i] * stride + 2 * (cells.y[i] - shift);
      Vec value[kWindow];
      for (int k = 0; k < kWindow; k++) value[k] = get(shifted[i] + W - 2 * shift + k * W);
      for (int r = 0; r < kFourierSpan; r++, p += stride)
        for (int k = 0; k < kWindow; k++) put(p + k * W, get(p + k * W) + cells.weights_x[i][r] * value[k]);
    }
  }
}

// ---------------------------------------------------------------- views
// e^{2πi·turn·j} for W samples of 2·W lines at a time; the first of them in double, so that errors do not add up.
struct Rotors {
  float re[2 * W][W], im[2 * W][W];  // powers 0 … W − 1
  double base_re[2 * W], base_im[2 * W], step_re[2 * W], step_im[2 * W];
};
SINO_INLINE void start_rotors(const FourierLine* lines, int count, Rotors& rotors) {
  for (int l = 0; l < count; l++) {
    double re = 1, im = 0;
    for (int t = 0; t < W; t++) {
      rotors.re[l][t] = static_cast<float>(re), rotors.im[l][t] = static_cast<float>(im);
      const double next = re * lines[l].phase_re - im * lines[l].phase_im;
      im = re * lines[l].phase_im + im * lines[l].phase_re;
      re = next;
    }
    rotors.step_re[l] = re, rotors.step_im[l] = im;
    rotors.base_re[l] = 1, rotors.base_im[l] = 0;
  }
}
SINO_INLINE Pair next_rotors(Rotors& rotors, int l) {
  const float br = static_cast<float>(rotors.base_re[l]), bi = static_cast<float>(rotors.base_im[l]);
  const Vec re = get(rotors.re[l]), im = get(rotors.im[l]);
  const double next = rotors.base_re[l] * rotors.step_re[l] - rotors.base_im[l] * rotors.step_im[l];
  rotors.base_im[l] = rotors.base_re[l] * rotors.step_im[l] + rotors.base_im[l] * rotors.step_re[l];
  rotors.base_re[l] = next;
  return {re * br - im * bi, re * bi + im * br};
}

static void views_forward(const FourierTables& tables, const FourierLine* lines, int count, const float* samples,
                          int64_t stride, float* sinogram, float* work) {
  const FftPlan& plan_view = tables.fft_view;
  const int64_t n = plan_view.length;
  float *re = work, *im = work + n * W;
  __builtin_memset(work, 0, sizeof(float) * 2 * n * W);
  Rotors rotors;
  start_rotors(lines, count, rotors);
  for (int64_t j0 = 0; j0 < tables.most_samples; j0 += W) {
    Vec r[2][W], i[2][W];
    const Vec weights = get_some(tables.sample_weights + j0, tables.most_samples - j0);
    for (int l = 0; l < 2 * W; l++) {
      Vec& x = r[l / W][l % W];
      Vec& y = i[l / W][l % W];
      if (l >= count) {
        x = y = Vec{};
        continue;
      }
      const Pair s = split(samples + l * stride + 2 * j0), t = next_rotors(rotors, l);
      x = (s.re * t.re - s.im * t.im) * weights;
      y = (s.re * t.im + s.im * t.re) * weights;
      if (lines[l].mirrored) y = -y;
    }
    transpose(r[0]), transpose(r[1]), transpose(i[0]), transpose(i[1]);
    for (int t = 0; t < W && j0 + t < tables.most_samples; t++) {
      const int64_t f = (j0 + t) % n;
      const int64_t up = plan_view.place[f] * W, down = plan_view.place[f ? n - f : 0] * W;
      put(re + up, get(re + up) + (r[0][t] - i[1][t]));
      put(im + up, get(im + up) + (i[0][t] + r[1][t]));
      put(re + down, get(re + down) + (r[0][t] + i[1][t]));
      put(im + down, get(im + down) + (r[1][t] - i[0][t]));
    }
  }
  fft_back(plan_view, re, im);
  for (int64_t k0 = 0; k0 < tables.bins; k0 += W) {
    Vec parts[2][W];
    for (int t = 0; t < W; t++) {
      const int64_t place = (k0 + t < tables.bins ? k0 + t : 0) * W;
      parts[0][t] = get(re + place), parts[1][t] = get(im + place);
    }
    transpose(parts[0]), transpose(parts[1]);
    for (int l = 0; l < count; l++)
      put_some(sinogram + lines[l].view * tables.bins + k0, parts[l / W][l % W], tables.bins - k0);
  }
}

// Views to lanes, one behind the other, zeros up to `length`.
SINO_INLINE void load_views(const FourierTables& tables, const FourierLine* lines, int count, const float* sinogram,
                            const float* ray_weights, int64_t first_bin, int64_t length, float* re, float* im) {
  const int64_t bins = tables.filter.measured_bins;
  for (int64_t k = 0; k < first_bin; k++) put(re + k * W, Vec{}), put(im + k * W, Vec{});
  re += first_bin * W, im += first_bin * W, length -= first_bin;
  for (int64_t k0 = 0; k0 < bins; k0 += W) {
    Vec parts[2][W];
    const Vec weights = ray_weights ? get_some(ray_weights + k0, bins - k0) : Vec{} + 1.0f;
    for (int l = 0; l < 2 * W; l++)
      parts[l / W][l % W] = l < count ? get_some(sinogram + lines[l].view * bins + k0, bins - k0) * weights : Vec{};
    transpose(parts[0]), transpose(parts[1]);
    for (int t = 0; t < W && k0 + t < length; t++)
      put(re + (k0 + t) * W, parts[0][t]), put(im + (k0 + t) * W, parts[1][t]);
  }
  for (int64_t k = (bins + W - 1) / W * W; k < length; k++) put(re + k * W, Vec{}), put(im + k * W, Vec{});
}

// The views filtered, as load_views would have left them. Real and even responses do not mix the two views of a lane.
SINO_INLINE void filter_views(const FourierTables& tables, const FourierLine* lines, int count, const float* sinogram,
                              float* work) {
  const FftPlan& plan = tables.filter.fft;
  const int64_t n = plan.length, length = tables.fft_view.length;
  float *re = work, *im = work + n * W;
  load_views(tables, lines, count, sinogram, tables.filter.ray_weights, tables.filter.first_bin, n, re, im);
  fft(plan, re, im);
  for (int64_t f = 0; f < n; f++) {
    const int64_t place = plan.place[f] * W;
    put(re + place, get(re + place) * tables.filter.response[f]);
    put(im + place, get(im + place) * tables.filter.response[f]);
  }
  fft_back(plan, re, im);
  float view_weights[2 * W] = {};
  for (int l = 0; l < count; l++) view_weights[l] = tables.filter.view_weights[lines[l].view];
  const Vec weight_re = get(view_weights), weight_im = get(view_weights + W);
  const float* filtered_im = im;
  im = work + length * W;
  for (int64_t k = 0; k < tables.bins; k++) {
    put(re + k * W, get(re + k * W) * weight_re);
    put(im + k * W, get(filtered_im + k * W) * weight_im);
  }
  for (int64_t k = tables.bins; k < length; k++) put(re + k * W, Vec{}), put(im + k * W, Vec{});
}

static void views_backward(const FourierTables& tables, const FourierLine* lines, int count, const float* sinogram,
                           float* samples, int64_t stride, float* work) {
  const FftPlan& plan_view = tables.fft_view;
  const int64_t n = plan_view.length;
  float *re = work, *im = work + n * W;
  if (tables.filter.fft.length > 0)
    filter_views(tables, lines, count, sinogram, work);
  else
    load_views(tables, lines, count, sinogram, nullptr, 0, n, re, im);
  fft(plan_view, re, im);
  Rotors rotors;
  start_rotors(lines, count, rotors);
  for (int64_t j0 = 0; j0 < tables.most_samples; j0 += W) {
    Vec r[2][W], i[2][W];
    const Vec weights = get_some(tables.sample_weights + j0, tables.most_samples - j0);
    for (int t = 0; t < W; t++) {
      const int64_t up = (j0 + t) % n, down = up ? n - up : 0;
      const int64_t a = plan_view.place[up] * W, b = plan_view.place[down] * W;
      const Vec zr = get(re + a), zi = get(im + a), yr = get(re + b), yi = get(im + b);
      r[0][t] = zr + yr, i[0][t] = zi - yi, r[1][t] = zi + yi, i[1][t] = yr - zr;
    }
    transpose(r[0]), transpose(r[1]), transpose(i[0]), transpose(i[1]);
    for (int l = 0; l < count; l++) {
      const Vec x = r[l / W][l % W] * weights, y = i[l / W][l % W] * (lines[l].mirrored ? -weights : weights);
      const Pair t = next_rotors(rotors, l);
      join(samples + l * stride + 2 * j0, {x * t.re + y * t.im, y * t.re - x * t.im});
    }
  }
}

extern const FourierKernels kernels;
const FourierKernels kernels = {kWidth, columns_forward, columns_backward, rows_forward,  rows_backward,
                                gather, spread,          views_forward,    views_backward};
