// leak on the CPU: clues are collected view by view, then fitted; systems are solved one view each.
#include "native/ops/leak.h"

#include <algorithm>
#include <vector>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

std::vector<LeakClue> clues_of(const Context& context, const FindLeakArgs& args) {
  std::vector<LeakClue> clues;
  LeakClue clue;
  for (int64_t v = 0; v < args.views; v++) {
    context.check();
    for (int64_t k = 0; k < args.bins; k++)
      if (leak_clue(args, v * args.bins + k, k, clue)) clues.push_back(clue);
  }
  return clues;
}

double median_size(const std::vector<LeakClue>& clues, const double* c, std::vector<double>& sizes) {
  sizes.clear();
  for (const LeakClue& clue : clues) sizes.push_back(std::fabs(leak_residual(clue, c)));
  const auto middle = sizes.begin() + static_cast<int64_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  return *middle;
}

}  // namespace

void find_leak(const Context& context, const FindLeakArgs& args) {
  const std::vector<LeakClue> clues = clues_of(context, args);
  std::vector<double> sizes;
  double c[kLeakTerms] = {}, scale = 0;
  for (int round = 0; round < args.rounds && !clues.empty(); round++) {
    context.check();
    double m[kLeakTerms][kLeakTerms + 1] = {};
    for (const LeakClue& clue : clues) {
      const double z = scale > 0 ? leak_residual(clue, c) / (2 * scale) : 0, a = clue.weight / (1 + z * z);
      for (int r = 0; r < kLeakTerms; r++) {
        for (int k = 0; k < kLeakTerms; k++) m[r][k] += a * clue.terms[r] * clue.terms[k];
        m[r][kLeakTerms] += a * clue.terms[r] * clue.excess;
      }
    }
    solve_leak(m, c);
    scale = 1.4826 * median_size(clues, c, sizes);
  }
  std::copy_n(c, kLeakTerms, args.result);
}

void remove_leak(const Context& context, const RemoveLeakArgs& args) {
  const int64_t bins = args.bins;
  const double side = args.share / 2;
  const LeakSystem system(args);
  context.parallel_for(args.views, std::max<int64_t>(1, (1 << 14) / bins), [&](int64_t begin, int64_t end) {
    Scratch<double> value = context.scratch<double>(bins);
    for (int64_t v = begin; v < end; v++) {
      const int64_t row = v * bins;
      for (int64_t k = 0; k < bins; k++) {
        const double t = std::exp(-double(args.measured[row + k])) - args.floor;
        value[k] = (t - (k > 0 ? side * value[k - 1] : 0)) / system.pivot[k];
      }
      for (int64_t k = bins; k-- > 0;) {
        if (k + 1 < bins) value[k] -= system.upper[k] * value[k + 1];
        const int64_t i = row + k;
        args.output[i] = args.where[i] ? float(-std::log(std::max(value[k], args.least))) : args.measured[i];
      }
    }
  });
}

}  // namespace sino::cpu
