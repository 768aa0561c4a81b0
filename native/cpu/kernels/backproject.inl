// One row of the tile at a time: its pixels' sums stay in registers while all views of the chunk pass. Per
// view, detector places of the 16 pixels are one vector computation; per pixel and vector then 2 loads, 1
// subtraction, 2 multiply-adds.

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

struct Spots {
  int32_t index[kTile];
  float fraction[kTile], weight[kTile];
};

template <Beam B>
__attribute__((always_inline)) inline void find_spots(const TileTask& task, const TileView& view, int row,
                                                      Spots& spots) {
  const float a0 = view.a0 + row * view.ar, b0 = view.b0 + row * view.br;
  const float lowest = float(-1 - view.base), highest = float(task.bins - view.base);
  for (int c = 0; c < kTile; c++) {
    float t = a0 + c * view.ac;
    if (B != Beam::parallel) {
      const float b = b0 + c * view.bc, inverse = 1.0f / b;
      if (B == Beam::arc) {
        spots.weight[c] = task.sod_squared / (b * b + t * t);
        t = arctangent(t * inverse) * task.inverse_pitch;
      } else {
        spots.weight[c] = task.sod_squared * inverse * inverse;
        t *= inverse;
      }
    }
    t = t < lowest ? lowest : t;
    t = t > highest ? highest : t;
    const float whole = __builtin_floorf(t);
    spots.fraction[c] = t - whole;
    spots.index[c] = static_cast<int32_t>(whole) + view.base;
  }
}

// P pixels at a time, as many as keep their sums in registers.
template <int W, Beam B, int P>
__attribute__((always_inline)) inline void tile_rows(const TileTask& task) {
  for (int r = 0; r < task.rows; r++) {
    for (int c0 = 0; c0 < task.columns; c0 += P) {
      float* pixel = task.image + r * task.image_row_stride + c0 * W;
      const int live = task.columns - c0 < P ? task.columns - c0 : P;
      V<W> sum[P];
      for (int p = 0; p < P; p++) sum[p] = task.first || p >= live ? V<W>{} : load<W>(pixel + p * W);
      const float* filtered = task.filtered;
      for (int64_t v = 0; v < task.views; v++, filtered += task.view_stride) {
        Spots spots;
        find_spots<B>(task, task.tile_views[v], r, spots);
#pragma GCC unroll 16
        for (int p = 0; p < P; p++) {
          const float* q = filtered + int64_t(spots.index[c0 + p]) * W;
          const V<W> q0 = load<W>(q), value = q0 + spots.fraction[c0 + p] * (load<W>(q + W) - q0);
          if (B == Beam::parallel)
            sum[p] += value;
          else
            sum[p] += spots.weight[c0 + p] * value;
        }
      }
      for (int p = 0; p < live; p++) store<W>(pixel + p * W, sum[p]);
    }
  }
}

template <int W, int P>
__attribute__((always_inline)) inline void tile(const TileTask& task) {
  switch (task.beam) {
    case Beam::parallel:
      return tile_rows<W, Beam::parallel, P>(task);
    case Beam::flat:
      return tile_rows<W, Beam::flat, P>(task);
    case Beam::arc:
      return tile_rows<W, Beam::arc, P>(task);
  }
}

static void backproject_tile(const TileTask& task, int width) {
  constexpr int kWide = kWidth == 4 ? 8 : 16;  // sums that fit the register file
  switch (width) {
    case 16:
      return tile<16, 16>(task);
    case 8:
      return tile < 8, kWide == 16 && kWidth == 8 ? 8 : kWide > (task);
    case 4:
      return tile<4, 8>(task);
    default:
      return tile<1, 16>(task);
  }
}
