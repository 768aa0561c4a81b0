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

// What sixteen values in double add to the first, rounded; zero beyond `live`.
__attribute__((always_inline)) inline __m512 steps_from_first(const double* values, __mmask16 live) {
  const __m512d first = _mm512_set1_pd(values[0]);
  const __mmask8 low = static_cast<__mmask8>(live), high = static_cast<__mmask8>(live >> 8);
  const __m512d a = _mm512_maskz_sub_pd(low, _mm512_maskz_loadu_pd(low, values), first);
  const __m512d b = _mm512_maskz_sub_pd(high, _mm512_maskz_loadu_pd(high, values + 8), first);
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(a)), _mm512_cvtpd_ps(b), 1);
}

// Sixteen lines at a time: where the window of each line begins and where the first ray of each view lies in it, in double;
// then line by line all views from the same two registers.
template <int G, bool Fan>
__attribute__((always_inline)) inline void project_group(const WindowRays& rays) {
  constexpr int kBlock = 16, kAhead = 6;  // lines at a time; lines that are fetched early, one per page
  const __mmask16 live = static_cast<__mmask16>((1u << rays.count) - 1);
  const int end = rays.count - 1;
  __m512 sum[G], start_step[G], slope_step[G];
  for (int g = 0; g < G; g++) {
    sum[g] = _mm512_setzero_ps();
    start_step[g] = steps_from_first(rays.start[g], live);
    if (Fan) slope_step[g] = steps_from_first(rays.slope[g], live);
  }
  __m512d place[G][2];
  alignas(64) int32_t offset[kBlock + kAhead] = {};
  alignas(64) float in_window[G][kBlock];
  const __m512d least = _mm512_set1_pd(1 - double(kMargin)), most = _mm512_set1_pd(double(rays.positions + 1));
  for (int m0 = rays.first; m0 < rays.last; m0 += kBlock) {
    __m512d base[2] = {most, most};
    for (int g = 0; g < G; g++)
      for (int h : {0, 1}) {
        const __m512d m = _mm512_add_pd(_mm512_set1_pd(m0 + 8 * h), _mm512_set_pd(7, 6, 5, 4, 3, 2, 1, 0));
        place[g][h] = _mm512_fmadd_pd(m, _mm512_set1_pd(rays.slope[g][0]), _mm512_set1_pd(rays.start[g][0]));
        const __m512d other =
            _mm512_fmadd_pd(m, _mm512_set1_pd(rays.slope[g][end]), _mm512_set1_pd(rays.start[g][end]));
        base[h] = _mm512_min_pd(base[h], _mm512_min_pd(place[g][h], other));
      }
    for (int h : {0, 1}) {
      // a little before the first position: rounded to float it must not fall in front of the window
      base[h] = _mm512_max_pd(_mm512_floor_pd(_mm512_sub_pd(base[h], _mm512_set1_pd(1e-3))), least);
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
        __m512 t = _mm512_add_ps(start_step[g], _mm512_set1_ps(in_window[g][j]));
        if (Fan) t = _mm512_fmadd_ps(slope_step[g], m, t);
        sum[g] = _mm512_add_ps(sum[g], interpolated(window, t));
      }
    }
  }
  for (int g = 0; g < G; g++)
    _mm512_mask_storeu_ps(rays.output[g], live, _mm512_mul_ps(sum[g], _mm512_maskz_loadu_ps(live, rays.weight[g])));
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
