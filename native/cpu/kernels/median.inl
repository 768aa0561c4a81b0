// A row of native/ops/median.h; `centre` has margins of `radius` and a vector behind.

static void median_row(const float* centre, int64_t stride, int radius, int64_t columns, float* output) {
  constexpr int W = kWidth, kMost = 2 * kMostMedianRadius + 1;
  const int side = 2 * radius + 1, n = side * side;
  for (int64_t x = 0; x < columns; x += W) {
    V<W> values[kMost * kMost / 2 + 2];
    const float* first = centre + x - radius * stride - radius;
    const auto value = [&](int k) { return load<W>(first + k / side * stride + k % side); };
    int next = n == 1 ? 1 : n / 2 + 2;
    for (int k = 0; k < next; k++) values[k] = value(k);
    // the least to the front, the largest to the back; a new value takes the front, the back is forgotten
    for (int count = next; count >= 3; count--) {
      for (int i = 0, j = count - 1; i < j; i++, j--) {
        const V<W> a = values[i], b = values[j];
        values[i] = a < b ? a : b;
        values[j] = a < b ? b : a;
      }
      for (int i = 1; i <= (count - 1) / 2; i++) {
        const V<W> a = values[0], b = values[i];
        values[0] = a < b ? a : b;
        values[i] = a < b ? b : a;
      }
      for (int j = count / 2; j < count - 1; j++) {
        const V<W> a = values[j], b = values[count - 1];
        values[j] = a < b ? a : b;
        values[count - 1] = a < b ? b : a;
      }
      if (count > 3) values[0] = value(next++);
    }
    const V<W> middle = values[n == 1 ? 0 : 1];
    if (x + W <= columns)
      store<W>(output + x, middle);
    else
      for (int64_t i = x; i < columns; i++) output[i] = middle[i - x];
  }
}
