// sampling_step and dual_domain_step: four vectors at a time, because four elements share a draw.
//
// Philox. Words live in the lower halves of 64-bit lanes, where a product leaves its own lower half as the next round's word
//   and its upper half one shift away; what stands above is never looked at. A round is 2 products, 2 shifts and 2 (or 4)
//   exclusive ors per W/2 draws, and nothing is put back together before the last one.
// Order. Word w of a draw is element w of its quad. Lane p of the draws is quad (p mod 4)·W/4 + p/4, so that transposing 4 × 4
//   within every four lanes puts all elements in memory order.
// Cost. 120 operations for 10 rounds of 16 draws on AVX-512, 16 for the transpose and its words, some 50 for each of the 2 × 2
//   Box-Muller halves.

#if defined(__x86_64__) && defined(__GNUC__)
#define SINO_X86(W4, W8, W16)      \
  if constexpr (W == 4) return W4; \
  if constexpr (W == 8) return W8; \
  if constexpr (W == 16) return W16;
#else
#define SINO_X86(W4, W8, W16)
#endif

template <int W>
struct WideElement {
  using F = V<W>;
  using I = Integers<W>;
  typedef uint32_t U __attribute__((vector_size(W * 4)));
  typedef uint64_t Wide __attribute__((vector_size(W * 4)));  // W/2 lanes
  SINO_INLINE static F to_float(I i) { return __builtin_convertvector(i, F); }
  SINO_INLINE static U bits(F x) { return (U)x; }
  SINO_INLINE static F from_bits(U u) { return (F)u; }
  SINO_INLINE static F root(F x) {
    SINO_X86((F)_mm_sqrt_ps(x), (F)_mm256_sqrt_ps(x), (F)_mm512_sqrt_ps(x))
    for (int i = 0; i < W; i++) x[i] = __builtin_sqrtf(x[i]);
    return x;
  }
  // x stays where it is NaN: the processor's own minimum gives its second operand then.
  SINO_INLINE static F at_least(F x, F low) {
    SINO_X86((F)_mm_max_ps(low, x), (F)_mm256_max_ps(low, x), (F)_mm512_max_ps(low, x))
    return x < low ? low : x;
  }
  SINO_INLINE static F at_most(F x, F high) {
    SINO_X86((F)_mm_min_ps(high, x), (F)_mm256_min_ps(high, x), (F)_mm512_min_ps(high, x))
    return x > high ? high : x;
  }
  // of the lower halves
  SINO_INLINE static Wide product(Wide a, Wide b) {
    SINO_X86((Wide)_mm_mul_epu32((__m128i)a, (__m128i)b), (Wide)_mm256_mul_epu32((__m256i)a, (__m256i)b),
             (Wide)_mm512_mul_epu32((__m512i)a, (__m512i)b))
    return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
  }
};

#define SINO_FORMULA SINO_INLINE
#include "native/ops/sampling_formulas.inl"
#undef SINO_FORMULA

using Element = WideElement<kWidth>;
using Formulas = StepFormulas<Element>;
using Floats = Element::F;
using DrawWords = Element::U;
using WideDraws = Element::Wide;

// Elements of W quads, the first of which has number `quad`, in memory order.
SINO_INLINE void normals(const RandomSource& source, uint64_t quad, Floats* z) {
  constexpr int W = kWidth;
  WideDraws c[2][4];  // draws of even lanes, of odd lanes
  for (int half = 0; half < 2; half++) {
    WideDraws index;
    for (int i = 0; i < W / 2; i++) {
      const int p = 2 * i + half;
      index[i] = p % 4 * (W / 4) + p / 4;
    }
    index += quad;
    c[half][0] = index, c[half][1] = index >> 32;
    c[half][2] = WideDraws{}, c[half][3] = WideDraws{} + source.stream;
  }
  uint32_t key0 = uint32_t(source.seed), key1 = uint32_t(source.seed >> 32);
  for (int round = 0; round < 10; round++) {
    for (int half = 0; half < 2; half++) {
      WideDraws* w = c[half];
      const WideDraws a = Element::product(w[0], WideDraws{} + 0xD2511F53u);
      const WideDraws b = Element::product(w[2], WideDraws{} + 0xCD9E8D57u);
      w[0] = (b >> 32) ^ w[1] ^ uint64_t(key0), w[1] = b;
      w[2] = (a >> 32) ^ w[3] ^ uint64_t(key1), w[3] = a;
    }
    key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
  }
  DrawWords word[4];
  for (int k = 0; k < 4; k++) word[k] = (DrawWords)((c[0][k] & 0xFFFFFFFFu) | (c[1][k] << 32));
  Floats rows[4];
  Formulas::normal_pair(word[0], word[1], rows);
  Formulas::normal_pair(word[2], word[3], rows + 2);
  constexpr auto lanes = std::make_integer_sequence<int, W>();
  const Floats low02 = zip_low<W>(rows[0], rows[2], lanes), high02 = zip_high<W>(rows[0], rows[2], lanes);
  const Floats low13 = zip_low<W>(rows[1], rows[3], lanes), high13 = zip_high<W>(rows[1], rows[3], lanes);
  z[0] = zip_low<W>(low02, low13, lanes), z[1] = zip_high<W>(low02, low13, lanes);
  z[2] = zip_low<W>(high02, high13, lanes), z[3] = zip_high<W>(high02, high13, lanes);
}

// blend(first element, how many, their normal numbers) → a vector that is finite where all of its results are.
template <bool kNoisy, typename Blend>
SINO_INLINE bool each_four(const RandomSource& source, int64_t first, int64_t begin, int64_t end, const Blend& blend) {
  constexpr int W = kWidth;
  Floats check = {};
  for (int64_t i = begin; i < end; i += 4 * W) {
    Floats z[4] = {};
    if constexpr (kNoisy) normals(source, uint64_t(first + i) / 4, z);
    if (i + 4 * W <= end)
      for (int k = 0; k < 4; k++) check += blend(i + k * W, W, z[k]) * 0.0f;
    else
      for (int k = 0; k < 4 && i + k * W < end; k++)
        check += blend(i + k * W, end - i - k * W < W ? end - i - k * W : W, z[k]) * 0.0f;
  }
  for (int lane = 0; lane < W; lane++)
    if (!(check[lane] == 0.0f)) return false;
  return true;
}

// kPlain: one row, no earlier images, x̂0 not wanted; the loops over them are known to the compiler then.
template <bool kNoisy, bool kVariance, bool kPlain>
static bool sample_elements(const SamplingStepArgs& args, int64_t begin, int64_t end) {
  constexpr int W = kWidth;
  const SamplingStepArgs a = args;  // nobody stores into this one
  const int rows = kPlain ? 1 : a.row_count, terms = kPlain ? 0 : a.term_count;
  return each_four<kNoisy>(
      a.source, a.first, begin, end, [&](int64_t i, int64_t live, Floats z) __attribute__((always_inline)) {
        const Floats x = load_some<W>(a.sample + i, live), m = load_some<W>(a.output + i, live);
        const Floats clean = Formulas::clean_estimate(a, x, m);
        if constexpr (kVariance)
          z *= Formulas::exponential(a.log_scale + a.log_slope * load_some<W>(a.variance + i, live));
        Floats result[kStepRows], check = {};
        for (int r = 0; r < rows; r++) {
          const StepRow& row = a.rows[r];
          Floats value = Formulas::step_row(row, x, m, clean);
          for (int t = 0; t < terms; t++) value += row.terms[t] * load_some<W>(a.terms[t] + i, live);
          if constexpr (kNoisy) value += row.noise * z;
          result[r] = value;
          check += value * 0.0f;
        }
        if (!kPlain && a.clean) store_some<W>(a.clean + i, clean, live);
        for (int r = 0; r < rows; r++) store_some<W>(a.rows[r].target + i, result[r], live);
        return check;
      });
}

template <bool kPlain>
static bool sample_with_noise(const SamplingStepArgs& a, int64_t begin, int64_t end) {
  if (!a.noisy) return sample_elements<false, false, kPlain>(a, begin, end);
  if (!a.variance) return sample_elements<true, false, kPlain>(a, begin, end);
  return sample_elements<true, true, kPlain>(a, begin, end);
}

// Elements [begin, end); false where a result is not finite.
static bool sampling_step(const SamplingStepArgs& a, int64_t begin, int64_t end) {
  const bool plain = a.row_count == 1 && a.term_count == 0 && !a.clean;
  return plain ? sample_with_noise<true>(a, begin, end) : sample_with_noise<false>(a, begin, end);
}

template <bool kNoisy>
static bool dual_domain_elements(const DualDomainStepArgs& a, int64_t begin, int64_t end) {
  constexpr int W = kWidth;
  return each_four<kNoisy>(
      a.source, a.first, begin, end, [&](int64_t i, int64_t live, Floats z) __attribute__((always_inline)) {
        const Floats value =
            Formulas::dual_domain(a, load_some<W>(a.clean + i, live), load_some<W>(a.consistent + i, live),
                                  load_some<W>(a.measured + i, live), load_some<W>(a.base + i, live)) +
            a.noise * z;
        store_some<W>(a.output + i, value, live);
        return value;
      });
}

static bool dual_domain_step(const DualDomainStepArgs& a, int64_t begin, int64_t end) {
  return a.noise == 0.0f ? dual_domain_elements<false>(a, begin, end) : dual_domain_elements<true>(a, begin, end);
}
