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

// Parabola k is the lowest one from from[k] to from[k + 1]. Whole vectors are written, over the end of a stretch; the
// next stretch comes after it, and behind the last one lies room for a vector.
static void distance_fill(const float* from, const int32_t* vertices, const float* offsets, int64_t count,
                          int64_t length, float* squares) {
  constexpr int W = kWidth;
  V<W> lane;
  for (int i = 0; i < W; i++) lane[i] = static_cast<float>(i);
  int64_t x = 0;
  for (int64_t k = 0; k < count; k++) {
    const bool is_last = k + 1 == count || from[k + 1] >= static_cast<float>(length - 1);
    const int64_t stop = is_last ? length : from[k + 1] < 0 ? 0 : static_cast<int64_t>(from[k + 1]) + 1;
    V<W> d = lane + static_cast<float>(x - vertices[k]);
    for (int64_t at = x; at < stop; at += W) {
      store<W>(squares + at, d * d + offsets[k]);
      d += static_cast<float>(W);
    }
    if (stop > x) x = stop;
  }
}

template <int W>
__attribute__((always_inline)) inline bool any_above(V<W> v, float bound) {
#if defined(__x86_64__) && !defined(__clang__)
  if constexpr (W == 16)
    return __builtin_ia32_cmpps512_mask(v, V<W>{} + bound, 14, static_cast<uint16_t>(-1), 4) != 0;  // 14: >
  else if constexpr (W == 8)
    return __builtin_ia32_movmskps256((V<W>)(v > bound)) != 0;
  else
    return __builtin_ia32_movmskps((V<W>)(v > bound)) != 0;
#else
  int32_t any = 0;
  for (int lane = 0; lane < W; lane++) any |= v[lane] > bound;
  return any != 0;
#endif
}

template <int W>
__attribute__((always_inline)) inline V<W> smaller(V<W> a, V<W> b) {
  return a < b ? a : b;
}

// Where zeros are near, looking outward beats the envelope, which divides and branches: d steps to both sides, as long
// as d² is below the best so far of any lane. A step costs a vector two loads, two minima and a sum.
static bool distance_near(const float* squares, int64_t length, int64_t stride, int64_t patience, float* nearest) {
  constexpr int W = kWidth;
  for (int64_t at = 0; at < length; at += W) {
    const float* here = squares + at;
    V<W> best = load<W>(here);
    int64_t d = 1;
    for (; any_above<W>(best, static_cast<float>(d * d)); d += 2) {
      if (d > kDistanceReach) return false;
      const int64_t one = d * stride, two = one + stride;
      const V<W> a = smaller<W>(load<W>(here - one), load<W>(here + one)) + static_cast<float>(d * d);
      const V<W> b = smaller<W>(load<W>(here - two), load<W>(here + two)) + static_cast<float>((d + 1) * (d + 1));
      best = smaller<W>(best, smaller<W>(a, b));
    }
    patience -= d;
    if (patience < 0) return false;
    store<W>(nearest + at, best);
  }
  return true;
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
