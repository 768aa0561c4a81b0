// Rows of native/ops/total_variation.h. Plain loops, which the compiler vectorises: the first and the last column are done apart.

// x of one row: z − λ·c·∇ᵀq, clipped. x may be z.
static void variation_primal(const TotalVariationRow& row, float* x) {
  const float *qx = row.qx, *qy = row.qy, *above = row.qy - row.columns, *z = row.z, *c = row.c;
  const float weight = row.weight, low = row.low, high = row.high;
  const auto clipped = [=](float value) {
    const float raised = value < low ? low : value;
    return raised > high ? high : raised;
  };
  const bool first = row.first;
  const float corner = (first ? 0.0f : above[0]) - qx[0] - qy[0];
  x[0] = clipped(z[0] - weight * (c ? c[0] : 1.0f) * corner);
  if (c)
    for (int64_t i = 1; i < row.columns; i++)
      x[i] = clipped(z[i] - weight * c[i] * (((first ? 0.0f : above[i]) - qx[i]) - qy[i] + qx[i - 1]));
  else if (first)
    for (int64_t i = 1; i < row.columns; i++) x[i] = clipped(z[i] - weight * (qx[i - 1] - qx[i] - qy[i]));
  else
    for (int64_t i = 1; i < row.columns; i++) x[i] = clipped(z[i] - weight * ((above[i] - qx[i]) - qy[i] + qx[i - 1]));
}

// p and the next q of one row, from x of the row and of the one below (null for the last row). In a plane `next` may not be q, in a volume it is.
template <bool kVolume>
static void variation_dual(const TotalVariationRow& row, const float* __restrict x, const float* __restrict below,
                           float momentum, float* __restrict px, float* __restrict py, float* __restrict next_x,
                           float* __restrict next_y, const VariationDepth& depth) {
  const int64_t n = row.columns;
  const float *qx = kVolume ? next_x : row.qx, *qy = kVolume ? next_y : row.qy, *c = kVolume ? nullptr : row.c;
  const float* __restrict behind = depth.behind;
  float* __restrict pz = depth.pz, * __restrict qz = depth.qz;
  const float ratio = depth.ratio, quarter = 0.25f / row.weight;
  for (int64_t i = 0; i < n; i++) {
    float step = kVolume ? quarter / (2 + ratio * ratio) : 0.5f * quarter;
    if (c) {
      const float right = i + 1 < n ? c[i + 1] : 0.0f, down = below ? c[n + i] : 0.0f;
      const float sum = c[i] + (right > down ? right : down);
      step = sum > 0 ? quarter / sum : 0.0f;
    }
    const float gx = i + 1 < n ? x[i + 1] - x[i] : 0.0f, gy = below ? below[i] - x[i] : 0.0f;
    const float tx = qx[i] + step * gx, ty = qy[i] + step * gy;
    const float tz = kVolume ? qz[i] + step * ratio * (behind ? behind[i] - x[i] : 0.0f) : 0.0f;
    const float square = tx * tx + ty * ty + (kVolume ? tz * tz : 0.0f),
                size = square > 1 ? __builtin_sqrtf(square) : 1.0f, scale = 1 / size;
    const float newx = tx * scale, newy = ty * scale;
    next_x[i] = newx + momentum * (newx - px[i]);
    next_y[i] = newy + momentum * (newy - py[i]);
    px[i] = newx;
    py[i] = newy;
    if (kVolume) {
      const float newz = tz * scale;
      qz[i] = newz + momentum * (newz - pz[i]);
      pz[i] = newz;
    }
  }
}
