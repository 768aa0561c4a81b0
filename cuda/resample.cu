// resample on CUDA: a thread makes four neighbouring pixels (one, where rows are not aligned) straight from the images; what taps
// share comes from L1. Weights are the CPU's; sums in the same order, down the columns first, with FMA: 1e-6 of the largest value.
#include "native/ops/resample.h"

#include <cstring>

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

// Output k takes taps [start[k], start[k + 1]).
struct Taps {
  const int32_t *start, *index;
  const float* weight;
};

struct Resample {
  int64_t rows, columns, out_rows;
  Taps down, across;
  const float* input;
  float* output;
  template <int N>
  __device__ void at(int64_t row, int64_t k, int64_t i) const {
    const int64_t slice = row / out_rows, y = row - slice * out_rows;
    const float* image = input + slice * rows * columns;
    const int top = down.start[y], bottom = down.start[y + 1];
    Pack<float, N> out;
    for (int n = 0; n < N; n++) {
      float sum = 0;
      for (int a = across.start[k + n]; a < across.start[k + n + 1]; a++) {
        const float* column = image + across.index[a];
        float line = 0;
        for (int d = top; d < bottom; d++) line += down.weight[d] * column[down.index[d] * columns];
        sum += across.weight[a] * line;
      }
      out.value[n] = sum;
    }
    store(output, i, out);
  }
};

// One after another in `words`; the result's pointers are offsets still.
void append(const ResampleTaps& taps, std::vector<int32_t>& words) {
  words.insert(words.end(), taps.start.begin(), taps.start.end());
  words.insert(words.end(), taps.index.begin(), taps.index.end());
  words.resize(words.size() + taps.weight.size());
  std::memcpy(words.data() + words.size() - taps.weight.size(), taps.weight.data(), taps.weight.size() * 4);
}
Taps taps_at(const int32_t* words, const ResampleTaps& taps) {
  const int32_t *index = words + taps.start.size(), *weight = index + taps.index.size();
  return {words, index, reinterpret_cast<const float*>(weight)};
}

}  // namespace

void resample(Stream stream, const ResampleArgs& args) {
  if (args.slices == 0 || args.out_rows == 0 || args.out_columns == 0) return;
  const ResampleTaps down = resample_taps(args.rows, args.out_rows, args.method),
                     across = resample_taps(args.columns, args.out_columns, args.method);
  std::vector<int32_t> words;
  append(down, words);
  const size_t of_down = words.size();
  append(across, words);
  StreamMemory<int32_t> taps(stream, words.size());
  taps.upload(words.data(), words.size());
  const Resample operation = {
      args.rows,  args.columns, args.out_rows, taps_at(taps.data(), down), taps_at(taps.data() + of_down, across),
      args.input, args.output};
  const int64_t rows = args.slices * args.out_rows;
  pointwise(stream, rows, args.out_columns, moves_packs(rows, args.out_columns, args.output), operation, "resample");
}

}  // namespace sino::cuda
