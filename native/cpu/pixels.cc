// pixels on the CPU: one parallel loop each.
#include "native/ops/pixels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

constexpr int64_t kChunk = 1 << 16;
constexpr int64_t kBlock = 512;  // doubles that stay in L1 while the terms of combine are added

template <typename Body>
void each_chunk(const Context& context, int64_t count, const Body& body) {
  context.parallel_for(count, kChunk, [&](int64_t begin, int64_t end) {
    body(begin, end);
    context.job.advance(end - begin);
  });
}

// What one chunk of statistics found; chunks are added up in order.
struct Partial {
  int64_t non_finite = 0;
  double sum = 0;
  float minimum = std::numeric_limits<float>::infinity(), maximum = -minimum;
};

Partial statistics_of(const float* input, int64_t count) {
  Partial p;
  constexpr int kLanes = 8;  // independent sums, so that additions overlap
  double sums[kLanes] = {};
  float low[kLanes], high[kLanes];
  std::fill(low, low + kLanes, p.minimum), std::fill(high, high + kLanes, p.maximum);
  int64_t bad = 0;
  auto take = [&](float x, int lane) {
    const bool finite = std::fabs(x) <= std::numeric_limits<float>::max();
    bad += !finite;
    sums[lane] += finite ? x : 0.0f;
    low[lane] = finite && x < low[lane] ? x : low[lane];
    high[lane] = finite && x > high[lane] ? x : high[lane];
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int lane = 0; lane < kLanes; lane++) take(input[i + lane], lane);
  for (; i < count; i++) take(input[i], 0);
  for (int lane = 0; lane < kLanes; lane++) {
    p.sum += sums[lane];
    p.minimum = std::min(p.minimum, low[lane]), p.maximum = std::max(p.maximum, high[lane]);
  }
  p.non_finite = bad;
  return p;
}

}  // namespace

void combine(const Context& context, const CombineArgs& args) {
  each_chunk(context, args.count, [&](int64_t begin, int64_t end) {
    double sums[kBlock];
    for (int64_t first = begin; first < end; first += kBlock) {
      const int64_t n = std::min(kBlock, end - first);
      std::fill(sums, sums + n, args.offset);
      for (size_t k = 0; k < args.terms.size(); k++) {
        const float* x = args.terms[k] + first;
        const double w = args.weights[k];
        for (int64_t i = 0; i < n; i++) sums[i] = plus_weighted(sums[i], w, x[i]);
      }
      float* out = args.output + first;
      for (int64_t i = 0; i < n; i++) out[i] = static_cast<float>(clamp_keeping_nan(sums[i], args.low, args.high));
    }
  });
}

void threshold(const Context& context, const ThresholdArgs& args) {
  each_chunk(context, args.count, [&](int64_t begin, int64_t end) {
    const float* x = args.input;
    if (args.above)
      for (int64_t i = begin; i < end; i++) args.mask[i] = x[i] >= args.level;
    else
      for (int64_t i = begin; i < end; i++) args.mask[i] = x[i] < args.level;
  });
}

void non_zero(const Context& context, const NonZeroArgs& args) {
  each_chunk(context, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) args.mask[i] = args.input[i] != 0;
  });
}

void select(const Context& context, const SelectArgs& args) {
  each_chunk(context, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += kBlock) {
      const int64_t n = std::min(kBlock, end - first);
      const float *a = args.a ? args.a + first : nullptr, *b = args.b ? args.b + first : nullptr;
      const uint8_t* mask = args.mask + first;
      float* out = args.output + first;
      if (b)
        std::memcpy(out, b, n * sizeof(float));
      else
        std::fill(out, out + n, args.b_value);
      if (a)
        for (int64_t i = 0; i < n; i++) out[i] = mask[i] ? a[i] : out[i];
      else
        for (int64_t i = 0; i < n; i++) out[i] = mask[i] ? args.a_value : out[i];
    }
  });
}

void statistics(const Context& context, const StatisticsArgs& args) {
  const int64_t chunks = (args.count + kChunk - 1) / kChunk;
  std::vector<Partial> partials(chunks);
  each_chunk(context, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += kChunk)
      partials[first / kChunk] = statistics_of(args.input + first, std::min(kChunk, end - first));
  });
  Partial all;
  for (const Partial& p : partials) {
    all.non_finite += p.non_finite;
    all.sum += p.sum;
    all.minimum = std::min(all.minimum, p.minimum), all.maximum = std::max(all.maximum, p.maximum);
  }
  const double none = std::numeric_limits<double>::quiet_NaN();
  const bool any = all.non_finite < args.count;
  *args.result = {all.non_finite, any ? all.minimum : none, any ? all.maximum : none, all.sum};
}

}  // namespace sino::cpu
