// W floats as one value, or a plain float for W = 1.

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
__attribute__((always_inline)) inline V<W> load(const float* p) {
  V<W> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <int W>
__attribute__((always_inline)) inline void store(float* p, V<W> v) {
  __builtin_memcpy(p, &v, sizeof v);
}
