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

template <int W>
__attribute__((always_inline)) inline void gather(const float* lines, int64_t line_stride, const JosephRay& ray,
                                                  int first, int last, float* acc) {
  Places places;
  V<W> even = load<W>(acc), odd = V<W>{};
  for (int m = first; m < last; m += kLines) {
    const int count = last - m < kLines ? last - m : kLines;
    find_places(ray, m, count, places);
    const float* line = lines + m * line_stride;
    int j = 0;
    for (; j + 1 < count; j += 2, line += 2 * line_stride) {
      const float* p = line + int64_t(places.index[j]) * W;
      const float* q = line + line_stride + int64_t(places.index[j + 1]) * W;
      const V<W> p0 = load<W>(p), q0 = load<W>(q);
      even += p0 + places.fraction[j] * (load<W>(p + W) - p0);
      odd += q0 + places.fraction[j + 1] * (load<W>(q + W) - q0);
    }
    if (j < count) {
      const float* p = line + int64_t(places.index[j]) * W;
      const V<W> p0 = load<W>(p);
      even += p0 + places.fraction[j] * (load<W>(p + W) - p0);
    }
  }
  store<W>(acc, even + odd);
}

template <int W>
__attribute__((always_inline)) inline void scatter(float* lines, int64_t line_stride, const JosephRay& ray, int first,
                                                   int last, const float* value) {
  Places places;
  const V<W> v = load<W>(value);
  for (int m = first; m < last; m += kLines) {
    const int count = last - m < kLines ? last - m : kLines;
    find_places(ray, m, count, places);
    float* line = lines + m * line_stride;
    for (int j = 0; j < count; j++, line += line_stride) {
      float* p = line + int64_t(places.index[j]) * W;
      const V<W> right = places.fraction[j] * v;
      store<W>(p, load<W>(p) + (v - right));
      store<W>(p + W, load<W>(p + W) + right);
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
