// tissue on the CPU: slices in parallel, eight independent sums per class so that additions overlap.
#include "native/ops/tissue.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

constexpr int64_t kChunk = 1 << 16;
constexpr float kLargest = std::numeric_limits<float>::max();

// Counts and sums of all finite values, of those above `low`, and of those above `high`.
struct Sums {
  double count[3] = {}, sum[3] = {};
};

Sums sums_above(const float* x, int64_t count, float low, float high) {
  constexpr int kLanes = 8;
  const float edges[3] = {-std::numeric_limits<float>::infinity(), low, high};
  Sums total;
  for (int64_t begin = 0; begin < count; begin += 4096) {
    const int64_t n = std::min<int64_t>(4096, count - begin);
    const float* block = x + begin;
    for (int c = 0; c < 3; c++) {
      double sums[kLanes] = {};
      int32_t counts[kLanes] = {};
      auto take = [&](float value, int lane) {
        const bool above = value > edges[c] && value <= kLargest;
        counts[lane] += above;
        sums[lane] += above ? value : 0.0f;
      };
      int64_t i = 0;
      for (; i + kLanes <= n; i += kLanes)
        for (int lane = 0; lane < kLanes; lane++) take(block[i + lane], lane);
      for (; i < n; i++) take(block[i], 0);
      for (int lane = 0; lane < kLanes; lane++) total.sum[c] += sums[lane], total.count[c] += counts[lane];
    }
  }
  return total;
}

// The largest float that is not above the midpoint: value > edge in float is value > midpoint in double.
float edge_between(double a, double b) {
  const double middle = (a + b) / 2;
  const float edge = static_cast<float>(middle);
  return edge > middle ? std::nextafter(edge, -kLargest) : edge;
}

double smallest_above(const float* x, int64_t count, float low, float high, double otherwise) {
  float smallest = std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < count; i++) {
    const float value = x[i] > low && x[i] <= high ? x[i] : std::numeric_limits<float>::infinity();
    smallest = value < smallest ? value : smallest;
  }
  return smallest <= kLargest ? smallest : otherwise;
}

void thresholds_of(const Context& context, const TissueThresholdsArgs& args, int64_t slice) {
  const float* x = args.images + slice * args.pixels;
  double centres[3] = {0, args.mu_water, 2 * args.mu_water};
  float low = edge_between(centres[0], centres[1]), high = edge_between(centres[1], centres[2]);
  for (int iteration = 0; iteration < kMostTissueIterations; iteration++) {
    context.check();
    const Sums s = sums_above(x, args.pixels, low, high);
    for (int c = 0; c < 3; c++) {
      const double count = s.count[c] - (c < 2 ? s.count[c + 1] : 0), sum = s.sum[c] - (c < 2 ? s.sum[c + 1] : 0);
      if (count > 0) centres[c] = sum / count;
    }
    const float next_low = edge_between(centres[0], centres[1]), next_high = edge_between(centres[1], centres[2]);
    if (next_low == low && next_high == high) break;
    low = next_low, high = next_high;
  }
  args.water[slice] = smallest_above(x, args.pixels, low, high, (centres[0] + centres[1]) / 2);
  args.bone[slice] = std::max(smallest_above(x, args.pixels, high, kLargest, (centres[1] + centres[2]) / 2),
                              kLeastBoneOverWater * args.mu_water);
}

}  // namespace

void tissue_thresholds(const Context& context, const TissueThresholdsArgs& args) {
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slice = begin; slice < end; slice++) {
      thresholds_of(context, args, slice);
      context.job.advance(1);
    }
  });
}

void tissue_prior(const Context& context, const TissuePriorArgs& args) {
  const int64_t chunks = (args.pixels + kChunk - 1) / kChunk;
  context.parallel_for(args.slices * chunks, 1, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; c++) {
      const int64_t slice = c / chunks, begin = slice * args.pixels + c % chunks * kChunk,
                    end = std::min(begin + kChunk, (slice + 1) * args.pixels);
      const float water = static_cast<float>(args.water[slice]), bone = static_cast<float>(args.bone[slice]);
      for (int64_t i = begin; i < end; i++)
        args.prior[i] = tissue_prior_value(args.images[i], water, bone, args.mu_water);
      context.job.advance(end - begin);
    }
  });
}

}  // namespace sino::cpu
