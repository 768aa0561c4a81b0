// Banded sums over strips of 16 bins: whole vectors, weights from L1, inputs from L1 and L2. Strips are summed for four
// views at a time, so that a weight is loaded once for four multiply-adds.

// g[view][bin] for `views` views; `rows` begins at place 0 of the first. Fewer than 16 bins go one by one.
static void rebin_views(const float* const* rows, const RebinSums& sums, int64_t bins, int64_t views, float* g,
                        int64_t g_stride) {
  constexpr int W = kWidth < kRebinStrip ? kWidth : kRebinStrip;
  for (const RebinStrip* strip = sums.strips; strip < sums.strips + sums.count; strip++) {
    const float* w = sums.weights + strip->weights;
    const int64_t first = strip->first, taps = strip->taps;
    if (bins < kRebinStrip) {
      for (int64_t i = 0; i < views; i++)
        for (int64_t k = 0; k < bins; k++) {
          float sum = 0;
          for (int64_t t = 0; t < taps; t++) sum += w[t * kRebinStrip + k] * rows[i + strip->base + t][k];
          g[i * g_stride + k] = sum;
        }
      continue;
    }
    for (int s = 0; s < kRebinStrip; s += W) {
      int64_t i = 0;
      for (; i + 4 <= views; i += 4) {
        const float* const* row = rows + i + strip->base;
        V<W> a = {}, b = {}, c = {}, d = {};
        for (int64_t t = 0; t < taps; t++) {
          const V<W> x = load<W>(w + t * kRebinStrip + s);
          a += x * load<W>(row[t] + first + s), b += x * load<W>(row[t + 1] + first + s);
          c += x * load<W>(row[t + 2] + first + s), d += x * load<W>(row[t + 3] + first + s);
        }
        float* out = g + i * g_stride + first + s;
        store<W>(out, a), store<W>(out + g_stride, b), store<W>(out + 2 * g_stride, c), store<W>(out + 3 * g_stride, d);
      }
      for (; i < views; i++) {
        V<W> a = {};
        for (int64_t t = 0; t < taps; t++)
          a += load<W>(w + t * kRebinStrip + s) * load<W>(rows[i + strip->base + t] + first + s);
        store<W>(g + i * g_stride + first + s, a);
      }
    }
  }
}

// Sums of 16 bins of g; mirrored strips are turned round.
__attribute__((always_inline)) inline void rebin_strip(const float* in, const float* weights, int64_t taps,
                                                       bool mirrored, float* sums) {
  constexpr int W = kWidth < kRebinStrip ? kWidth : kRebinStrip;
  alignas(64) float lanes[kRebinStrip];
  float* target = mirrored ? lanes : sums;
  for (int s = 0; s < kRebinStrip; s += W) {
    V<W> sum = {};
    for (int64_t t = 0; t < taps; t++) sum += load<W>(weights + t * kRebinStrip + s) * load<W>(in + t + s);
    store<W>(target + s, sum);
  }
  if (mirrored)
    for (int l = 0; l < kRebinStrip; l++) sums[l] = lanes[kRebinStrip - 1 - l];
}

// out[view][bin] = both readings summed over g's bins; with `shares` share·first + (1 − share)·second.
static void rebin_bins(const RebinSums* halves, const float* const* g, int64_t g_stride, const float* shares,
                       int64_t bins, int64_t views, float* out) {
  const int lanes = bins < kRebinStrip ? static_cast<int>(bins) : kRebinStrip;
  for (int64_t i = 0; i < views; i++)
    for (int64_t strip = 0; strip < (bins + kRebinStrip - 1) / kRebinStrip; strip++) {
      alignas(64) float sums[2][kRebinStrip];
      int64_t at = 0;
      for (int h = 0; h < 2; h++) {
        const RebinStrip& s = halves[h].strips[strip];
        rebin_strip(g[h] + i * g_stride + s.base, halves[h].weights + s.weights, s.taps, halves[h].mirrored, sums[h]);
        at = i * bins + s.first;
      }
      if (shares)
        for (int l = 0; l < lanes; l++) out[at + l] = sums[1][l] + shares[at + l] * (sums[0][l] - sums[1][l]);
      else
        for (int l = 0; l < lanes; l++) out[at + l] = sums[0][l] + sums[1][l];
    }
}
