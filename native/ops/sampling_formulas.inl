// The formulas of sampling_step.h, once for one element and once per vector width: M has the types F, I, U of an element (or of
// a vector of them) and what no operator says. Included inside a namespace, so that no two instruction sets share a function.

template <typename M>
struct StepFormulas {
  using F = typename M::F;
  using I = typename M::I;
  using U = typename M::U;

  SINO_FORMULA static F clamped(F x, float low, float high) {
    return M::at_most(M::at_least(x, F{} + low), F{} + high);
  }

  SINO_FORMULA static F clean_estimate(const SamplingStepArgs& a, F x, F m) {
    return clamped(a.from_sample * x + a.from_output * m, a.low, a.high);
  }

  // A row without its earlier images and noise.
  SINO_FORMULA static F step_row(const StepRow& row, F x, F m, F clean) {
    return row.sample * x + (row.output * m + row.clean * clean);
  }

  SINO_FORMULA static F dual_domain(const DualDomainStepArgs& a, F clean, F consistent, F measured, F base) {
    const F network = clamped(clean, a.low, a.high);
    const F s = a.scale * consistent + a.shift, m = a.scale * measured + a.shift;
    const F fused = s + clamped(a.delta * base, 0.0f, 1.0f) * (network - s);
    const F early = m + clamped(a.delta_measured * base, 0.0f, 1.0f) * (network - m);
    return a.signal * (early + a.keep * (fused - early));
  }

  // e^x = 2^n·e^r with |r| ≤ ½·ln 2; e^r to 3e-9 of itself. Beyond ±87 it stays at e^±87; NaN stays.
  SINO_FORMULA static F exponential(F x) {
    const F inside = clamped(x, -87.0f, 87.0f);
    const F shifted = inside * 1.44269504f + 12582912.0f;  // rounds to the nearest whole number
    const F n = shifted - 12582912.0f;
    const F r = (inside - n * 0.693359375f) + n * 2.12194440e-4f;
    F p = F{} + 1.39505e-3f;
    p = p * r + 8.36888e-3f;
    p = p * r + 4.166621e-2f;
    p = p * r + 1.6666519e-1f;
    p = p * r + 0.5f;
    return M::from_bits(M::bits(p * (r * r) + r + 1.0f) + (M::bits(shifted) << 23));
  }

  // −2·ln u for u = (word + ½)/2³². Above ½ the distance to 1 is what has all the digits, and near 1 the logarithm is a series
  // in it. Otherwise u = 2^e·(1 + t) with ¾ ≤ 1 + t < 1½, and ln(1 + t) = t − t²/2 + t³·p(t), to 5e-9 of itself.
  SINO_FORMULA static F minus_two_log(U word) {
    const U upper = (U)((I)word >> 31);  // all ones above ½
    const F end = (M::to_float((I)(word ^ upper)) + 0.5f) * 2.3283064365386963e-10f;
    const F u = upper != 0u ? 1.0f - end : end;
    const U field = M::bits(u) - 0x3F400000u;  // of ¾
    const I e = (I)field >> 23;
    const F t = e == 0 ? -end : M::from_bits(M::bits(u) - ((U)e << 23)) - 1.0f;
    F p = F{} - 4.5074783e-2f;
    p = p * t + 1.0463021e-1f;
    p = p * t - 1.3161194e-1f;
    p = p * t + 1.4478396e-1f;
    p = p * t - 1.6647312e-1f;
    p = p * t + 1.9990861e-1f;
    p = p * t - 2.5000095e-1f;
    p = p * t + 3.3333451e-1f;
    const F square = t * t;
    return -2.0f * (M::to_float(e) * 0.69314718f + (t + square * (p * t - 0.5f)));
  }

  // cos and sin of 2π·(word + ½)/2³²: the nearest quarter turn and the exact rest, as integers.
  SINO_FORMULA static void unit_circle(U word, F* cosine, F* sine) {
    const U quarter = (word + 0x20000000u) >> 30;
    const F r = M::to_float((I)((word << 2) | 2u)) * 3.6572951981e-10f;  // ½π/2³²
    const F square = r * r;
    F s = F{} - 1.9517e-4f;
    s = s * square + 8.33218e-3f;
    s = s * square - 1.6666655e-1f;
    s = s * (square * r) + r;
    F c = F{} + 2.44384514e-5f;
    c = c * square - 1.38873675e-3f;
    c = c * square + 4.16666469e-2f;
    c = c * square - 0.5f;
    c = c * square + 1.0f;
    const U swapped = quarter & 1u;
    const F x = swapped != 0u ? s : c, y = swapped != 0u ? c : s;
    *cosine = M::from_bits(M::bits(x) ^ (((quarter + 1u) & 2u) << 30));
    *sine = M::from_bits(M::bits(y) ^ ((quarter & 2u) << 30));
  }

  // Box and Muller's two normal numbers from two words of a draw, in the order of native/ops/noise.h.
  SINO_FORMULA static void normal_pair(U radius_word, U angle_word, F* z) {
    const F radius = M::root(minus_two_log(radius_word));
    F cosine, sine;
    unit_circle(angle_word, &cosine, &sine);
    z[0] = radius * cosine;
    z[1] = radius * sine;
  }
};
