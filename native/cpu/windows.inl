// windows.h for registers of 16 floats. Included by kernels_avx512.cc, inside its namespace.

#include "native/cpu/windows/window.inl"

#include "native/cpu/windows/backproject.inl"
#include "native/cpu/windows/joseph.inl"
#include "native/cpu/windows/joseph_transpose.inl"

const WindowKernels window_kernels = {rays_of_view, joseph_window, transpose_look, transpose_tile, look_from_patch,
                                      add_parallel, add_pair,      place_pixels,   add_places};
