constexpr double kFarthest = 0.1;  // rad that a tile may span on an arc: the series below ends at z⁵

__attribute__((always_inline)) inline double clamped_base(double low, int64_t bins) {
  const double base = __builtin_floor(low);
  const double at_least = base < -double(kMargin - 1) ? -double(kMargin - 1) : base;
  return at_least > double(bins + 1) ? double(bins + 1) : at_least;
}

__attribute__((always_inline)) inline double smaller(double a, double b) { return a < b ? a : b; }
__attribute__((always_inline)) inline double larger(double a, double b) { return a > b ? a : b; }

template <Beam B>
__attribute__((always_inline)) inline bool look_at(const ViewTable& g, int64_t first, int64_t count, double x, double y,
                                                   int rows, int columns, ChunkView& look) {
  constexpr double room = 30;
  const double r1 = rows - 1, c1 = columns - 1;
  const double dx = g.grid.dx, dy = g.grid.dy, centre = g.centre, per_pitch = 1 / g.pitch, sod = g.sod,
               per_sod = 1 / sod;
  const double widest = B == Beam::arc ? smaller(room, kFarthest / __builtin_fabs(g.pitch)) : room;
  const double *ux = g.ux + first, *uy = g.uy + first;
  int too_wide = 0;
  for (int64_t v = 0; v < count; v++) {
    // n = x·û and d = sod + x·d̂ at the first pixel, and their steps
    const double n0 = x * ux[v] + y * uy[v], nr = -dy * uy[v], nc = dx * ux[v];
    if (B == Beam::parallel) {
      const double t0 = n0 * per_pitch + centre, tr = nr * per_pitch, tc = nc * per_pitch;
      const double low = t0 + smaller(0, r1 * tr) + smaller(0, c1 * tc);
      const double base = clamped_base(low, g.bins);
      too_wide |= r1 * __builtin_fabs(tr) + c1 * __builtin_fabs(tc) > widest;
      look.a0[v] = float(t0 - base), look.ar[v] = float(tr), look.ac[v] = float(tc);
      look.base[v] = int32_t(base);
      continue;
    }
    const double d0 = sod - x * uy[v] + y * ux[v], dr = -dy * ux[v], dc = -dx * uy[v];
    // n/d is monotone along every line, so its extremes over the tile are at its corners
    const double q00 = n0 / d0, q01 = (n0 + c1 * nc) / (d0 + c1 * dc), q10 = (n0 + r1 * nr) / (d0 + r1 * dr);
    const double q11 = (n0 + r1 * nr + c1 * nc) / (d0 + r1 * dr + c1 * dc);
    const double least = smaller(smaller(q00, q01), smaller(q10, q11)),
                 most = larger(larger(q00, q01), larger(q10, q11));
    if (B == Beam::flat) {
      const double k = sod * per_pitch, low = smaller(k * least, k * most) + centre;
      const double base = clamped_base(low, g.bins), shift = centre - base;
      too_wide |= __builtin_fabs(k * (most - least)) > widest;
      look.a0[v] = float((k * n0 + shift * d0) * per_sod);
      look.ar[v] = float((k * nr + shift * dr) * per_sod), look.ac[v] = float((k * nc + shift * dc) * per_sod);
      look.b0[v] = float(d0 * per_sod), look.br[v] = float(dr * per_sod), look.bc[v] = float(dc * per_sod);
      look.base[v] = int32_t(base);
    } else {
      // any whole bin near the lowest will do as base, for what is left is measured from it exactly
      const double from = double(arctangent(float(least))) * per_pitch,
                   to = double(arctangent(float(most))) * per_pitch;
      const double base = clamped_base(smaller(from, to) + centre - 0.01, g.bins);
      too_wide |= __builtin_fabs(to - from) > widest - 1;
      const int64_t at = int64_t(base) + kMargin;
      const double c = g.cosines[at] * per_sod, s = g.sines[at] * per_sod;
      look.a0[v] = float(n0 * c - d0 * s), look.ar[v] = float(nr * c - dr * s), look.ac[v] = float(nc * c - dc * s);
      look.b0[v] = float(d0 * c + n0 * s), look.br[v] = float(dr * c + nr * s), look.bc[v] = float(dc * c + nc * s);
      look.base[v] = int32_t(base);
    }
  }
  return !too_wide;
}

static bool look_from_tile(const ViewTable& table, int64_t first, int64_t count, double x, double y, int rows,
                           int columns, ChunkView& look) {
  switch (table.beam) {
    case Beam::parallel:
      return look_at<Beam::parallel>(table, first, count, x, y, rows, columns, look);
    case Beam::flat:
      return look_at<Beam::flat>(table, first, count, x, y, rows, columns, look);
    default:
      return look_at<Beam::arc>(table, first, count, x, y, rows, columns, look);
  }
}

template <Beam B, int R>  // R rows, of which task.rows are live
__attribute__((always_inline)) inline void window_rows(const WindowTile& task) {
  const __mmask16 live = static_cast<__mmask16>((1u << task.columns) - 1);
  __m512 sum[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
    sum[r] = task.first || r >= task.rows ? _mm512_setzero_ps()
                                          : _mm512_maskz_loadu_ps(live, task.image + r * task.image_stride);
  const __m512 steps = _mm512_load_ps(kSteps), two = _mm512_set1_ps(2), one = _mm512_set1_ps(1);
  const __m512 per_pitch = _mm512_set1_ps(task.inverse_pitch);
  const ChunkView& look = *task.look;
  const float* row = task.filtered;
  for (int64_t v = 0; v < task.views; v++, row += task.view_stride) {
    const Window window = window_at(row + look.base[v]);
    const __m512 a = _mm512_fmadd_ps(steps, _mm512_set1_ps(look.ac[v]), _mm512_set1_ps(look.a0[v]));
    const __m512 ar = _mm512_set1_ps(look.ar[v]);
    __m512 b, br;
    if (B != Beam::parallel) {
      b = _mm512_fmadd_ps(steps, _mm512_set1_ps(look.bc[v]), _mm512_set1_ps(look.b0[v]));
      br = _mm512_set1_ps(look.br[v]);
    }
    // each row from the first by its own multiply-add: a running sum would be one long chain
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      __m512 t = r == 0 ? a : _mm512_fmadd_ps(_mm512_set1_ps(float(r)), ar, a);
      if (B == Beam::parallel) {
        sum[r] = _mm512_add_ps(sum[r], interpolated(window, t));
        continue;
      }
      const __m512 d = r == 0 ? b : _mm512_fmadd_ps(_mm512_set1_ps(float(r)), br, b);
      __m512 inverse = _mm512_rcp14_ps(d);
      inverse = _mm512_mul_ps(inverse, _mm512_fnmadd_ps(d, inverse, two));
      t = _mm512_mul_ps(t, inverse);
      __m512 weight = _mm512_mul_ps(inverse, inverse);
      if (B == Beam::arc) {
        // 1/(a² + b²) = (1/b²)/(1 + z²) and atan z for |z| ≤ 0.1, both to 1e-7 of a pitch of 1e-3
        const __m512 q = _mm512_mul_ps(t, t);
        weight = _mm512_mul_ps(weight, _mm512_fnmadd_ps(q, _mm512_fnmadd_ps(q, _mm512_sub_ps(one, q), one), one));
        const __m512 series = _mm512_fmadd_ps(q, _mm512_fnmadd_ps(q, _mm512_set1_ps(1 / 7.0f), _mm512_set1_ps(0.2f)),
                                              _mm512_set1_ps(-1 / 3.0f));
        t = _mm512_mul_ps(_mm512_fmadd_ps(_mm512_mul_ps(t, q), series, t), per_pitch);
      }
      sum[r] = _mm512_fmadd_ps(weight, interpolated(window, t), sum[r]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
    if (r < task.rows) _mm512_mask_storeu_ps(task.image + r * task.image_stride, live, sum[r]);
}

template <Beam B>
__attribute__((always_inline)) inline void window_tile(const WindowTile& task) {
  if (task.rows > 8) return window_rows<B, 16>(task);
  return task.rows > 4 ? window_rows<B, 8>(task) : window_rows<B, 4>(task);
}

static void backproject_window(const WindowTile& tile) {
  switch (tile.beam) {
    case Beam::parallel:
      return window_tile<Beam::parallel>(tile);
    case Beam::flat:
      return window_tile<Beam::flat>(tile);
    default:
      return window_tile<Beam::arc>(tile);
  }
}
