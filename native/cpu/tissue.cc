// tissue on the CPU: slices in parallel; per slice, values are sorted into buckets once and k-means looks only at those that an edge
// cuts.
#include "native/ops/tissue.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

constexpr int64_t kChunk = 1 << 16;
constexpr float kLargest = std::numeric_limits<float>::max();

struct Sum {
  double count = 0, sum = 0;
};

// The finite values of a slice in kBuckets classes of equal width, each class together in memory: what lies above an edge is whole
// classes, known beforehand, and a part of one, which is looked at value by value. Exact, and each k-means iteration is short.
class Buckets {
 public:
  Buckets(const Context& context, const float* x, int64_t count)
      : values_(context.scratch<float>(count)), start_(kBuckets + 1, 0), above_(kBuckets + 1) {
    float highest = -kLargest;
    for (int64_t i = 0; i < count; i++) {
      const bool finite = std::fabs(x[i]) <= kLargest;
      lowest_ = finite && x[i] < lowest_ ? x[i] : lowest_;
      highest = finite && x[i] > highest ? x[i] : highest;
    }
    if (highest > lowest_) scale_ = (kBuckets - 1) / (double(highest) - lowest_);
    for (int64_t i = 0; i < count; i++)
      if (std::fabs(x[i]) <= kLargest) start_[bucket_of(x[i]) + 1]++;
    context.check();
    for (int k = 0; k < kBuckets; k++) start_[k + 1] += start_[k];
    std::vector<int64_t> next(start_.begin(), start_.end() - 1);
    for (int64_t i = 0; i < count; i++)
      if (std::fabs(x[i]) <= kLargest) values_[next[bucket_of(x[i])]++] = x[i];
    context.check();
    for (int k = kBuckets; k-- > 0;) {
      above_[k] = above_[k + 1];
      for (int64_t i = start_[k]; i < start_[k + 1]; i++) above_[k].count++, above_[k].sum += values_[i];
    }
  }

  Sum all() const { return above_[0]; }

  Sum above(float edge) const {
    const int k = bucket_of(edge);
    Sum s = above_[k + 1];
    for (int64_t i = start_[k]; i < start_[k + 1]; i++)
      if (values_[i] > edge) s.count++, s.sum += values_[i];
    return s;
  }

  // Infinite where nothing is above.
  float smallest_above(float edge) const {
    float smallest = std::numeric_limits<float>::infinity();
    for (int k = bucket_of(edge); k < kBuckets && smallest > kLargest; k++)
      for (int64_t i = start_[k]; i < start_[k + 1]; i++)
        if (values_[i] > edge && values_[i] < smallest) smallest = values_[i];
    return smallest;
  }

 private:
  static constexpr int kBuckets = 4096;
  int bucket_of(float value) const {
    return static_cast<int>(std::clamp((double(value) - lowest_) * scale_, 0.0, double(kBuckets - 1)));
  }
  Scratch<float> values_;
  std::vector<int64_t> start_;  // of every bucket in values_
  std::vector<Sum> above_;      // this bucket and all after it
  float lowest_ = kLargest;
  double scale_ = 0;
};

void thresholds_of(const Context& context, const TissueThresholdsArgs& args, int64_t slice) {
  const Buckets values(context, args.images + slice * args.pixels, args.pixels);
  double centres[3] = {0, args.mu_water, 2 * args.mu_water};
  float low = class_edge(centres[0], centres[1]), high = class_edge(centres[1], centres[2]);
  for (int iteration = 0; iteration < kMostTissueIterations; iteration++) {
    context.check();
    const Sum from[4] = {values.all(), values.above(low), values.above(high), {}};
    for (int c = 0; c < 3; c++) {
      const double count = from[c].count - from[c + 1].count;
      if (count > 0) centres[c] = (from[c].sum - from[c + 1].sum) / count;
    }
    const float next_low = class_edge(centres[0], centres[1]), next_high = class_edge(centres[1], centres[2]);
    if (next_low == low && next_high == high) break;
    low = next_low, high = next_high;
  }
  args.water[slice] = water_threshold(centres, high, values.smallest_above(low));
  args.bone[slice] = bone_threshold(centres, args.mu_water, values.smallest_above(high));
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
