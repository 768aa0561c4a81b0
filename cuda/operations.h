// The CUDA twins of native/cpu: same argument structs, with every array in the memory of the current device (device pointers),
// and a stream to queue the work on. They return when the work is queued; they throw sino::Error where it could not be.
#pragma once

#include "native/ops/backproject.h"
#include "native/ops/gaussian.h"
#include "native/ops/joseph.h"
#include "native/ops/ramp.h"
#include "native/ops/rescale.h"

struct CUstream_st;

namespace sino::cuda {

using Stream = CUstream_st*;  // cudaStream_t, for files that nvcc does not compile

void joseph_project(Stream stream, const JosephArgs& args);
void joseph_transpose(Stream stream, const JosephArgs& args);
void backproject(Stream stream, const BackprojectArgs& args);
void ramp_filter(Stream stream, const FilterArgs& args);

void rescale(Stream stream, const RescaleArgs& args);
void store(Stream stream, const StoreArgs& args);
void gaussian(Stream stream, const GaussianArgs& args);

}  // namespace sino::cuda
