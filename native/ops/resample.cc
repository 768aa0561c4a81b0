#include "native/ops/resample.h"

#include <algorithm>

namespace sino {

namespace {
void add_tap(ResampleTaps& taps, int64_t from, int64_t index, double weight) {
  if (weight == 0) return;
  const auto inside = static_cast<int32_t>(std::clamp<int64_t>(index, 0, from - 1));
  const bool same = static_cast<int64_t>(taps.index.size()) > taps.start.back() && taps.index.back() == inside;
  if (same) {
    taps.weight.back() += static_cast<float>(weight);
  } else {
    taps.index.push_back(inside);
    taps.weight.push_back(static_cast<float>(weight));
  }
}
}  // namespace

ResampleTaps resample_taps(int64_t from, int64_t to, Resampling method) {
  ResampleTaps taps;
  taps.start.push_back(0);
  for (int64_t k = 0; k < to; k++) {
    // Positions from integers, so that an output centre on an input centre has fraction zero exactly.
    const double centre = static_cast<double>((2 * k + 1) * from) / static_cast<double>(2 * to);
    const double s = static_cast<double>((2 * k + 1) * from - to) / static_cast<double>(2 * to);
    const int64_t below = static_cast<int64_t>(std::floor(s));
    switch (method) {
      case Resampling::nearest:
        add_tap(taps, from, static_cast<int64_t>(centre), 1);
        break;
      case Resampling::linear:
        add_tap(taps, from, below, 1 - (s - below));
        add_tap(taps, from, below + 1, s - below);
        break;
      case Resampling::cubic:
        for (int64_t i = below - 1; i <= below + 2; i++) add_tap(taps, from, i, keys_cubic(s - i));
        break;
      case Resampling::lanczos: {
        const double coarser = std::max(1.0, static_cast<double>(from) / static_cast<double>(to)), reach = 3 * coarser;
        double sum = 0;
        const auto first = static_cast<int64_t>(std::floor(s - reach)), last = static_cast<int64_t>(s + reach) + 1;
        for (int64_t i = first; i <= last; i++) sum += lanczos((s - i) / coarser);
        for (int64_t i = first; i <= last; i++) add_tap(taps, from, i, lanczos((s - i) / coarser) / sum);
        break;
      }
      case Resampling::area: {
        const double scale = static_cast<double>(to) / static_cast<double>(from);
        for (int64_t i = k * from / to; i * to < (k + 1) * from; i++) {
          const int64_t covered = std::min((i + 1) * to, (k + 1) * from) - std::max(i * to, k * from);
          add_tap(taps, from, i, scale * static_cast<double>(covered) / static_cast<double>(to));
        }
      }
    }
    taps.start.push_back(static_cast<int64_t>(taps.index.size()));
  }
  return taps;
}

}  // namespace sino
