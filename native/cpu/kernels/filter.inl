// filter: 2·W real rows at once through one complex transform of n points: row r goes through lane r mod W, as real or,
// from row W on, as imaginary part. The response is real and even, so the two never mix. A point is 2·W neighbouring
// floats, real parts first.
//
// Transform. Decimation in frequency forwards, in time backwards: after a forward step every part is a transform of its
//   own, so the way there, the response and the way back of one part are finished before the next part is touched.
//
//     step(block)     forward butterflies across its parts; step(each part); backward butterflies
//     last step       4 or 8 points forwards, times response, backwards: in registers
//
//   Nothing is reordered (the response is stored as it is met), and once a part fits, it stays in L1.
//   Rows fill at most half of the n points. Hence even frequencies are the transform of n/2 points of the row, odd ones
//   that of the row turned by half a frequency, and nobody computes with the zeros. The first step reads rows through
//   W × W transposes in registers and the last writes them in the same way, only the bins that are wanted.
//
// Flops. 34 per point and radix-4 step, there and back: for 729 bins, n = 1536 = 2·3·4⁴, 2·10⁵ vectors of 2·W rows.
// Bytes. The first step, one sweep over the parts of n/6 or n/8 points, and the last: work is written twice and read
//   twice, 8·W·n each (196 kB in L2 for W = 16, where a part is 32 kB); rows are read and written once.

template <int W>
struct Point {
  V<W> re, im;
};
template <int W>
SINO_INLINE Point<W> operator+(Point<W> a, Point<W> b) {
  return {a.re + b.re, a.im + b.im};
}
template <int W>
SINO_INLINE Point<W> operator-(Point<W> a, Point<W> b) {
  return {a.re - b.re, a.im - b.im};
}
template <int W>
SINO_INLINE Point<W> operator*(Point<W> a, float s) {
  return {a.re * s, a.im * s};
}
template <int W>
SINO_INLINE Point<W> point(const float* p) {
  return {load<W>(p), load<W>(p + W)};
}
template <int W>
SINO_INLINE void put(float* p, Point<W> x) {
  store<W>(p, x.re), store<W>(p + W, x.im);
}

// Times e^(−iφ) forwards, e^(iφ) backwards; root = (cos φ, sin φ).
template <bool kBack, int W>
SINO_INLINE Point<W> turn(Point<W> a, const float* root) {
  const float c = root[0], s = kBack ? -root[1] : root[1];
  return {a.re * c + a.im * s, a.im * c - a.re * s};
}
template <bool kBack, int W>
SINO_INLINE Point<W> quarter_turn(Point<W> a) {
  if constexpr (kBack) return {-a.im, a.re};
  return {a.im, -a.re};
}

// The transform of R points in place.
template <int R, bool kBack, int W>
SINO_INLINE void dft(Point<W>* x) {
  if constexpr (R == 3) {
    const Point<W> sum = x[1] + x[2], middle = x[0] - sum * 0.5f;
    const Point<W> side = quarter_turn<kBack>((x[1] - x[2]) * 0.866025403784438647f);
    x[0] = x[0] + sum, x[1] = middle + side, x[2] = middle - side;
  } else if constexpr (R == 4) {
    const Point<W> s = x[0] + x[2], p = x[1] + x[3], e = x[0] - x[2], f = quarter_turn<kBack>(x[1] - x[3]);
    x[0] = s + p, x[1] = e + f, x[2] = s - p, x[3] = e - f;
  } else {
    static_assert(R == 8);
    constexpr float eighth = 0.707106781186547524f;
    Point<W> even[4], odd[4];
    for (int m = 0; m < 4; m++) even[m] = x[m] + x[m + 4], odd[m] = x[m] - x[m + 4];
    odd[1] = (odd[1] + quarter_turn<kBack>(odd[1])) * eighth;
    odd[2] = quarter_turn<kBack>(odd[2]);
    odd[3] = (quarter_turn<kBack>(odd[3]) - odd[3]) * eighth;
    dft<4, kBack, W>(even), dft<4, kBack, W>(odd);
    for (int m = 0; m < 4; m++) x[2 * m] = even[m], x[2 * m + 1] = odd[m];
  }
}

// One butterfly across R parts: forwards the transform and then its R − 1 roots, backwards the roots first.
template <int R, bool kBack, int W>
SINO_INLINE void butterfly(Point<W>* x, const float* roots) {
  if constexpr (kBack)
    for (int m = 1; m < R; m++) x[m] = turn<true, W>(x[m], roots + 2 * m - 2);
  dft<R, kBack, W>(x);
  if constexpr (!kBack)
    for (int m = 1; m < R; m++) x[m] = turn<false, W>(x[m], roots + 2 * m - 2);
}

template <bool kBack, int W>
static void step(float* block, int64_t part, const float* roots) {
  for (int64_t k = 0; k < part; k++, block += 2 * W, roots += 6) {
    Point<W> x[4];
    for (int m = 0; m < 4; m++) x[m] = point<W>(block + 2 * W * m * part);
    butterfly<4, kBack, W>(x, roots);
    for (int m = 0; m < 4; m++) put<W>(block + 2 * W * m * part, x[m]);
  }
}

template <int R, int W>
static void last_step(float* points, int64_t blocks, const float* response) {
  for (int64_t b = 0; b < blocks; b++, points += 2 * W * R, response += R) {
    Point<W> x[R];
    for (int m = 0; m < R; m++) x[m] = point<W>(points + 2 * W * m);
    dft<R, false, W>(x);
    for (int m = 0; m < R; m++) x[m] = x[m] * response[m];
    dft<R, true, W>(x);
    for (int m = 0; m < R; m++) put<W>(points + 2 * W * m, x[m]);
  }
}

// Neighbouring blocks of `span` points, a power of two of at least 4.
template <int W>
static void filter_blocks(float* block, int64_t blocks, int64_t span, const float* roots, const float* response) {
  if (span == 4) return last_step<4, W>(block, blocks, response);
  if (span == 8) return last_step<8, W>(block, blocks, response);
  const int64_t part = span / 4;
  for (int64_t b = 0; b < blocks; b++, block += 2 * W * span, response += span) {
    step<false, W>(block, part, roots);
    filter_blocks<W>(block, 4, part, roots + 6 * part, response);
    step<true, W>(block, part, roots);
  }
}

// ---------------------------------------------------------------- rows in, rows out
template <int W, int... i>
SINO_INLINE V<W> zip_low(V<W> a, V<W> b, std::integer_sequence<int, i...>) {  // in every four: a0 b0 a1 b1
  return SINO_SHUFFLE(a, b, (i % 2 * W + i / 4 * 4 + i % 4 / 2)...);
}
template <int W, int... i>
SINO_INLINE V<W> zip_high(V<W> a, V<W> b, std::integer_sequence<int, i...>) {
  return SINO_SHUFFLE(a, b, (i % 2 * W + i / 4 * 4 + 2 + i % 4 / 2)...);
}
template <int W, int... i>
SINO_INLINE V<W> even_fours(V<W> a, V<W> b, std::integer_sequence<int, i...>) {  // fours 0, 2, … of a, then of b
  return SINO_SHUFFLE(a, b, (i / 4 * 8 + i % 4)...);
}
template <int W, int... i>
SINO_INLINE V<W> odd_fours(V<W> a, V<W> b, std::integer_sequence<int, i...>) {
  return SINO_SHUFFLE(a, b, (i / 4 * 8 + 4 + i % 4)...);
}

// 4 × 4 within every four lanes by two perfect shuffles, then the fours among each other by one or two more.
template <int W>
SINO_INLINE void transpose(V<W>* m) {
  constexpr auto lanes = std::make_integer_sequence<int, W>();
  V<W> next[W];
  for (int stage = 1; stage < 4; stage *= 2) {
    for (int i = 0; i < W; i += 4)
      for (int j = 0; j < 2; j++) {
        next[i + 2 * j] = zip_low<W>(m[i + j], m[i + j + 2], lanes);
        next[i + 2 * j + 1] = zip_high<W>(m[i + j], m[i + j + 2], lanes);
      }
    for (int i = 0; i < W; i++) m[i] = next[i];
  }
  for (int stage = 4; stage < W; stage *= 2) {
    for (int i = 0; i < W / 2; i += 4)
      for (int j = 0; j < 4; j++) {
        next[i + j] = even_fours<W>(m[2 * i + j], m[2 * i + 4 + j], lanes);
        next[W / 2 + i + j] = odd_fours<W>(m[2 * i + j], m[2 * i + 4 + j], lanes);
      }
    for (int i = 0; i < W; i++) m[i] = next[i];
  }
}

// Up to W bins of all rows, from `bin` on, to as many points, weighted; beyond `count` and for missing rows zero. So many
// rows are more than a processor foresees: what the next tile needs is asked for ahead.
template <int W>
static void read_rows(const RowBatch& batch, int64_t bin, int64_t count, float* points) {
  for (int half = 0; half < 2; half++) {
    V<W> m[W];
    for (int r = 0, row = half * W; r < W; r++, row++) {
      m[r] = V<W>{};
      if (!batch.source[row] || count <= 0) continue;
      __builtin_prefetch(batch.source[row] + bin + 2 * W);
      m[r] = load_some<W>(batch.source[row] + bin, count) * batch.view_weights[row];
      if (batch.ray_weights) m[r] *= load_some<W>(batch.ray_weights[row] + bin, count);
    }
    transpose<W>(m);
    for (int k = 0; k < W; k++) store<W>(points + (2 * k + half) * W, m[k]);
  }
}

template <int W>
static void write_rows(const float* points, int64_t bin, int64_t count, const RowBatch& batch) {
  for (int half = 0; half < 2 && count > 0; half++) {
    V<W> m[W];
    for (int k = 0; k < W; k++) m[k] = load<W>(points + (2 * k + half) * W);
    transpose<W>(m);
    for (int r = 0, row = half * W; r < W; r++, row++)
      if (batch.target[row]) store_some<W>(batch.target[row] + bin, m[r], count);
  }
}

// Bins of a row in the tile that starts at point `first` of part m; none where the row ends before it.
SINO_INLINE int64_t bins_of_tile(const RowFilter& filter, int64_t part, int64_t first, int m) {
  const int64_t end = (m + 1) * part;
  return (filter.bins < end ? filter.bins : end) - m * part - first;
}

// The steps with rows on one side: R parts for the even frequencies, then R for the odd.
template <int R, int W>
static void first_step(const RowFilter& filter, const RowBatch& batch, int64_t part, float* work) {
  float tile[R][2 * W * W];
  for (int64_t first = 0; first < part; first += W) {
    for (int m = 0; m < R; m++) read_rows<W>(batch, m * part + first, bins_of_tile(filter, part, first, m), tile[m]);
    for (int64_t k = first; k < part && k < first + W; k++) {
      const float *roots = filter.roots + 2 * (R - 1) * k, *turns = filter.turns + 2 * R * k;
      Point<W> even[R], odd[R];
      for (int m = 0; m < R; m++) even[m] = point<W>(tile[m] + 2 * W * (k - first));
      for (int m = 0; m < R; m++) odd[m] = turn<false, W>(even[m], turns + 2 * m);
      butterfly<R, false, W>(even, roots);
      for (int m = 0; m < R; m++) put<W>(work + 2 * W * (k + m * part), even[m]);
      butterfly<R, false, W>(odd, roots);
      for (int m = 0; m < R; m++) put<W>(work + 2 * W * (k + (R + m) * part), odd[m]);
    }
  }
}

template <int R, int W>
static void first_step_back(const RowFilter& filter, const float* work, int64_t part, const RowBatch& batch) {
  float tile[R][2 * W * W];
  for (int64_t first = 0; first < part; first += W) {
    for (int64_t k = first; k < part && k < first + W; k++) {
      const float *roots = filter.roots + 2 * (R - 1) * k, *turns = filter.turns + 2 * R * k;
      Point<W> even[R], odd[R];
      for (int m = 0; m < R; m++) odd[m] = point<W>(work + 2 * W * (k + (R + m) * part));
      butterfly<R, true, W>(odd, roots);
      for (int m = 0; m < R; m++) odd[m] = turn<true, W>(odd[m], turns + 2 * m);
      for (int m = 0; m < R; m++) even[m] = point<W>(work + 2 * W * (k + m * part));
      butterfly<R, true, W>(even, roots);
      for (int m = 0; m < R; m++) put<W>(tile[m] + 2 * W * (k - first), even[m] + odd[m]);
    }
    for (int m = 0; m < R; m++) write_rows<W>(tile[m], m * part + first, bins_of_tile(filter, part, first, m), batch);
  }
}

template <int R>
static void filter_by(const RowFilter& filter, const RowBatch& batch, float* work) {
  const int64_t part = filter.length / 2 / R;
  first_step<R, kWidth>(filter, batch, part, work);
  filter_blocks<kWidth>(work, 2 * R, part, filter.roots + 2 * (R - 1) * part, filter.response);
  first_step_back<R, kWidth>(filter, work, part, batch);
}

static void filter_rows(const RowFilter& filter, const RowBatch& batch, float* work) {
  if (filter.length % 3 == 0)
    filter_by<3>(filter, batch, work);
  else
    filter_by<4>(filter, batch, work);
}
