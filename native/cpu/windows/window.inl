alignas(64) static const float kSteps[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                             16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

// 32 neighbouring values as lines E + t·D from each to the next, t counted from the first.
struct Window {
  __m512 e0, e1, d0, d1;
};
__attribute__((always_inline)) inline Window window_at(const float* p) {
  Window w;
  w.e0 = _mm512_loadu_ps(p), w.e1 = _mm512_loadu_ps(p + 16);
  w.d0 = _mm512_sub_ps(_mm512_loadu_ps(p + 1), w.e0), w.d1 = _mm512_sub_ps(_mm512_loadu_ps(p + 17), w.e1);
  w.e0 = _mm512_fnmadd_ps(_mm512_load_ps(kSteps), w.d0, w.e0);
  w.e1 = _mm512_fnmadd_ps(_mm512_load_ps(kSteps + 16), w.d1, w.e1);
  return w;
}
// The interpolated values at t, 0 ≤ t < 32.
__attribute__((always_inline)) inline __m512 interpolated(const Window& w, __m512 t) {
  const __m512 to_integer = _mm512_set1_ps(8388608.0f);  // 2²³: adding it leaves the integer part in the lowest bits
  const __m512i k = _mm512_castps_si512(_mm512_add_round_ps(t, to_integer, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
  return _mm512_fmadd_ps(t, _mm512_permutex2var_ps(w.d0, k, w.d1), _mm512_permutex2var_ps(w.e0, k, w.e1));
}
