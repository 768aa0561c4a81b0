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
