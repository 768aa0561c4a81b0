// Functions marked SINO_HD compile for the host and, under nvcc, for the device too: the formulas of an
// operation exist once.
#pragma once

#if defined(__CUDACC__)
#define SINO_HD __host__ __device__
#else
#define SINO_HD
#endif
