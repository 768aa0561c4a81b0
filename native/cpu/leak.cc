// leak on the CPU: clues are collected view by view, then fitted; systems are solved one view each.
#include "native/ops/leak.h"

#include <algorithm>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/ops/trust.h"

namespace sino::cpu {

namespace {

struct Clue {
  float terms[kLeakTerms], excess, weight;
};

std::vector<Clue> clues_of(const Context& context, const FindLeakArgs& args) {
  const int64_t bins = args.bins;
  std::vector<Clue> clues;
  std::vector<float> expected(bins);
  for (int64_t v = 0; v < args.views; v++) {
    context.check();
    const int64_t row = v * bins;
    const auto exponent = [&](int64_t k) {
      return args.where[row + k] ? args.slope[row + k] * args.found[row + k] : 0;
    };
    const auto usable = [](float exponent) { return std::fabs(exponent) < kMostExponent; };
    for (int64_t k = 0; k < bins; k++) {
      const float e = exponent(k);
      expected[k] = transmission(args.measured[row + k] - (usable(e) ? e : 0));
    }
    for (int64_t k = 0; k < bins; k++) {
      const int64_t i = row + k;
      const float e = exponent(k), t = expected[k];
      if (!args.trace[i] || !args.where[i] || !usable(e)) continue;
      const float left = expected[std::max<int64_t>(k - 1, 0)], right = expected[std::min(k + 1, bins - 1)];
      const float neighbours = (left - 2 * t + right) / (2 * t), alloy = args.slope[i] * args.metal[i];
      if (!(std::fabs(neighbours) < kMostClue)) continue;
      clues.push_back({{neighbours, 1 / t, alloy, alloy * alloy},
                       std::exp(-e) - 1,
                       1 / (args.slope[i] * args.slope[i] * args.variance[i] + kLeakVariance)});
    }
  }
  return clues;
}

// Least squares by Gauss-Jordan with the largest pivot left; a term that says nothing beyond the others gets 0.
void solve(double m[kLeakTerms][kLeakTerms + 1], double* c) {
  double size[kLeakTerms];
  bool used[kLeakTerms] = {};
  for (int k = 0; k < kLeakTerms; k++) size[k] = m[k][k], c[k] = 0;
  for (int step = 0; step < kLeakTerms; step++) {
    int best = -1;
    for (int k = 0; k < kLeakTerms; k++)
      if (!used[k] && m[k][k] > 1e-9 * size[k] && (best < 0 || m[k][k] * size[best] > m[best][best] * size[k]))
        best = k;
    if (best < 0) break;
    used[best] = true;
    for (int r = 0; r < kLeakTerms; r++) {
      const double share = r == best ? 0 : m[r][best] / m[best][best];
      for (int k = 0; k <= kLeakTerms; k++) m[r][k] -= share * m[best][k];
    }
  }
  for (int k = 0; k < kLeakTerms; k++)
    if (used[k]) c[k] = m[k][kLeakTerms] / m[k][k];
}

double residual_of(const Clue& clue, const double* c) {
  double rest = clue.excess;
  for (int k = 0; k < kLeakTerms; k++) rest -= c[k] * clue.terms[k];
  return rest;
}

double median_size(const std::vector<Clue>& clues, const double* c, std::vector<double>& sizes) {
  sizes.clear();
  for (const Clue& clue : clues) sizes.push_back(std::fabs(residual_of(clue, c)));
  const auto middle = sizes.begin() + static_cast<int64_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  return *middle;
}

}  // namespace

void find_leak(const Context& context, const FindLeakArgs& args) {
  const std::vector<Clue> clues = clues_of(context, args);
  std::vector<double> sizes;
  double c[kLeakTerms] = {}, scale = 0;
  for (int round = 0; round < args.rounds && !clues.empty(); round++) {
    context.check();
    double m[kLeakTerms][kLeakTerms + 1] = {};
    for (const Clue& clue : clues) {
      const double z = scale > 0 ? residual_of(clue, c) / (2 * scale) : 0, a = clue.weight / (1 + z * z);
      for (int r = 0; r < kLeakTerms; r++) {
        for (int k = 0; k < kLeakTerms; k++) m[r][k] += a * clue.terms[r] * clue.terms[k];
        m[r][kLeakTerms] += a * clue.terms[r] * clue.excess;
      }
    }
    solve(m, c);
    scale = 1.4826 * median_size(clues, c, sizes);
  }
  std::copy_n(c, kLeakTerms, args.result);
}

void remove_leak(const Context& context, const RemoveLeakArgs& args) {
  const int64_t bins = args.bins;
  const double side = args.share / 2;
  context.parallel_for(args.views, std::max<int64_t>(1, (1 << 14) / bins), [&](int64_t begin, int64_t end) {
    Scratch<double> upper = context.scratch<double>(bins), value = context.scratch<double>(bins);
    for (int64_t v = begin; v < end; v++) {
      const int64_t row = v * bins;
      for (int64_t k = 0; k < bins; k++) {
        const double repeated = (k == 0 ? side : 0) + (k + 1 == bins ? side : 0);
        const double below = k > 0 ? side : 0, t = std::exp(-double(args.measured[row + k])) - args.floor;
        const double pivot = 1 - args.share + repeated - (k > 0 ? below * upper[k - 1] : 0);
        upper[k] = side / pivot;
        value[k] = (t - (k > 0 ? below * value[k - 1] : 0)) / pivot;
      }
      for (int64_t k = bins; k-- > 0;) {
        if (k + 1 < bins) value[k] -= upper[k] * value[k + 1];
        const int64_t i = row + k;
        args.output[i] = args.where[i] ? float(-std::log(std::max(value[k], args.least))) : args.measured[i];
      }
    }
  });
}

}  // namespace sino::cpu
