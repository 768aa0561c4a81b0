// axpy on the CPU: chunks of a slice; what is missing costs no loads.
#include "native/ops/axpy.h"

#include <algorithm>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

constexpr int64_t kChunk = 1 << 15;
constexpr int64_t kBlock = 512;

struct Chunk {
  const float *x, *weights, *y;
  float* output;
  int64_t count;
};

double axpy_chunk(const Chunk& c, float a, float b, float low, float high, bool squares) {
  double sums[4] = {};
  float line[kBlock];
  for (int64_t first = 0; first < c.count; first += kBlock) {
    const int64_t n = std::min(kBlock, c.count - first);
    float* out = c.output ? c.output + first : line;
    const float *x = c.x ? c.x + first : nullptr, *y = c.y ? c.y + first : nullptr;
    const float* w = c.weights ? c.weights + first : nullptr;
    if (x && y && w)
      for (int64_t i = 0; i < n; i++) out[i] = axpy_of(a, x[i], b, w[i] * y[i], low, high);
    else if (x && y)
      for (int64_t i = 0; i < n; i++) out[i] = axpy_of(a, x[i], b, y[i], low, high);
    else if (y)
      for (int64_t i = 0; i < n; i++) out[i] = axpy_of(0, 0, b, w ? w[i] * y[i] : y[i], low, high);
    else
      for (int64_t i = 0; i < n; i++) out[i] = axpy_of(a, x ? x[i] : 0, 0, 0, low, high);
    if (!squares) continue;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
      for (int k = 0; k < 4; k++) sums[k] += double(out[i + k]) * double(out[i + k]);
    for (; i < n; i++) sums[0] += double(out[i]) * double(out[i]);
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

void axpy(const Context& context, const AxpyArgs& args) {
  const int64_t chunks = (args.length + kChunk - 1) / kChunk;
  std::vector<double> sums(args.squares ? args.slices * chunks : 0);
  context.parallel_for(args.slices * chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; k++) {
      const int64_t slice = k / chunks, first = k % chunks * kChunk, at = slice * args.length + first;
      const Chunk chunk = {args.x ? args.x + at : nullptr, args.weights ? args.weights + first : nullptr,
                           args.y ? args.y + at : nullptr, args.output ? args.output + at : nullptr,
                           std::min(kChunk, args.length - first)};
      const double sum = axpy_chunk(chunk, static_cast<float>(factor_of(args.a, slice)),
                                    static_cast<float>(factor_of(args.b, slice)), args.low, args.high, args.squares);
      if (args.squares) sums[k] = sum;
    }
  });
  for (int64_t s = 0; args.squares && s < args.slices; s++) {
    args.squares[s] = 0;
    for (int64_t k = 0; k < chunks; k++) args.squares[s] += sums[s * chunks + k];
  }
}

void reciprocal(const Context& context, const ReciprocalArgs& args) {
  context.parallel_for(args.count, kChunk, [&](int64_t begin, int64_t end) {
    const ReciprocalArgs a = args;  // which nothing else can change, so that the loop vectorises
    for (int64_t i = begin; i < end; i++) a.output[i] = reciprocal_of(a, i);
  });
}

}  // namespace sino::cpu
