constexpr double kWidestLook = 28;  // bins that a tile may span: two more rays on the left and one on the right fit 32

// How each view of a chunk looks from a tile. In double, eight views at a time; a bin is found to within 1e-6 of a bin, and a
// ray that is missed or taken for its neighbour by so little has a weight of 1e-6.
template <Beam B>
__attribute__((always_inline)) inline bool look_for_transpose(const ViewTable& g, const TransposeLines& tile,
                                                              TransposeLook& look) {
  const bool by_rows = tile.by_rows;
  const double x = g.grid.x0 + double(by_rows ? tile.first_position : tile.first_line) * g.grid.dx;
  const double y = g.grid.y0 - double(by_rows ? tile.first_line : tile.first_position) * g.grid.dy;
  const double dx = g.grid.dx, dy = g.grid.dy;
  const double widest = B == Beam::arc ? smaller(kWidestLook - 1, kFarthest / __builtin_fabs(g.pitch)) : kWidestLook;
  const __m512d lines = all(tile.lines - 1), positions = all(tile.positions - 1), zero = all(0);
  const __m512d centre = all(g.centre), sod = all(g.sod), per_pitch = all(1 / g.pitch), per_sod = all(1 / g.sod);
  __m512d span = zero;
  for (int64_t v = 0; v < tile.views; v += 8) {
    const __mmask8 live = static_cast<__mmask8>(tile.views - v < 8 ? (1 << (tile.views - v)) - 1 : 255);
    const __m512d ux = _mm512_maskz_loadu_pd(live, g.ux + tile.first_view + v),
                  uy = _mm512_maskz_loadu_pd(live, g.uy + tile.first_view + v);
    const __m512d n0 = x * ux + y * uy, nr = -dy * uy, nc = dx * ux;
    const __m512d nl = by_rows ? nr : nc, np = by_rows ? nc : nr;
    __m512d base;
    if (B == Beam::parallel) {
      const __m512d t0 = n0 * per_pitch + centre, tl = nl * per_pitch, tp = np * per_pitch;
      base = clamped_base(t0 + _mm512_min_pd(zero, lines * tl) + _mm512_min_pd(zero, positions * tp) - 0.01, g.bins);
      span = _mm512_max_pd(span, lines * _mm512_abs_pd(tl) + positions * _mm512_abs_pd(tp));
      keep(look.a0 + v, t0 - base), keep(look.al + v, tl), keep(look.ap + v, tp);
      keep(look.nearest + v, all(1));
    } else {
      const __m512d d0 = sod - x * uy + y * ux, dr = -dy * ux, dc = -dx * uy;
      const __m512d dl = by_rows ? dr : dc, dp = by_rows ? dc : dr;
      const __m512d d01 = d0 + positions * dp, d10 = d0 + lines * dl, d11 = d10 + positions * dp;
      const __m512d q00 = n0 / d0, q01 = (n0 + positions * np) / d01, q10 = (n0 + lines * nl) / d10,
                    q11 = (n0 + lines * nl + positions * np) / d11;
      const __m512d least = _mm512_min_pd(_mm512_min_pd(q00, q01), _mm512_min_pd(q10, q11)),
                    most = _mm512_max_pd(_mm512_max_pd(q00, q01), _mm512_max_pd(q10, q11));
      const __m512d from = B == Beam::flat ? least * sod * per_pitch : angle_of(least) * per_pitch,
                    to = B == Beam::flat ? most * sod * per_pitch : angle_of(most) * per_pitch;
      base = clamped_base(_mm512_min_pd(from, to) + centre - 0.01, g.bins);
      span = _mm512_max_pd(span, _mm512_abs_pd(to - from));
      keep(look.nearest + v, _mm512_min_pd(_mm512_min_pd(d0, d01), _mm512_min_pd(d10, d11)) * per_sod);
      // the frame scaled, on an arc turned, so that bin `base` is its middle
      __m512d c = per_pitch, s = (base - centre) * per_sod, along = per_sod, across = zero, unit = all(1);
      if (B == Beam::arc) {
        const __m256i at = _mm256_add_epi32(_mm512_cvtpd_epi32(base), _mm256_set1_epi32(kMargin));
        along = _mm512_i32gather_pd(at, g.cosines, 8) * per_sod, across = _mm512_i32gather_pd(at, g.sines, 8) * per_sod;
        c = along, s = across, unit = per_pitch;
      }
      keep(look.a0 + v, (n0 * c - d0 * s) * unit);
      keep(look.al + v, (nl * c - dl * s) * unit), keep(look.ap + v, (np * c - dp * s) * unit);
      keep(look.b0 + v, d0 * along + n0 * across);
      keep(look.bl + v, dl * along + nl * across), keep(look.bp + v, dp * along + np * across);
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(look.base + v), _mm512_cvtpd_epi32(base));
  }
  return _mm512_reduce_max_pd(span) <= widest;
}

static bool transpose_look(const ViewTable& table, const TransposeLines& tile, TransposeLook& look) {
  switch (table.beam) {
    case Beam::parallel:
      return look_for_transpose<Beam::parallel>(table, tile, look);
    case Beam::flat:
      return look_for_transpose<Beam::flat>(table, tile, look);
    default:
      return look_for_transpose<Beam::arc>(table, tile, look);
  }
}

template <int Rounding>
__attribute__((always_inline)) inline __m512i whole_part(__m512 t) {
  return _mm512_castps_si512(_mm512_add_round_ps(t, _mm512_set1_ps(8388608.0f), Rounding | _MM_FROUND_NO_EXC));
}

// R lines of 16 pixels of S planes. A pixel is touched by the K nearest rays at most: two or four about it, or three of which
// the middle one is the nearest.
template <Beam B, int K, int S, int R>
__attribute__((always_inline)) inline void transpose_lines(const TransposeTile& task, int first_line, int plane) {
  constexpr int kBefore = (K - 1) / 2;  // rays before the one at the whole part of a place
  const __mmask16 live = static_cast<__mmask16>((1u << task.positions) - 1);
  const int lines = task.lines - first_line;
  float* image = task.image + plane * task.image_plane_stride + first_line * task.image_stride;
  __m512 sum[R][S];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int s = 0; s < S; s++)
      sum[r][s] = r < lines ? _mm512_maskz_loadu_ps(live, image + s * task.image_plane_stride + r * task.image_stride)
                            : _mm512_setzero_ps();
  const TransposeLook& look = *task.look;
  const __m512 steps = _mm512_load_ps(kSteps), one = _mm512_set1_ps(1), zero = _mm512_setzero_ps();
  const __m512 curve = _mm512_set1_ps(task.pitch_squared * (1 / 3.0f));
  const float *tangents = task.tangents + 1 - kBefore, *cosines = task.cosines + 1 - kBefore;
  for (int i = 0; i < task.count; i++) {
    const int v = task.list[i];
    // the window begins with the farthest ray that may touch a pixel at `base`
    const int64_t from = look.base[v] - kBefore;
    const float* values = task.values + v * task.view_stride + plane * task.plane_stride + from;
    __m512 v0[S], v1[S];
#pragma GCC unroll 4
    for (int s = 0; s < S; s++)
      v0[s] = _mm512_loadu_ps(values + s * task.plane_stride),
      v1[s] = _mm512_loadu_ps(values + s * task.plane_stride + 16);
    const __m512 al = _mm512_set1_ps(look.al[v]);
    const __m512 a0 = _mm512_set1_ps(look.a0[v]), a = _mm512_fmadd_ps(steps, _mm512_set1_ps(look.ap[v]), a0);
    const float* spacing = task.spacing + v * task.spacing_stride;
    __m512 spaces, b, bl, passed0, passed1, step0, step1, before, behind;
    if (B == Beam::parallel) {
      spaces = _mm512_set1_ps(*spacing);
    } else {
      const __m512 b0 = _mm512_set1_ps(look.b0[v]);
      bl = _mm512_set1_ps(look.bl[v]), b = _mm512_fmadd_ps(steps, _mm512_set1_ps(look.bp[v]), b0);
      __m512 q0 = _mm512_loadu_ps(spacing + from), q1 = _mm512_loadu_ps(spacing + from + 16);
      if (B == Beam::arc)
        q0 = _mm512_mul_ps(q0, _mm512_loadu_ps(cosines)), q1 = _mm512_mul_ps(q1, _mm512_loadu_ps(cosines + 16));
      // how far the line's first position is past each ray, in pixels, and the step to the next line; each position is one farther
      const __m512 t0 = _mm512_loadu_ps(tangents), t1 = _mm512_loadu_ps(tangents + 16);
      passed0 = _mm512_mul_ps(_mm512_fnmadd_ps(t0, b0, a0), q0);
      step0 = _mm512_mul_ps(_mm512_fnmadd_ps(t0, bl, al), q0);
      passed1 = _mm512_mul_ps(_mm512_fnmadd_ps(t1, b0, a0), q1);
      step1 = _mm512_mul_ps(_mm512_fnmadd_ps(t1, bl, al), q1);
      const __m512 forward = _mm512_mul_ps(steps, _mm512_set1_ps(look.ap[v] < 0 ? -1.0f : 1.0f));
      before = _mm512_sub_ps(one, forward), behind = _mm512_add_ps(one, forward);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      // counted from the tile's first line, so that all S and R round alike
      const __m512 line = _mm512_set1_ps(kSteps[first_line + r]), n = _mm512_fmadd_ps(line, al, a);
      __m512 t = n, line0, line1;
      if (B != Beam::parallel) {
        // only to find the nearest rays: within kSlackOfPlace
        t = _mm512_mul_ps(n, _mm512_rcp14_ps(_mm512_fmadd_ps(line, bl, b)));
        line0 = _mm512_fmadd_ps(line, step0, passed0), line1 = _mm512_fmadd_ps(line, step1, passed1);
      }
      if (B == Beam::arc)  // atan(z)/pitch with z = t·pitch, |z| ≤ 0.1
        t = _mm512_fnmadd_ps(_mm512_mul_ps(t, t), _mm512_mul_ps(t, curve), t);
      const __m512i at = whole_part<K == 3 ? _MM_FROUND_TO_NEAREST_INT : _MM_FROUND_TO_NEG_INF>(t);
      __m512i ray[K];
      __m512 weight[K], fraction;
      if (B == Beam::parallel)
        fraction = _mm512_sub_ps(t, _mm512_sub_ps(_mm512_castsi512_ps(at), _mm512_set1_ps(8388608.0f)));
#pragma GCC unroll 4
      for (int j = 0; j < K; j++) {
        const int after = j - kBefore;
        ray[j] = j == 0 ? at : _mm512_add_epi32(at, _mm512_set1_epi32(j));
        if (B == Beam::parallel) {
          const __m512 rest = _mm512_fmadd_ps(_mm512_set1_ps(float(after > 0 ? -after : after)), spaces, one);
          const __m512 away = K == 3 && after == 0 ? _mm512_abs_ps(fraction) : fraction;
          weight[j] = after <= 0 ? _mm512_fnmadd_ps(away, spaces, rest) : _mm512_fmadd_ps(away, spaces, rest);
        } else {
          const __m512 passed = _mm512_permutex2var_ps(line0, ray[j], line1);
          weight[j] = after <= 0 ? _mm512_sub_ps(before, passed) : _mm512_add_ps(behind, passed);
          // so close that it may lie on the other side
          if (after == 0 || (K != 3 && after == 1))
            weight[j] =
                _mm512_min_ps(weight[j], after == 0 ? _mm512_add_ps(behind, passed) : _mm512_sub_ps(before, passed));
        }
        // the spacing of a fan changes under a tile, so that even the nearest ray may pass farther off
        if (B != Beam::parallel || j == 0 || j == K - 1) weight[j] = _mm512_max_ps(weight[j], zero);
      }
#pragma GCC unroll 4
      for (int s = 0; s < S; s++)
#pragma GCC unroll 4
        for (int j = 0; j < K; j++)
          sum[r][s] = _mm512_fmadd_ps(weight[j], _mm512_permutex2var_ps(v0[s], ray[j], v1[s]), sum[r][s]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int s = 0; s < S; s++)
      if (r < lines)
        _mm512_mask_storeu_ps(image + s * task.image_plane_stride + r * task.image_stride, live, sum[r][s]);
}

template <Beam B, int K>
__attribute__((always_inline)) inline void transpose_planes(const TransposeTile& task) {
  int plane = 0;
  for (; plane + 4 <= task.planes; plane += 4)
    for (int line = 0; line < task.lines; line += 4) transpose_lines<B, K, 4, 4>(task, line, plane);
  for (; plane + 2 <= task.planes; plane += 2)
    for (int line = 0; line < task.lines; line += 8) transpose_lines<B, K, 2, 8>(task, line, plane);
  for (; plane < task.planes; plane++)
    for (int line = 0; line < task.lines; line += 8) transpose_lines<B, K, 1, 8>(task, line, plane);
}

template <Beam B>
__attribute__((always_inline)) inline void transpose_beam(const TransposeTile& task) {
  if (task.touching == 2) return transpose_planes<B, 2>(task);
  return task.touching == 3 ? transpose_planes<B, 3>(task) : transpose_planes<B, 4>(task);
}

static void transpose_tile(const TransposeTile& task) {
  switch (task.beam) {
    case Beam::parallel:
      return transpose_beam<Beam::parallel>(task);
    case Beam::flat:
      return transpose_beam<Beam::flat>(task);
    default:
      return transpose_beam<Beam::arc>(task);
  }
}
