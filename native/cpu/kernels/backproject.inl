// A few views at a time, whose bins under the tile stay in L1 while its rows pass. For each row the places of the pixels on
// the detector are worked out first, a register of neighbouring pixels at a time; then a few pixels' sums stay in
// registers while these views pass. Per pixel and register of slices: 2 loads, 1 subtraction, 1 fused multiply-add, 1 addition;
// per pixel, whatever the number of slices: 2 or 3 loads of its place and a few instructions that found it.

// Abramowitz & Stegun 4.4.49, |error| ≤ 2e-8 for |z| ≤ 1
template <typename T>
__attribute__((always_inline)) inline T arctangent(T z) {
  const T q = z * z;
  T p = T{} + 0.0028662257f;
  p = p * q - 0.0161657367f;
  p = p * q + 0.0429096138f;
  p = p * q - 0.0752896400f;
  p = p * q + 0.1065626393f;
  p = p * q - 0.1420889944f;
  p = p * q + 0.1999355085f;
  p = p * q - 0.3333314528f;
  return z + z * q * p;
}

alignas(64) static const float kPixels[kTile] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

constexpr int kSpotViews = 8;

struct Spots {
  alignas(64) int32_t offset[kTile];  // floats from bin 0
  alignas(64) float fraction[kTile], weight[kTile];
};

// The register's lanes are neighbouring pixels here, W is the number of slices.
template <int W, Beam B>
__attribute__((always_inline)) inline void find_spots(const TileTask& task, const TileView& view, int row,
                                                      Spots& spots) {
  const V<kWidth> a0 = V<kWidth>{} + (view.a0 + row * view.ar), b0 = V<kWidth>{} + (view.b0 + row * view.br);
  const V<kWidth> lowest = V<kWidth>{} + float(-1 - view.base), highest = V<kWidth>{} + float(task.bins - view.base);
  for (int c = 0; c < kTile; c += kWidth) {
    const V<kWidth> steps = load<kWidth>(kPixels + c);
    V<kWidth> t = a0 + steps * view.ac, weight = {};
    if (B != Beam::parallel) {
      const V<kWidth> b = b0 + steps * view.bc, inverse = 1.0f / b;
      if (B == Beam::arc) {
        weight = task.sod_squared / (b * b + t * t);
        t = arctangent(t * inverse) * task.inverse_pitch;
      } else {
        weight = task.sod_squared * inverse * inverse;
        t *= inverse;
      }
    }
    t = t < lowest ? lowest : t;
    t = t > highest ? highest : t;
    Integers<kWidth> whole = __builtin_convertvector(t, Integers<kWidth>);
    whole += __builtin_convertvector(whole, V<kWidth>) > t;  // true is −1: down, not towards zero
    store<kWidth>(spots.fraction + c, t - __builtin_convertvector(whole, V<kWidth>));
    if (B != Beam::parallel) store<kWidth>(spots.weight + c, weight);
    const Integers<kWidth> offset = (whole + view.base) * W;
    __builtin_memcpy(spots.offset + c, &offset, sizeof offset);
  }
}

// The tile's pixels [c, c + P) of row r under a few views.
template <int W, Beam B, int P>
__attribute__((always_inline)) inline void add_pixels(const TileTask& task, const Spots* spots, const float* filtered,
                                                      int views, bool first, int r, int c) {
  constexpr int N = W < kWidth ? W : kWidth, R = W / N;  // lanes of a register, registers of a pixel
  float* pixel = task.image + r * task.image_row_stride + c * W;
  const int live = task.columns - c < P ? task.columns - c : P;
  V<N> sum[P][R];
  for (int p = 0; p < P; p++)
    for (int i = 0; i < R; i++) sum[p][i] = first || p >= live ? V<N>{} : load<N>(pixel + p * W + i * N);
  for (int v = 0; v < views; v++, filtered += task.view_stride) {
#pragma GCC unroll 16
    for (int p = 0; p < P; p++) {
      const float* q = filtered + spots[v].offset[c + p];
      const float fraction = spots[v].fraction[c + p];
#pragma GCC unroll 4
      for (int i = 0; i < R; i++) {
        const V<N> q0 = load<N>(q + i * N), value = q0 + fraction * (load<N>(q + W + i * N) - q0);
        sum[p][i] += B == Beam::parallel ? value : spots[v].weight[c + p] * value;
      }
    }
  }
  for (int p = 0; p < live; p++)
    for (int i = 0; i < R; i++) store<N>(pixel + p * W + i * N, sum[p][i]);
}

// The same of one slice: a row's pixels are the lanes.
template <Beam B>
__attribute__((always_inline)) inline void add_row(const TileTask& task, const Spots* spots, const float* filtered,
                                                   int views, bool first, int r) {
  constexpr int R = kTile / kWidth;
  float* pixels = task.image + r * task.image_row_stride;
  V<kWidth> sum[R];
  for (int i = 0; i < R; i++)
    sum[i] = first ? V<kWidth>{} : load_some<kWidth>(pixels + i * kWidth, task.columns - i * kWidth);
  for (int v = 0; v < views; v++, filtered += task.view_stride) {
#pragma GCC unroll 4
    for (int i = 0; i < R; i++) {
      const int32_t* offset = spots[v].offset + i * kWidth;
      const auto q = neighbours<kWidth>([&](int lane) { return filtered + offset[lane]; });
      const V<kWidth> value = q.left + load<kWidth>(spots[v].fraction + i * kWidth) * (q.right - q.left);
      sum[i] += B == Beam::parallel ? value : load<kWidth>(spots[v].weight + i * kWidth) * value;
    }
  }
  for (int i = 0; i < R; i++) store_some<kWidth>(pixels + i * kWidth, sum[i], task.columns - i * kWidth);
}

template <int W, Beam B>
__attribute__((always_inline)) inline void tile_rows(const TileTask& task) {
  constexpr int R = W < kWidth ? 1 : W / kWidth, P = 8 / R;  // eight sums leave registers for everything else
  Spots spots[kSpotViews];
  for (int64_t v0 = 0; v0 < task.views; v0 += kSpotViews) {
    const int views = task.views - v0 < kSpotViews ? int(task.views - v0) : kSpotViews;
    const float* filtered = task.filtered + v0 * task.view_stride;
    for (int r = 0; r < task.rows; r++) {
      for (int v = 0; v < views; v++) find_spots<W, B>(task, task.tile_views[v0 + v], r, spots[v]);
      const bool first = task.first && v0 == 0;
      if (W == 1) {
        add_row<B>(task, spots, filtered, views, first, r);
        continue;
      }
      for (int c = 0; c < task.columns; c += P) add_pixels<W, B, P>(task, spots, filtered, views, first, r, c);
    }
  }
}

template <int W>
__attribute__((always_inline)) inline void tile(const TileTask& task) {
  switch (task.beam) {
    case Beam::parallel:
      return tile_rows<W, Beam::parallel>(task);
    case Beam::flat:
      return tile_rows<W, Beam::flat>(task);
    case Beam::arc:
      return tile_rows<W, Beam::arc>(task);
  }
}

static void backproject_tile(const TileTask& task, int width) {
  switch (width) {
    case 16:
      return tile<16>(task);
    case 8:
      return tile<8>(task);
    case 4:
      return tile<4>(task);
    default:
      return tile<1>(task);
  }
}
