// sampling_step: one step of a diffusion sampler in one pass over memory, and the step of dual-domain metal artefact reduction.
//
// Quantity. Every sampler's step is, for each element, with x the sample and m what the network said,
//       x̂0 = clamp(p·x + q·m, low, high)                      the clean image that x and m amount to
//       y_r = a_r·x + b_r·m + c_r·x̂0 + Σ_k h_rk·H_k + s_r·σ·z   for up to kStepRows results r
//   with earlier images H_k (up to kStepTerms), z ~ N(0, 1), and σ = 1 or, where the network predicts its variance v,
//   exp(log_scale + log_slope·v). The coefficients, all there is of DDPM, DDIM, DPM-Solver++, UniPC, Euler and Heun, are made in
//   double by lib/diffusion. dual_domain_step blends the network's image with two reconstructions, nearer to the metal more of
//   the network's, and adds noise again (DuDoDp, IEEE TMI 2024):
//       M(δ) = clamp(δ·base, 0, 1), base = FBP(40·trace) in 1/mm;  X_s = scale·consistent + shift, X_m = scale·measured + shift
//       X = k·(M(δ)·x̂0 + (1 − M(δ))·X_s) + (1 − k)·(M(δ_m)·x̂0 + (1 − M(δ_m))·X_m),  y = signal·X + noise·z
// Order. Elements in memory order. Element i takes word (first + i) mod 4 of draw (first + i)/4, as normal_noise does
//   (native/ops/noise.h): a batch in pieces equals the batch at once, on any device, for any number of threads.
// One iteration. One vector of elements; four of them share their draws. Every result of an element is stored after all of its
//   inputs are read, so a result may lie where an input was, not shifted against it.
// Bytes. 4 per element and array, in and out: DDIM or DDPM in place read 8 and write 4.
// Edges. `count` is anything. NaN and infinity pass through, also through the clamp; *non_finite counts the elements that have
//   them in a result.
// Precision. float32; z differs from noise.h's by at most 8e-7, and 4e-7 of itself (a logarithm good to 3e-7 of itself near 1
//   too, an angle reduced in integers). Twins differ by fused multiplications: 4 roundings of the largest term.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "native/core/hd.h"
#include "native/core/philox.h"

namespace sino {

constexpr int kStepTerms = 4;
constexpr int kStepRows = 3;

struct StepRow {
  float sample, output, clean, noise;
  float terms[kStepTerms];
  float* target;  // may be one of the inputs
};

struct SamplingStepArgs {
  int64_t count;
  const float* sample;
  const float* output;  // of the network; the sample itself where there is none (from_output = 0)
  float from_sample, from_output, low, high;
  int term_count, row_count;
  const float* terms[kStepTerms];
  StepRow rows[kStepRows];
  float* clean;  // x̂0, or null; may be one of the inputs
  bool noisy;    // some row has noise
  RandomSource source;
  int64_t first;          // multiple of 4
  const float* variance;  // v, or null
  float log_scale, log_slope;
  int64_t* non_finite;
};

struct DualDomainStepArgs {
  int64_t count;
  const float *clean, *consistent, *measured, *base;
  float low, high, scale, shift;
  float delta, delta_measured, keep, signal, noise;
  RandomSource source;
  int64_t first;  // multiple of 4
  float* output;  // may be one of the inputs
  int64_t* non_finite;
};

// One element at a time, for the formulas below.
struct OneElement {
  using F = float;
  using I = int32_t;
  using U = uint32_t;
  SINO_HD static F to_float(I i) { return static_cast<F>(i); }
  SINO_HD static F root(F x) { return sqrtf(x); }
  SINO_HD static F at_least(F x, F low) { return x < low ? low : x; }  // NaN stays
  SINO_HD static F at_most(F x, F high) { return x > high ? high : x; }
  SINO_HD static U bits(F x) {
    U u;
    memcpy(&u, &x, sizeof u);
    return u;
  }
  SINO_HD static F from_bits(U u) {
    F x;
    memcpy(&x, &u, sizeof x);
    return x;
  }
};

#define SINO_FORMULA SINO_HD inline
#include "native/ops/sampling_formulas.inl"
#undef SINO_FORMULA

}  // namespace sino
