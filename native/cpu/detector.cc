// detector on the CPU: about 10 ns per exp.
#include "native/cpu/cpu.h"

namespace sino::cpu {

void mean_intensity(const Context& context, const MeanIntensityArgs& args) {
  context.parallel_for(args.lines, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * args.bins; i < end * args.bins; i++) args.output[i] = mean_intensity_at(args, i);
    context.job.advance(end - begin);
  });
}

void detector_response(const Context& context, const DetectorArgs& args) {
  const int64_t taps = 2 * args.reach + 1;
  context.parallel_for(args.lines, 16, [&](int64_t begin, int64_t end) {
    // the line's intensities with both ends repeated, so that every bin finds all its neighbours
    Scratch<double> padded = context.scratch<double>(args.bins + taps);
    for (int64_t line = begin; line < end; line++) {
      const float* p = args.line_integrals + line * args.bins;
      float* q = args.output + line * args.bins;
      for (int64_t k = 0; k < args.bins; k++) padded.data()[args.reach + k] = exp(-double(p[k]));
      for (int64_t k = 0; k < args.reach; k++) {
        padded.data()[k] = padded.data()[args.reach];
        padded.data()[args.reach + args.bins + k] = padded.data()[args.reach + args.bins - 1];
      }
      for (int64_t k = 0; k < args.bins; k++) {
        double sum = args.floor;
        for (int64_t j = 0; j < taps; j++) sum += args.kernel[j] * padded.data()[k + j];
        q[k] = reported(args, sum, k, p[k]);
      }
    }
    context.job.advance(end - begin);
  });
}

}  // namespace sino::cpu
