// morphology on the CPU: distances along the columns first (kernels.inl), then row by row the shape that is
// asked for.
#include <cstring>
#include <vector>

#include "native/cpu/cpu.h"
#include "native/cpu/distance_lines.h"
#include "native/cpu/kernels.h"

namespace sino::cpu {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Distance in city blocks: a run to the right and one to the left.
void city_block_row(const float* counts, int64_t columns, float* distances) {
  float d = kInfinity;
  for (int64_t x = 0; x < columns; x++) distances[x] = d = std::min(d + 1, counts[x]);
  for (int64_t x = columns; x-- > 0;) distances[x] = d = std::min(d + 1, distances[x]);
}

// Distance along the row to the nearest column whose count is within reach.
void box_row(const float* counts, int64_t columns, float reach, float* distances) {
  float d = kInfinity;
  for (int64_t x = 0; x < columns; x++) distances[x] = d = counts[x] <= reach ? 0 : d + 1;
  for (int64_t x = columns; x-- > 0;) distances[x] = d = std::min(d + 1, distances[x]);
}

void disk_row(Envelope<double>& envelope, const float* counts, const std::vector<int32_t>& near, int64_t columns,
              double radius_squared, uint8_t outside, uint8_t* result) {
  std::fill(result, result + columns, outside);
  solve_line(
      envelope, near.data(), near.size(), columns, [&](int32_t q) { return double(counts[q]) * counts[q]; },
      [&](int64_t begin, int64_t end, int32_t vertex, double offset) {
        if (offset > radius_squared) return;
        int64_t span = static_cast<int64_t>(std::sqrt(radius_squared - offset));
        while (double(span + 1) * double(span + 1) + offset <= radius_squared) span++;
        const int64_t first = std::max(begin, vertex - span), last = std::min(end, vertex + span + 1);
        if (first < last) std::memset(result + first, 1 - outside, last - first);
      });
}

}  // namespace

void morphology(const Context& context, const MorphologyArgs& args) {
  const int64_t columns = args.columns, plane = args.rows * columns;
  if (plane == 0) return;
  // Set pixels are the features of a dilation, unset ones those of an erosion.
  const uint8_t outside = args.erode ? 1 : 0;
  // Whatever is reached, it is not further away than the image is large.
  const double reach = std::min(args.reach, double(args.rows + columns));
  context.parallel_for(args.slices, 1, [&](int64_t begin, int64_t end) {
    Scratch<float> all_counts = context.scratch<float>(plane), row = context.scratch<float>(columns);
    Envelope<double> envelope(context, columns + 1, 1);
    std::vector<int32_t> near;
    for (int64_t slice = begin; slice < end; slice++) {
      simd_kernels().distance_counts(args.mask + slice * plane, !args.erode, args.rows, columns, columns,
                                     all_counts.data());
      for (int64_t y = 0; y < args.rows && !context.job.cancelled; y++) {
        const float* counts = all_counts.data() + y * columns;
        uint8_t* result = args.result + slice * plane + y * columns;
        if (args.shape == Reach::disk) {
          near.clear();
          for (int64_t x = 0; x < columns; x++)
            if (counts[x] <= reach) near.push_back(static_cast<int32_t>(x));
          disk_row(envelope, counts, near, columns, reach * reach, outside, result);
          continue;
        }
        if (args.shape == Reach::cross)
          city_block_row(counts, columns, row.data());
        else
          box_row(counts, columns, static_cast<float>(reach), row.data());
        for (int64_t x = 0; x < columns; x++) result[x] = (row[x] <= reach) ^ outside;
      }
      context.job.advance(args.rows);
    }
  });
}

}  // namespace sino::cpu
