constexpr double kWidestLook = 28;  // bins that a tile may span: two more rays on the left and one on the right fit 32

// How each view of a chunk looks from a tile. In double, several views at a time; a bin is found by division, which rounds to
// within 1e-6 of a bin, and a ray that is missed or taken for its neighbour by so little has a weight of 1e-6.
template <Beam B>
__attribute__((always_inline)) inline bool look_for_transpose(const ViewTable& g, const TransposeLines& tile,
                                                              TransposeLook& look) {
  const bool by_rows = tile.by_rows;
  const double x = g.grid.x0 + double(by_rows ? tile.first_position : tile.first_line) * g.grid.dx;
  const double y = g.grid.y0 - double(by_rows ? tile.first_line : tile.first_position) * g.grid.dy;
  const double dx = g.grid.dx, dy = g.grid.dy, centre = g.centre, sod = g.sod, pitch = g.pitch;
  const double lines = tile.lines - 1, positions = tile.positions - 1;
  const double *ux = g.ux + tile.first_view, *uy = g.uy + tile.first_view;
  const double widest = B == Beam::arc ? smaller(kWidestLook - 1, kFarthest / __builtin_fabs(pitch)) : kWidestLook;
  int too_wide = 0;
  for (int64_t v = 0; v < tile.views; v++) {
    const double n0 = x * ux[v] + y * uy[v], nr = -dy * uy[v], nc = dx * ux[v];
    const double nl = by_rows ? nr : nc, np = by_rows ? nc : nr;
    if (B == Beam::parallel) {
      const double t0 = n0 / pitch + centre, tl = nl / pitch, tp = np / pitch;
      const double base = clamped_base(t0 + smaller(0, lines * tl) + smaller(0, positions * tp) - 0.01, g.bins);
      too_wide |= lines * __builtin_fabs(tl) + positions * __builtin_fabs(tp) > widest;
      look.a0[v] = float(t0 - base), look.al[v] = float(tl), look.ap[v] = float(tp);
      look.nearest[v] = 1;
      look.base[v] = int32_t(base);
      continue;
    }
    const double d0 = sod - x * uy[v] + y * ux[v], dr = -dy * ux[v], dc = -dx * uy[v];
    const double dl = by_rows ? dr : dc, dp = by_rows ? dc : dr;
    const double d01 = d0 + positions * dp, d10 = d0 + lines * dl, d11 = d10 + positions * dp;
    const double q00 = n0 / d0, q01 = (n0 + positions * np) / d01, q10 = (n0 + lines * nl) / d10,
                 q11 = (n0 + lines * nl + positions * np) / d11;
    const double least = smaller(smaller(q00, q01), smaller(q10, q11)),
                 most = larger(larger(q00, q01), larger(q10, q11));
    double from, to;
    if (B == Beam::flat)
      from = least * sod / pitch, to = most * sod / pitch;
    else
      from = double(arctangent(float(least))) / pitch, to = double(arctangent(float(most))) / pitch;
    const double base = clamped_base(smaller(from, to) + centre - 0.01, g.bins);
    too_wide |= !(__builtin_fabs(to - from) <= widest);
    look.base[v] = int32_t(base);
    look.nearest[v] = float(smaller(smaller(d0, d01), smaller(d10, d11)) / sod);
    if (B == Beam::flat) {
      const double k = sod / pitch, shift = centre - base;
      look.a0[v] = float((k * n0 + shift * d0) / sod);
      look.al[v] = float((k * nl + shift * dl) / sod), look.ap[v] = float((k * np + shift * dp) / sod);
      look.b0[v] = float(d0 / sod), look.bl[v] = float(dl / sod), look.bp[v] = float(dp / sod);
    } else {
      // the frame turned so that bin `base` is its middle
      const int64_t at = int64_t(base) + kMargin;
      const double c = g.cosines[at] / sod, s = g.sines[at] / sod, per_pitch = 1 / pitch;
      look.a0[v] = float((n0 * c - d0 * s) * per_pitch);
      look.al[v] = float((nl * c - dl * s) * per_pitch), look.ap[v] = float((np * c - dp * s) * per_pitch);
      look.b0[v] = float(d0 * c + n0 * s), look.bl[v] = float(dl * c + nl * s), look.bp[v] = float(dp * c + np * s);
    }
  }
  return !too_wide;
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
    const float* spacing = task.spacing + v * task.spacing_stride + from;
    const __m512 spaces = _mm512_set1_ps(task.spacing[v * task.spacing_stride]);
    __m512 q0 = _mm512_loadu_ps(spacing), q1 = _mm512_loadu_ps(spacing + 16);
    if (B == Beam::arc)
      q0 = _mm512_mul_ps(q0, _mm512_loadu_ps(cosines)), q1 = _mm512_mul_ps(q1, _mm512_loadu_ps(cosines + 16));
    const __m512 t0 = _mm512_loadu_ps(tangents), t1 = _mm512_loadu_ps(tangents + 16);
    const __m512 al = _mm512_set1_ps(look.al[v]);
    const __m512 a = _mm512_fmadd_ps(steps, _mm512_set1_ps(look.ap[v]), _mm512_set1_ps(look.a0[v]));
    __m512 b, bl;
    if (B != Beam::parallel) {
      bl = _mm512_set1_ps(look.bl[v]);
      b = _mm512_fmadd_ps(steps, _mm512_set1_ps(look.bp[v]), _mm512_set1_ps(look.b0[v]));
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      // counted from the tile's first line, so that all S and R round alike
      const __m512 line = _mm512_set1_ps(kSteps[first_line + r]), n = _mm512_fmadd_ps(line, al, a);
      __m512 d, t = n;
      if (B != Beam::parallel) {
        d = _mm512_fmadd_ps(line, bl, b);
        __m512 inverse = _mm512_rcp14_ps(d);
        inverse = _mm512_mul_ps(inverse, _mm512_fnmadd_ps(d, inverse, _mm512_set1_ps(2)));
        t = _mm512_mul_ps(t, inverse);
      }
      if (B == Beam::arc) {
        // atan(z)/pitch with z = t·pitch, |z| ≤ 0.1
        const __m512 z2 = _mm512_mul_ps(_mm512_mul_ps(t, t), _mm512_set1_ps(task.pitch_squared));
        const __m512 series = _mm512_fmadd_ps(z2, _mm512_fnmadd_ps(z2, _mm512_set1_ps(1 / 7.0f), _mm512_set1_ps(0.2f)),
                                              _mm512_set1_ps(-1 / 3.0f));
        t = _mm512_fmadd_ps(_mm512_mul_ps(t, z2), series, t);
      }
      const __m512i at = whole_part<K == 3 ? _MM_FROUND_TO_NEAREST_INT : _MM_FROUND_TO_NEG_INF>(t);
      __m512i ray[K];
      __m512 weight[K], fraction;
      if (B == Beam::parallel)
        fraction = _mm512_sub_ps(t, _mm512_sub_ps(_mm512_castsi512_ps(at), _mm512_set1_ps(8388608.0f)));
#pragma GCC unroll 4
      for (int j = 0; j < K; j++) {
        const int after = j - kBefore;
        const bool nearest = K == 3 && after == 0;
        ray[j] = j == 0 ? at : _mm512_add_epi32(at, _mm512_set1_epi32(j));
        __m512 away = fraction, q = spaces, rest = one;  // weight = rest ∓ away·q
        if (B == Beam::parallel) {
          rest = _mm512_fmadd_ps(_mm512_set1_ps(float(after > 0 ? -after : after)), q, one);
        } else {
          q = _mm512_permutex2var_ps(q0, ray[j], q1);
          away = _mm512_fnmadd_ps(_mm512_permutex2var_ps(t0, ray[j], t1), d, n);
        }
        if (nearest) away = _mm512_abs_ps(away);
        weight[j] = after <= 0 ? _mm512_fnmadd_ps(away, q, rest) : _mm512_fmadd_ps(away, q, rest);
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
