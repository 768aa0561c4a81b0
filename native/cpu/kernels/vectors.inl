// W floats as one value, or a plain float for W = 1.

#define SINO_INLINE __attribute__((always_inline)) inline

template <int W>
struct Lanes {
  typedef float type __attribute__((vector_size(W * 4)));
  typedef int32_t integers __attribute__((vector_size(W * 4)));
};
template <>
struct Lanes<1> {
  typedef float type;
};
template <int W>
using V = typename Lanes<W>::type;
template <int W>
using Integers = typename Lanes<W>::integers;

template <int W>
SINO_INLINE V<W> load(const float* p) {
  V<W> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <int W>
SINO_INLINE void store(float* p, V<W> v) {
  __builtin_memcpy(p, &v, sizeof v);
}
template <int W>
SINO_INLINE V<W> load_some(const float* p, int64_t count) {  // the rest is zero
  if (count >= W) return load<W>(p);
  float some[W] = {};
  for (int64_t i = 0; i < count; i++) some[i] = p[i];
  return load<W>(some);
}
template <int W>
SINO_INLINE void store_some(float* p, V<W> v, int64_t count) {
  if (count >= W) return store<W>(p, v);
  float some[W];
  store<W>(some, v);
  for (int64_t i = 0; i < count; i++) p[i] = some[i];
}

// Lanes of a and b by number, those of b from W on.
#if defined(__clang__)
#define SINO_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SINO_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Integers<W>{__VA_ARGS__})
#endif

// What lies at W places and behind each. Eight bytes at a load and two shuffles within 16 bytes for all of them: half the loads
// of a plain gather, and gather instructions are slower still.
template <int W>
struct Neighbours {
  V<W> left, right;
};

SINO_INLINE double two_at(const float* p) {
  double two;
  __builtin_memcpy(&two, p, sizeof two);
  return two;
}

template <int W, typename At, int... I, int... E>
SINO_INLINE Neighbours<W> neighbours(const At& at, std::integer_sequence<int, I...>, std::integer_sequence<int, E...>) {
  typedef double Twos __attribute__((vector_size(W * 4)));
  const auto a = (V<W>)Twos{two_at(at(E / 2 * 4 + E % 2))...}, b = (V<W>)Twos{two_at(at(E / 2 * 4 + 2 + E % 2))...};
  return {SINO_SHUFFLE(a, b, (I % 4 / 2 * W + I / 4 * 4 + I % 2 * 2)...),
          SINO_SHUFFLE(a, b, (I % 4 / 2 * W + I / 4 * 4 + I % 2 * 2 + 1)...)};
}
template <int W, typename At>  // at(i): where the i-th is
SINO_INLINE Neighbours<W> neighbours(const At& at) {
  return neighbours<W>(at, std::make_integer_sequence<int, W>(), std::make_integer_sequence<int, W / 2>());
}
