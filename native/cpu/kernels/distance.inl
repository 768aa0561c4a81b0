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
