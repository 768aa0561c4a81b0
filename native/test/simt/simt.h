// simt: CUDA kernels as plain C++, on a machine without a GPU. A thread is a fiber, a block's threads take turns at barriers and
// collectives, blocks run one after the other; every file compiled with -fsanitize=thread hands its memory accesses to our own
// checker (hooks.cc; libtsan is not linked), which knows bounds, unwritten memory, and what barriers, __syncwarp, atomics, streams
// and events order.
//
//   types.h language.h cuda_api.h   CUDA's spelling               engine.h       what they stand on
//   scheduler.cc fiber.h            blocks, barriers, collectives  memory.h/.cc   arenas, shadow cells, races
//   hooks.cc                        the compiler's calls           cuda_api.cc    devices, streams, events, copies
//   control.h                       for tests                      report.h/.cc   sentences with places
//
// Not modelled: weak memory, bank conflicts, registers and occupancy, textures, constant memory, spinning on other threads.
// Arithmetic is the host's: nvcc contracts to FMA and mma rounds in its own order, so kernels are compared within tolerances.
#pragma once

#include "native/test/simt/control.h"
#include "native/test/simt/cuda_api.h"
#include "native/test/simt/engine.h"
#include "native/test/simt/language.h"
#include "native/test/simt/types.h"
