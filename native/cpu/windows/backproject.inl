constexpr double kFarthest = 0.1;  // rad that a tile may span on an arc: the series below ends at z⁵

__attribute__((always_inline)) inline double smaller(double a, double b) { return a < b ? a : b; }
__attribute__((always_inline)) inline double larger(double a, double b) { return a > b ? a : b; }

__attribute__((always_inline)) inline double clamped_base(double low, int64_t bins) {
  return smaller(larger(__builtin_floor(low), -double(kMargin - 1)), double(bins + 1));
}

// Eight views at a time, in double; compilers do not vectorise this by themselves.
__attribute__((always_inline)) inline __m512d all(double value) { return _mm512_set1_pd(value); }

__attribute__((always_inline)) inline __m512d clamped_base(__m512d low, int64_t bins) {
  return _mm512_min_pd(_mm512_max_pd(_mm512_floor_pd(low), all(-double(kMargin - 1))), all(double(bins + 1)));
}

__attribute__((always_inline)) inline void keep(float* to, __m512d values) {
  _mm256_storeu_ps(to, _mm512_cvtpd_ps(values));
}

__attribute__((always_inline)) inline __m512d angle_of(__m512d tangent) {
  return _mm512_cvtps_pd((__m256)arctangent((V<8>)_mm512_cvtpd_ps(tangent)));
}

template <Beam B>
__attribute__((always_inline)) inline bool look_at(const ViewTable& g, int64_t first, int64_t count, const Patch& p,
                                                   ChunkView& look) {
  constexpr double room = 30, rounding = 0.001;  // so far below its least bin a place may come out
  const double widest = B == Beam::arc ? __builtin_fmin(room, kFarthest / __builtin_fabs(g.pitch) - 1) : room;
  const __m512d r1 = all(p.rows - 1), c1 = all(p.columns - 1), zero = all(0);
  const __m512d centre = all(g.centre), per_pitch = all(1 / g.pitch), sod = all(g.sod), per_sod = all(1 / g.sod);
  __m512d span = zero;
  for (int64_t v = 0; v < count; v += 8) {
    const __mmask8 live = static_cast<__mmask8>(count - v < 8 ? (1 << (count - v)) - 1 : 255);
    const __m512d ux = _mm512_maskz_loadu_pd(live, g.ux + first + v),
                  uy = _mm512_maskz_loadu_pd(live, g.uy + first + v);
    // n = x·û and d = sod + x·d̂ at the first pixel, and their steps
    const __m512d n0 = p.x * ux + p.y * uy, nr = p.row_x * ux + p.row_y * uy, nc = p.column_x * ux + p.column_y * uy;
    __m512d base;
    if (B == Beam::parallel) {
      const __m512d t0 = n0 * per_pitch + centre, tr = nr * per_pitch, tc = nc * per_pitch;
      base = clamped_base(t0 + _mm512_min_pd(zero, r1 * tr) + _mm512_min_pd(zero, c1 * tc) - rounding, g.bins);
      span = _mm512_max_pd(span, r1 * _mm512_abs_pd(tr) + c1 * _mm512_abs_pd(tc));
      keep(look.a0 + v, t0 - base), keep(look.ar + v, tr), keep(look.ac + v, tc);
    } else {
      const __m512d d0 = sod - p.x * uy + p.y * ux;
      const __m512d dr = p.row_y * ux - p.row_x * uy, dc = p.column_y * ux - p.column_x * uy;
      // n/d is monotone along every line, so its extremes over the patch are at its corners
      const __m512d q00 = n0 / d0, q01 = (n0 + c1 * nc) / (d0 + c1 * dc), q10 = (n0 + r1 * nr) / (d0 + r1 * dr);
      const __m512d q11 = (n0 + r1 * nr + c1 * nc) / (d0 + r1 * dr + c1 * dc);
      const __m512d least = _mm512_min_pd(_mm512_min_pd(q00, q01), _mm512_min_pd(q10, q11));
      const __m512d most = _mm512_max_pd(_mm512_max_pd(q00, q01), _mm512_max_pd(q10, q11));
      if (B == Beam::flat) {
        const __m512d k = sod * per_pitch;
        base = clamped_base(_mm512_min_pd(k * least, k * most) + centre - rounding, g.bins);
        span = _mm512_max_pd(span, _mm512_abs_pd(k * (most - least)));
        const __m512d shift = centre - base;
        keep(look.a0 + v, (k * n0 + shift * d0) * per_sod);
        keep(look.ar + v, (k * nr + shift * dr) * per_sod), keep(look.ac + v, (k * nc + shift * dc) * per_sod);
        keep(look.b0 + v, d0 * per_sod), keep(look.br + v, dr * per_sod), keep(look.bc + v, dc * per_sod);
      } else {
        // any whole bin near the lowest will do as base, for what is left is measured from it exactly
        const __m512d from = angle_of(least) * per_pitch, to = angle_of(most) * per_pitch;
        base = clamped_base(_mm512_min_pd(from, to) + centre - 0.01, g.bins);
        span = _mm512_max_pd(span, _mm512_abs_pd(to - from));
        const __m256i at = _mm256_add_epi32(_mm512_cvtpd_epi32(base), _mm256_set1_epi32(kMargin));
        const __m512d c = _mm512_i32gather_pd(at, g.cosines, 8) * per_sod,
                      s = _mm512_i32gather_pd(at, g.sines, 8) * per_sod;
        keep(look.a0 + v, n0 * c - d0 * s), keep(look.ar + v, nr * c - dr * s), keep(look.ac + v, nc * c - dc * s);
        keep(look.b0 + v, d0 * c + n0 * s), keep(look.br + v, dr * c + nr * s), keep(look.bc + v, dc * c + nc * s);
      }
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(look.base + v), _mm512_cvtpd_epi32(base));
  }
  return _mm512_reduce_max_pd(span) <= widest;
}

static bool look_from_patch(const ViewTable& table, int64_t first, int64_t count, const Patch& patch, ChunkView& look) {
  switch (table.beam) {
    case Beam::parallel:
      return look_at<Beam::parallel>(table, first, count, patch, look);
    case Beam::flat:
      return look_at<Beam::flat>(table, first, count, patch, look);
    default:
      return look_at<Beam::arc>(table, first, count, patch, look);
  }
}

// a of the patch's first row, and its step
__attribute__((always_inline)) inline __m512 first_row(float a0, float ac) {
  return _mm512_fmadd_ps(_mm512_load_ps(kSteps), _mm512_set1_ps(ac), _mm512_set1_ps(a0));
}
// each row from the first by its own multiply-add: a running sum would be one long chain
__attribute__((always_inline)) inline __m512 row_of(__m512 first, __m512 step, int r) {
  return r == 0 ? first : _mm512_fmadd_ps(_mm512_set1_ps(float(r)), step, first);
}

template <Beam B>
static void place(const ViewTable& table, const ChunkView& look, int64_t count, int rows, PatchPlaces& places) {
  const __m512 to_integer = _mm512_set1_ps(8388608.0f), two = _mm512_set1_ps(2), one = _mm512_set1_ps(1);
  const __m512 per_pitch = _mm512_set1_ps(float(1 / table.pitch));
  for (int64_t v = 0; v < count; v++) {
    const __m512 a0 = first_row(look.a0[v], look.ac[v]), ar = _mm512_set1_ps(look.ar[v]);
    const __m512 b0 = first_row(look.b0[v], look.bc[v]), br = _mm512_set1_ps(look.br[v]);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      const __m512 step = _mm512_set1_ps(float(r)), a = _mm512_fmadd_ps(step, ar, a0),
                   d = _mm512_fmadd_ps(step, br, b0);
      __m512 inverse = _mm512_rcp14_ps(d);
      inverse = _mm512_mul_ps(inverse, _mm512_fnmadd_ps(d, inverse, two));
      __m512 t = _mm512_mul_ps(a, inverse), weight = _mm512_mul_ps(inverse, inverse);
      if (B == Beam::arc) {
        // 1/(a² + b²) = (1/b²)/(1 + z²) and atan z for |z| ≤ 0.1, both to 1e-7 of a pitch of 1e-3
        const __m512 q = _mm512_mul_ps(t, t);
        weight = _mm512_mul_ps(weight, _mm512_fnmadd_ps(q, _mm512_fnmadd_ps(q, _mm512_sub_ps(one, q), one), one));
        const __m512 series = _mm512_fmadd_ps(q, _mm512_fnmadd_ps(q, _mm512_set1_ps(1 / 7.0f), _mm512_set1_ps(0.2f)),
                                              _mm512_set1_ps(-1 / 3.0f));
        t = _mm512_mul_ps(_mm512_fmadd_ps(_mm512_mul_ps(t, q), series, t), per_pitch);
      }
      const __m512 bin = _mm512_add_round_ps(t, to_integer, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
      constexpr int third_chooses = 0xD8;  // bit by bit: the second where the third is set, else the first
      const __m512 key = _mm512_castsi512_ps(_mm512_ternarylogic_epi32(
          _mm512_castps_si512(weight), _mm512_castps_si512(bin), _mm512_set1_epi32(31), third_chooses));
      _mm512_store_ps(places.t[v][r], _mm512_mul_ps(t, key));
      _mm512_store_ps(places.key[v][r], key);
    }
  }
}

static void place_pixels(const ViewTable& table, const ChunkView& look, int64_t count, int rows, PatchPlaces& places) {
  rows = rows > 8 ? 16 : rows > 4 ? 8 : 4;  // as add_places reads them
  table.beam == Beam::flat ? place<Beam::flat>(table, look, count, rows, places)
                           : place<Beam::arc>(table, look, count, rows, places);
}

// Where the rows of a patch lie in a view's window: worked out on the spot, or read from PatchPlaces.
struct OnTheSpot {
  const ChunkView& look;
  struct View {
    __m512 a, ar;
  };
  __attribute__((always_inline)) View view(int64_t v) const {
    return {first_row(look.a0[v], look.ac[v]), _mm512_set1_ps(look.ar[v])};
  }
  __attribute__((always_inline)) static __m512 add(const View& view, int r, const Window& w, __m512 sum) {
    return _mm512_add_ps(sum, interpolated(w, row_of(view.a, view.ar, r)));
  }
};

struct FromPlaces {
  const PatchPlaces& places;
  struct View {
    const float *t, *key;
  };
  __attribute__((always_inline)) View view(int64_t v) const { return {places.t[v][0], places.key[v][0]}; }
  __attribute__((always_inline)) static __m512 add(const View& view, int r, const Window& w, __m512 sum) {
    const __m512 t = _mm512_load_ps(view.t + r * kTile), key = _mm512_load_ps(view.key + r * kTile);
    __m512i bin = _mm512_castps_si512(key);
    asm("" : "+v"(bin));  // copies within registers are free, loading it for each permute is not
    sum = _mm512_fmadd_ps(key, _mm512_permutex2var_ps(w.e0, bin, w.e1), sum);
    return _mm512_fmadd_ps(t, _mm512_permutex2var_ps(w.d0, bin, w.d1), sum);
  }
};

constexpr int64_t kAhead = 3;  // views whose bins are fetched early

template <int R, typename Where>  // R rows, of which patch.rows are live
static void add_rows(const Where& where, const PatchSums& patch) {
  const __mmask16 live = static_cast<__mmask16>((1u << patch.columns) - 1);
  __m512 sum[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
    sum[r] = r < patch.rows ? _mm512_maskz_loadu_ps(live, patch.sums + r * kTile) : _mm512_setzero_ps();
  const float* row = patch.filtered;
  for (int64_t v = 0; v < patch.views; v++, row += patch.view_stride) {
    const Window window = window_at(row + patch.base[v]);
    if (patch.next) {
      const int64_t later = v + kAhead;
      const float* ahead =
          later < patch.views ? row + kAhead * patch.view_stride + patch.base[later]
          : later - patch.views < patch.views
              ? patch.next + (later - patch.views) * patch.view_stride + patch.base[later - patch.views]
              : row;
      for (int i = 0; i < 48; i += 16) __builtin_prefetch(ahead + i);
    }
    const auto view = where.view(v);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) sum[r] = Where::add(view, r, window, sum[r]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
    if (r < patch.rows) _mm512_mask_storeu_ps(patch.sums + r * kTile, live, sum[r]);
}

template <typename Where>
__attribute__((always_inline)) inline void add_patch(const Where& where, const PatchSums& patch) {
  if (patch.rows > 8) return add_rows<16>(where, patch);
  return patch.rows > 4 ? add_rows<8>(where, patch) : add_rows<4>(where, patch);
}

static void add_parallel(const ChunkView& look, const PatchSums& patch) { add_patch(OnTheSpot{look}, patch); }

// Two views of a parallel beam that meet two patches at the same places: half the positions, and half the rows at a time so
// that the sums of both stay in registers.
template <int R>
static void add_pair_rows(const ChunkView& look, const PatchSums& one, const PatchSums& other, int first, int rows) {
  const __mmask16 live = static_cast<__mmask16>((1u << one.columns) - 1);
  const __m512 to_integer = _mm512_set1_ps(8388608.0f);
  float *to_one = one.sums + first * kTile, *to_other = other.sums + first * kTile;
  __m512 sum[R], twin[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
    sum[r] = r < rows ? _mm512_maskz_loadu_ps(live, to_one + r * kTile) : _mm512_setzero_ps();
    twin[r] = r < rows ? _mm512_maskz_loadu_ps(live, to_other + r * kTile) : _mm512_setzero_ps();
  }
  const float *row = one.filtered, *twin_row = other.filtered;
  for (int64_t v = 0; v < one.views; v++, row += one.view_stride, twin_row += other.view_stride) {
    const Window w = window_at(row + one.base[v]), u = window_at(twin_row + one.base[v]);
    const __m512 ar = _mm512_set1_ps(look.ar[v]);
    const __m512 a = row_of(first_row(look.a0[v], look.ac[v]), ar, first);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      const __m512 t = row_of(a, ar, r);
      const __m512i k =
          _mm512_castps_si512(_mm512_add_round_ps(t, to_integer, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
      sum[r] = _mm512_add_ps(sum[r], _mm512_permutex2var_ps(w.e0, k, w.e1));
      twin[r] = _mm512_add_ps(twin[r], _mm512_permutex2var_ps(u.e0, k, u.e1));
      sum[r] = _mm512_fmadd_ps(t, _mm512_permutex2var_ps(w.d0, k, w.d1), sum[r]);
      twin[r] = _mm512_fmadd_ps(t, _mm512_permutex2var_ps(u.d0, k, u.d1), twin[r]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
    if (r < rows) {
      _mm512_mask_storeu_ps(to_one + r * kTile, live, sum[r]);
      _mm512_mask_storeu_ps(to_other + r * kTile, live, twin[r]);
    }
}

static void add_pair(const ChunkView& look, const PatchSums& one, const PatchSums& other) {
  for (int r = 0; r < one.rows; r += 8) add_pair_rows<8>(look, one, other, r, one.rows - r < 8 ? one.rows - r : 8);
}

static void add_places(const PatchPlaces& places, const PatchSums& patch) { add_patch(FromPlaces{places}, patch); }
