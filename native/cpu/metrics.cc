// metrics on the CPU.
#include <algorithm>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

constexpr int64_t kRows = 16;  // per chunk

const uint8_t* mask_of_slice(const uint8_t* mask, int64_t mask_slices, int64_t slice, int64_t pixels) {
  return mask ? mask + (mask_slices == 1 ? 0 : slice) * pixels : nullptr;
}

void row_differences(const float* a, const float* b, const uint8_t* mask, int64_t n, double* sums) {
  double count = 0, plain = 0, absolute = 0, squared = 0, largest = 0, low = INFINITY, high = -INFINITY;
  for (int64_t i = 0; i < n; i++) {
    if (mask && mask[i]) continue;
    const double d = double(a[i]) - double(b[i]);
    count += 1;
    plain += d;
    absolute += std::abs(d);
    squared += d * d;
    largest = std::max(largest, std::abs(d));
    low = std::min(low, double(b[i]));
    high = std::max(high, double(b[i]));
  }
  const double row[kDifferenceSums] = {count, plain, absolute, squared, largest, low, high};
  std::copy(row, row + kDifferenceSums, sums);
}

// Weighted sums down the columns for one row of windows, then along it.
template <class Window>
double ssim_row(const SsimArgs& args, const float* a, const float* b, const double* taps, double* moments) {
  const int64_t columns = args.columns;
  std::fill(moments, moments + kSsimMoments * columns, 0.0);
  for (int t = 0; t < Window::taps; t++) {
    const float *p = a + t * columns, *q = b + t * columns;
    const double w = taps[t];
    for (int64_t c = 0; c < columns; c++) {
      const double x = p[c], y = q[c];
      moments[kMeanA * columns + c] += w * x;
      moments[kMeanB * columns + c] += w * y;
      moments[kSquareA * columns + c] += w * x * x;
      moments[kSquareB * columns + c] += w * y * y;
      moments[kProduct * columns + c] += w * x * y;
    }
  }
  double sum = 0;
  for (int64_t c = 0; c + Window::taps <= columns; c++) {
    double m[kSsimMoments];
    for (int k = 0; k < kSsimMoments; k++) {
      const double* line = moments + k * columns + c;
      m[k] = 0;
      for (int t = 0; t < Window::taps; t++) m[k] += taps[t] * line[t];
    }
    sum += ssim_of(m, args.c1, args.c2, Window::spread);
  }
  return sum;
}

template <class Window>
void mean_ssim(const Context& context, const SsimArgs& args) {
  const SsimTaps<Window> taps = ssim_taps<Window>();
  const int64_t windows = args.rows - Window::taps + 1, across = args.columns - Window::taps + 1;
  Scratch<double> rows = context.scratch<double>(args.slices * windows);
  context.parallel_for(args.slices * windows, kRows, [&](int64_t begin, int64_t end) {
    Scratch<double> moments = context.scratch<double>(kSsimMoments * args.columns);
    for (int64_t row = begin; row < end; row++) {
      const int64_t start = (row / windows * args.rows + row % windows) * args.columns;
      rows[row] = ssim_row<Window>(args, args.a + start, args.b + start, taps.weight, moments.data());
    }
    context.job.advance(end - begin);
  });
  for (int64_t slice = 0; slice < args.slices; slice++) {
    double sum = 0;
    for (int64_t r = 0; r < windows; r++) sum += rows[slice * windows + r];
    args.values[slice] = sum / double(windows * across);
  }
}

}  // namespace

void metrics_window(const Context& context, const WindowArgs& args) {
  context.parallel_for(args.slices * args.pixels, 1 << 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      args.output[i] =
          windowed(args, args.input[i], args.mask && args.mask[args.mask_slices == 1 ? i % args.pixels : i]);
    context.job.advance(end - begin);
  });
}

void metrics_differences(const Context& context, const DifferenceArgs& args) {
  Scratch<double> rows = context.scratch<double>(args.slices * args.rows * kDifferenceSums);
  context.parallel_for(args.slices * args.rows, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const int64_t slice = row / args.rows, r = row % args.rows;
      const uint8_t* mask = mask_of_slice(args.mask, args.mask_slices, slice, args.rows * args.columns);
      row_differences(args.a + row * args.columns, args.b + row * args.columns,
                      mask ? mask + r * args.columns : nullptr, args.columns, &rows[row * kDifferenceSums]);
    }
    context.job.advance(end - begin);
  });
  for (int64_t slice = 0; slice < args.slices; slice++) {
    double* sums = args.sums + slice * kDifferenceSums;
    std::fill(sums, sums + kDifferenceSums, 0.0);
    sums[kReferenceLow] = INFINITY, sums[kReferenceHigh] = -INFINITY;
    for (int64_t r = 0; r < args.rows; r++) {
      const double* row = &rows[(slice * args.rows + r) * kDifferenceSums];
      for (int k : {kCount, kSigned, kAbsolute, kSquared}) sums[k] += row[k];
      sums[kLargest] = std::max(sums[kLargest], row[kLargest]);
      sums[kReferenceLow] = std::min(sums[kReferenceLow], row[kReferenceLow]);
      sums[kReferenceHigh] = std::max(sums[kReferenceHigh], row[kReferenceHigh]);
    }
  }
}

void metrics_decimate(const Context& context, const DecimateArgs& args) {
  const int64_t f = args.factor, rows = (args.rows + f - 1) / f, columns = (args.columns + f - 1) / f;
  context.parallel_for(args.slices * rows, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* image = args.input + row / rows * args.rows * args.columns;
      for (int64_t c = 0; c < columns; c++) {
        double sum = 0;
        for (int64_t i = 0; i < f; i++)
          for (int64_t j = 0; j < f; j++)
            sum += image[mirrored(row % rows * f + i, args.rows) * args.columns + mirrored(c * f + j, args.columns)];
        args.output[row * columns + c] = static_cast<float>(sum / double(f * f));
      }
    }
    context.job.advance(end - begin);
  });
}

void metrics_ssim(const Context& context, const SsimArgs& args) {
  args.uniform ? mean_ssim<UniformWindow>(context, args) : mean_ssim<GaussianWindow>(context, args);
}

}  // namespace sino::cpu
