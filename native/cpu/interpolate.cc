// interpolate on the CPU: views in parallel, then the views that had no unflagged bin, slice by slice.
#include "native/ops/interpolate.h"

#include <algorithm>
#include <cstring>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

// Fills the gaps of one view; false where every bin is flagged.
bool fill_view(const float* s, const uint8_t* trace, const float* prior, int64_t bins, float* out) {
  std::memcpy(out, s, bins * sizeof(float));
  auto difference = [&](int64_t k) { return prior ? double(s[k]) - prior[k] : double(s[k]); };
  auto base = [&](int64_t k) { return prior ? double(prior[k]) : 0.0; };
  for (int64_t k = 0; k < bins;) {
    if (!trace[k]) {
      k++;
      continue;
    }
    const int64_t begin = k;
    while (k < bins && trace[k]) k++;
    if (begin == 0 && k == bins) return false;
    const double left = difference(begin > 0 ? begin - 1 : k), right = difference(k < bins ? k : begin - 1);
    const double width = static_cast<double>(k - begin + 1);
    for (int64_t i = begin; i < k; i++)
      out[i] = static_cast<float>(base(i) + line_between(left, right, (i - begin + 1) / width));
  }
  return true;
}

// Fills view v from its nearest filled neighbours `before` and `after` (−1: none on that side).
void fill_between(const InterpolateArgs& args, int64_t slice, int64_t before, int64_t v, int64_t after) {
  const int64_t start = slice * args.views * args.bins;
  const float* prior = args.prior ? args.prior + start : nullptr;
  float* out = args.output + start;
  auto difference = [&](int64_t view, int64_t k) {
    const int64_t i = view * args.bins + k;
    return prior ? double(out[i]) - prior[i] : double(out[i]);
  };
  const int64_t left = before >= 0 ? before : after, right = after >= 0 ? after : before;
  const double fraction = left == right ? 0 : double(v - left) / double(right - left);
  for (int64_t k = 0; k < args.bins; k++) {
    const int64_t i = v * args.bins + k;
    const double d = left < 0 ? 0 : line_between(difference(left, k), difference(right, k), fraction);
    out[i] = static_cast<float>(prior ? prior[i] + d : d);
  }
}

}  // namespace

void interpolate(const Context& context, const InterpolateArgs& args) {
  const int64_t rows = args.slices * args.views, bins = args.bins;
  Scratch<uint8_t> filled = context.scratch<uint8_t>(rows);
  context.parallel_for(
      rows, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, bins)), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; r++)
          filled[r] = fill_view(args.sinograms + r * bins, args.trace + r * bins,
                                args.prior ? args.prior + r * bins : nullptr, bins, args.output + r * bins);
        context.job.advance(end - begin);
      });
  *args.full_views = bins == 0 ? 0 : rows - std::count(filled.data(), filled.data() + rows, uint8_t(1));
  if (*args.full_views == 0) return;
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slice = begin; slice < end; slice++) {
      const uint8_t* done = filled.data() + slice * args.views;
      int64_t before = -1, after = 0;  // after: the first filled view at or beyond v
      for (int64_t v = 0; v < args.views && !context.job.cancelled; v++) {
        if (done[v]) {
          before = v;
          continue;
        }
        if (after < v) after = v;
        while (after < args.views && !done[after]) after++;
        fill_between(args, slice, before, v, after < args.views ? after : -1);
      }
    }
  });
}

}  // namespace sino::cpu
