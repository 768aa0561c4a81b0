// windows.h for registers of 16 floats. Included by kernels_avx512.cc, inside its namespace.

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

template <Beam B>
__attribute__((always_inline)) inline void find_rays(const ViewTable& g, int64_t view, const ViewRays& rays) {
  const double ux = g.ux[view], uy = g.uy[view], dx = g.grid.dx, dy = g.grid.dy, x0 = g.grid.x0, y0 = g.grid.y0;
  const double source_x = g.sod * uy, source_y = -g.sod * ux;
  const double *cosines = g.cosines + kMargin, *sines = g.sines + kMargin;
  for (int64_t k = 0; k < g.bins; k++) {
    const double u = (double(k) - g.centre) * g.pitch;
    double px = source_x, py = source_y, vx, vy;
    if (B == Beam::parallel)
      px = u * ux, py = u * uy, vx = -uy, vy = ux;
    else if (B == Beam::flat)
      vx = u * ux - source_x, vy = u * uy - source_y;
    else
      vx = sines[k] * ux - cosines[k] * uy, vy = sines[k] * uy + cosines[k] * ux;
    const bool along_rows = __builtin_fabs(vy) * dx >= __builtin_fabs(vx) * dy;
    const double across = along_rows ? vx : vy, along = along_rows ? vy : vx, q = across / along;
    const double start = along_rows ? px + (y0 - py) * q - x0 : y0 - py - (x0 - px) * q;
    const double pixel = along_rows ? dx : dy, line = along_rows ? dy : dx;
    rays.start[k] = start / pixel;
    rays.slope[k] = -line * q / pixel;
    rays.weight[k] = float(line * __builtin_sqrt(vx * vx + vy * vy) / __builtin_fabs(along));
    rays.along_rows[k] = along_rows;
  }
}

static void rays_of_view(const ViewTable& table, int64_t view, const ViewRays& rays) {
  switch (table.beam) {
    case Beam::parallel:
      return find_rays<Beam::parallel>(table, view, rays);
    case Beam::flat:
      return find_rays<Beam::flat>(table, view, rays);
    default:
      return find_rays<Beam::arc>(table, view, rays);
  }
}

// Sixteen lines at a time: where the window of each line begins and where the first ray of each view lies in it, in double;
// then line by line all views from the same two registers.
template <int G, bool Fan>
__attribute__((always_inline)) inline void project_group(const WindowRays& rays) {
  constexpr int kBlock = 16, kAhead = 6;  // lines at a time; lines that are fetched early, one per page
  __m512 sum[G];
  for (int g = 0; g < G; g++) sum[g] = _mm512_setzero_ps();
  __m512d place[G][2];
  alignas(64) int32_t offset[kBlock + kAhead] = {};
  alignas(64) float in_window[G][kBlock];
  const __m512d least = _mm512_set1_pd(1 - double(kMargin)), most = _mm512_set1_pd(double(rays.positions + 1));
  for (int m0 = rays.first; m0 < rays.last; m0 += kBlock) {
    __m512d base[2] = {most, most};
    for (int g = 0; g < G; g++)
      for (int h : {0, 1}) {
        const __m512d m = _mm512_add_pd(_mm512_set1_pd(m0 + 8 * h), _mm512_set_pd(7, 6, 5, 4, 3, 2, 1, 0));
        place[g][h] = _mm512_fmadd_pd(m, _mm512_set1_pd(rays.slope[g]), _mm512_set1_pd(rays.start[g]));
        const __m512d step =
            _mm512_fmadd_pd(m, _mm512_set1_pd(rays.slope_step[g][15]), _mm512_set1_pd(rays.start_step[g][15]));
        base[h] = _mm512_min_pd(base[h], _mm512_min_pd(place[g][h], _mm512_add_pd(place[g][h], step)));
      }
    for (int h : {0, 1}) {
      base[h] = _mm512_max_pd(_mm512_floor_pd(base[h]), least);
      _mm256_store_si256(reinterpret_cast<__m256i*>(offset + 8 * h), _mm512_cvttpd_epi32(base[h]));
      for (int g = 0; g < G; g++)
        _mm256_store_ps(in_window[g] + 8 * h, _mm512_cvtpd_ps(_mm512_sub_pd(place[g][h], base[h])));
    }
    const int count = rays.last - m0 < kBlock ? rays.last - m0 : kBlock;
    const float* line = rays.lines + m0 * rays.line_stride;
    for (int j = 0; j < count; j++, line += rays.line_stride) {
      const float* ahead = line + kAhead * rays.line_stride + offset[j + kAhead];
      __builtin_prefetch(ahead), __builtin_prefetch(ahead + 16), __builtin_prefetch(ahead + 31);
      const Window window = window_at(line + offset[j]);
      const __m512 m = _mm512_set1_ps(float(m0 + j));
#pragma GCC unroll 8
      for (int g = 0; g < G; g++) {
        __m512 t = _mm512_add_ps(_mm512_load_ps(rays.start_step[g]), _mm512_set1_ps(in_window[g][j]));
        if (Fan) t = _mm512_fmadd_ps(_mm512_load_ps(rays.slope_step[g]), m, t);
        sum[g] = _mm512_add_ps(sum[g], interpolated(window, t));
      }
    }
  }
  const __mmask16 live = static_cast<__mmask16>((1u << rays.count) - 1);
  for (int g = 0; g < G; g++)
    _mm512_mask_storeu_ps(rays.output[g], live, _mm512_mul_ps(sum[g], _mm512_load_ps(rays.weight[g])));
}

template <int G>
__attribute__((always_inline)) inline void project_group(const WindowRays& rays) {
  rays.fan ? project_group<G, true>(rays) : project_group<G, false>(rays);
}

static void joseph_window(const WindowRays& rays) {
  switch (rays.views) {
    case 8:
      return project_group<8>(rays);
    case 4:
      return project_group<4>(rays);
    case 2:
      return project_group<2>(rays);
    default:
      return project_group<1>(rays);
  }
}

const WindowKernels window_kernels = {rays_of_view, joseph_window, look_from_tile, backproject_window};
