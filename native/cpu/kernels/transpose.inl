// Squares of kWidth × kWidth floats, transposed in registers: exchange halves of rows that are `half` apart, then quarters, …

template <int W, int Half, bool Upper, int... I>
SINO_INLINE V<W> exchanged(V<W> a, V<W> b, std::integer_sequence<int, I...>) {
  if constexpr (Upper)
    return SINO_SHUFFLE(a, b, (I & Half ? W + I : I | Half)...);
  else
    return SINO_SHUFFLE(a, b, (I & Half ? W + (I ^ Half) : I)...);
}

template <int W, int Half>
SINO_INLINE void exchange_halves(V<W>* rows) {
  constexpr auto lanes = std::make_integer_sequence<int, W>();
#pragma GCC unroll 16
  for (int i = 0; i < W; i++) {
    if (i & Half) continue;
    const V<W> a = rows[i], b = rows[i | Half];
    rows[i] = exchanged<W, Half, false>(a, b, lanes);
    rows[i | Half] = exchanged<W, Half, true>(a, b, lanes);
  }
  if constexpr (Half > 1) exchange_halves<W, Half / 2>(rows);
}

static void transpose_square(const float* from, int64_t from_stride, float* to, int64_t to_stride, bool add) {
  constexpr int W = kWidth;
  V<W> rows[W];
#pragma GCC unroll 16
  for (int i = 0; i < W; i++) rows[i] = load<W>(from + i * from_stride);
  exchange_halves<W, W / 2>(rows);
#pragma GCC unroll 16
  for (int i = 0; i < W; i++) {
    float* target = to + i * to_stride;
    store<W>(target, add ? load<W>(target) + rows[i] : rows[i]);
  }
}
