// A band of native/ops/nonlocal.h: shift after shift, every row of squared differences is made once and stays in a ring of 2·patch + 1.

static void nonlocal_band(const NonLocalBand& band) {
  constexpr int W = kWidth;
  const int64_t columns = band.columns, patch = band.patch, taps = 2 * patch + 1;
  const int64_t wide = (columns + 2 * patch + W - 1) / W * W, line = wide + W;
  float *numerator = band.work, *denominator = numerator + band.rows * line, *ring = denominator + band.rows * line;
  float* down = ring + taps * line;
  if (band.first) __builtin_memset(band.work, 0, sizeof(float) * (2 * band.rows + taps + 1) * line);
  for (int64_t dy = -band.search; dy <= band.search; dy++)
    for (int64_t dx = -band.search; dx <= band.search; dx++) {
      const float far = (float(dy * dy + dx * dx) + band.away) * band.spread;
      for (int64_t y = -patch; y < band.rows + patch; y++) {
        const float *here = band.image + y * band.stride - patch,
                    *there = band.other + (y + dy) * band.stride + dx - patch;
        float* squares = ring + (y + patch) % taps * line;
        for (int64_t x = 0; x < wide; x += W) {
          const V<W> d = load<W>(here + x) - load<W>(there + x);
          store<W>(squares + x, d * d);
        }
        if (y < patch) continue;
        const int64_t row = y - patch;
        const float* sums = squares;
        if (patch > 0) {
          for (int64_t x = 0; x < wide; x += W) {
            V<W> sum = {};
            for (int64_t k = 0; k < taps; k++) sum += band.weights[k] * load<W>(ring + (row + k) % taps * line + x);
            store<W>(down + x, sum);
          }
          sums = down;
        }
        const float* value = band.other + (row + dy) * band.stride + dx;
        float *top = numerator + row * line, *bottom = denominator + row * line;
        for (int64_t x = 0; x < columns; x += W) {
          V<W> d = {};
          for (int64_t k = 0; k < taps; k++) d += band.weights[k] * load<W>(sums + x + k);
          d -= band.variance;
          d = d < 0.0f ? V<W>{} : d;
          const V<W> exponent = -(d * band.inverse) - far, w = exp_of_negative<W>(exponent);
          store<W>(top + x, load<W>(top + x) + w * load<W>(value + x));
          store<W>(bottom + x, load<W>(bottom + x) + w);
        }
      }
    }
  for (int64_t y = 0; band.last && y < band.rows; y++)
    for (int64_t x = 0; x < columns; x++)
      band.output[y * columns + x] = numerator[y * line + x] / denominator[y * line + x];
}
