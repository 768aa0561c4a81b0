// Places of the ray on up to kLines lines, worked out together: this loop vectorises, the one that uses them
// is bound by the two loads per line. Per line and vector: 2 loads, 1 subtraction, 1 fused multiply-add, 1
// addition.
constexpr int kLines = 64;

struct Places {
  int32_t index[kLines];
  float fraction[kLines];
};

__attribute__((always_inline)) inline void find_places(const JosephRay& ray, int first, int count, Places& places) {
  const double start = ray.start + 1.0, slope = ray.slope;
  for (int j = 0; j < count; j++) {
    const double s = start + (first + j) * slope;
    const int32_t index = static_cast<int32_t>(s);
    places.index[j] = index;
    places.fraction[j] = static_cast<float>(s - index);
  }
}

// A position's W slices are R registers of N lanes.
template <int W>
__attribute__((always_inline)) inline void gather(const float* lines, int64_t line_stride, const JosephRay& ray,
                                                  int first, int last, float* acc) {
  constexpr int N = W < kWidth ? W : kWidth, R = W / N;
  Places places;
  V<N> even[R], odd[R];
  for (int i = 0; i < R; i++) even[i] = load<N>(acc + i * N), odd[i] = V<N>{};
  for (int m = first; m < last; m += kLines) {
    const int count = last - m < kLines ? last - m : kLines;
    find_places(ray, m, count, places);
    const float* line = lines + m * line_stride;
    int j = 0;
    for (; j + 1 < count; j += 2, line += 2 * line_stride) {
      const float* p = line + int64_t(places.index[j]) * W;
      const float* q = line + line_stride + int64_t(places.index[j + 1]) * W;
#pragma GCC unroll 4
      for (int i = 0; i < R; i++) {
        const V<N> p0 = load<N>(p + i * N), q0 = load<N>(q + i * N);
        even[i] += p0 + places.fraction[j] * (load<N>(p + W + i * N) - p0);
        odd[i] += q0 + places.fraction[j + 1] * (load<N>(q + W + i * N) - q0);
      }
    }
    if (j < count) {
      const float* p = line + int64_t(places.index[j]) * W;
      for (int i = 0; i < R; i++) {
        const V<N> p0 = load<N>(p + i * N);
        even[i] += p0 + places.fraction[j] * (load<N>(p + W + i * N) - p0);
      }
    }
  }
  for (int i = 0; i < R; i++) store<N>(acc + i * N, even[i] + odd[i]);
}

// One slice: lines are the lanes, and sums are taken in the order of `gather`.
template <>
__attribute__((always_inline)) inline void gather<1>(const float* lines, int64_t line_stride, const JosephRay& ray,
                                                     int first, int last, float* acc) {
  Places places;
  alignas(64) float values[kLines];
  float even = *acc, odd = 0;
  for (int m = first; m < last; m += kLines) {
    const int count = last - m < kLines ? last - m : kLines;
    find_places(ray, m, count, places);
    const float* line = lines + m * line_stride;
    int j = 0;
    for (; j + kWidth <= count; j += kWidth, line += kWidth * line_stride) {
      const auto p = neighbours<kWidth>([&](int i) { return line + i * line_stride + places.index[j + i]; });
      store<kWidth>(values + j, p.left + load<kWidth>(places.fraction + j) * (p.right - p.left));
    }
    for (; j < count; j++, line += line_stride) {
      const float* p = line + places.index[j];
      values[j] = p[0] + places.fraction[j] * (p[1] - p[0]);
    }
    for (j = 0; j + 1 < count; j += 2) even += values[j], odd += values[j + 1];
    if (j < count) even += values[j];
  }
  *acc = even + odd;
}

template <int W>
__attribute__((always_inline)) inline void scatter(float* lines, int64_t line_stride, const JosephRay& ray, int first,
                                                   int last, const float* value) {
  constexpr int N = W < kWidth ? W : kWidth, R = W / N;
  Places places;
  V<N> v[R];
  for (int i = 0; i < R; i++) v[i] = load<N>(value + i * N);
  for (int m = first; m < last; m += kLines) {
    const int count = last - m < kLines ? last - m : kLines;
    find_places(ray, m, count, places);
    float* line = lines + m * line_stride;
    for (int j = 0; j < count; j++, line += line_stride) {
      float* p = line + int64_t(places.index[j]) * W;
      const float right = places.fraction[j], left = 1 - right;
#pragma GCC unroll 4
      for (int i = 0; i < R; i++) {
        store<N>(p + i * N, load<N>(p + i * N) + left * v[i]);
        // compilers would take both pixels of one slice together, without fused multiply-adds, and round otherwise than for many
        if (W == 1) __asm__("" ::: "memory");
        store<N>(p + W + i * N, load<N>(p + W + i * N) + right * v[i]);
      }
    }
  }
}

static void joseph_gather(const float* lines, int64_t line_stride, int width, const JosephRay& ray, int first, int last,
                          float* acc) {
  switch (width) {
    case 16:
      return gather<16>(lines, line_stride, ray, first, last, acc);
    case 8:
      return gather<8>(lines, line_stride, ray, first, last, acc);
    case 4:
      return gather<4>(lines, line_stride, ray, first, last, acc);
    default:
      return gather<1>(lines, line_stride, ray, first, last, acc);
  }
}

static void joseph_scatter(float* lines, int64_t line_stride, int width, const JosephRay& ray, int first, int last,
                           const float* value) {
  switch (width) {
    case 16:
      return scatter<16>(lines, line_stride, ray, first, last, value);
    case 8:
      return scatter<8>(lines, line_stride, ray, first, last, value);
    case 4:
      return scatter<4>(lines, line_stride, ray, first, last, value);
    default:
      return scatter<1>(lines, line_stride, ray, first, last, value);
  }
}
