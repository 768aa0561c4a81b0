// Included once per instruction set by kernels_*.cc, inside namespace SINO_TARGET. Only plain structs from
// headers and functions defined in this file: a shared inline function compiled here with wider instructions
// could be kept by the linker for everyone.

#include "native/cpu/kernels/vectors.inl"

#include "native/cpu/kernels/backproject.inl"
#include "native/cpu/kernels/distance.inl"
#include "native/cpu/kernels/filter.inl"
#include "native/cpu/kernels/joseph.inl"
#include "native/cpu/kernels/median.inl"
#include "native/cpu/kernels/polychromatic.inl"

#include "native/cpu/kernels/nonlocal.inl"
#include "native/cpu/kernels/rebin.inl"
#include "native/cpu/kernels/regression.inl"
#include "native/cpu/kernels/sampling_step.inl"
#include "native/cpu/kernels/total_variation.inl"
#include "native/cpu/kernels/transpose.inl"

extern const SimdKernels kernels;
const SimdKernels kernels = {
    SINO_TARGET_NAME,      SINO_TARGET_WINDOWS,  kWidth,          joseph_gather,    joseph_scatter,
    backproject_tile,      filter_rows,          rebin_views,     rebin_bins,       attenuate,
    attenuate_with_slope,  distance_counts,      distance_fill,   distance_near,    distance_roots,
    sampling_step,         dual_domain_step,     covariance_tile, mix_tile,         variation_primal,
    variation_dual<false>, variation_dual<true>, nonlocal_band,   transpose_square, median_row};
