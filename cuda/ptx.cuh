// Instructions that CUDA C++ has no word for: tensor cores, asynchronous copies, loads beside atomics. Each has a body in PTX and
// one in C++ (native/test/simt/scheduler.cc); they are the only functions with two bodies. Fragment layouts: PTX ISA, "Matrix
// Fragments for mma.m16n8k16 with floating point type".
#pragma once

#if defined(__CUDACC__)
#define SINO_PTX_AT
#else
#define SINO_PTX_AT , SIMT_AT
#endif

namespace sino::ptx {

#if defined(__CUDACC__)
__device__ __forceinline__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}
#endif

// Two halves in one register; `low` is the lower matrix index.
__device__ __forceinline__ unsigned pack(half low, half high) {
  const half2 both = __halves2half2(low, high);
  return *reinterpret_cast<const unsigned*>(&both);
}

// C (16×8) += A (16×16) · B (16×8 as stored: row k, column n), halves in, float32 sums. All 32 lanes call.
__device__ __forceinline__ void mma_m16n8k16(float (&c)[4], const unsigned (&a)[4],
                                             const unsigned (&b)[2] SINO_PTX_AT) {
#if !defined(__CUDACC__)
  simt::mma_m16n8k16(c, a, b, at);
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif defined(__CUDA_ARCH__)  // 7.5 has k = 8 only
  for (int k = 0; k < 2; k++)
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[2 * k]), "r"(a[2 * k + 1]), "r"(b[k]));
#endif
}

// Four 8×8 matrices of halves from shared memory: lane i gives the address of row i (16 bytes, 16-byte aligned).
__device__ __forceinline__ void ldmatrix_x4(unsigned (&r)[4], const void* row SINO_PTX_AT) {
#if !defined(__CUDACC__)
  simt::ldmatrix(r, 4, false, row, at);
#elif defined(__CUDA_ARCH__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#endif
}
// The same, each matrix transposed: B fragments of a matrix stored with n along the row.
__device__ __forceinline__ void ldmatrix_x4_transposed(unsigned (&r)[4], const void* row SINO_PTX_AT) {
#if !defined(__CUDACC__)
  simt::ldmatrix(r, 4, true, row, at);
#elif defined(__CUDA_ARCH__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#endif
}
// Two matrices; lanes 0 to 15 give the rows.
__device__ __forceinline__ void ldmatrix_x2_transposed(unsigned (&r)[2], const void* row SINO_PTX_AT) {
#if !defined(__CUDACC__)
  simt::ldmatrix(r, 2, true, row, at);
#elif defined(__CUDA_ARCH__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
#endif
}

// Copies Bytes (4, 8, 16) from global to shared memory behind this thread's back; the first `present` come from `from`, zeros
// follow. Both addresses are multiples of Bytes. Ends with cp_async_wait and, for other threads to see it, a barrier.
template <int Bytes>
__device__ __forceinline__ void cp_async(void* to, const void* from, unsigned present SINO_PTX_AT) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if !defined(__CUDACC__)
  simt::cp_async(to, from, Bytes, present, at);
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(present)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from), "n"(Bytes),
                 "r"(present)
                 : "memory");
#elif defined(__CUDA_ARCH__)  // 7.5 copies at once, by words: `present` is a multiple of 4
#pragma unroll
  for (unsigned i = 0; i < Bytes / 4; i++)
    static_cast<unsigned*>(to)[i] = 4 * i < present ? static_cast<const unsigned*>(from)[i] : 0u;
#endif
}
// Closes a group of copies.
__device__ __forceinline__ void cp_async_commit() {
#if !defined(__CUDACC__)
  simt::cp_async_commit();
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Waits until at most `Pending` of this thread's groups are under way.
template <int Pending>
__device__ __forceinline__ void cp_async_wait() {
#if !defined(__CUDACC__)
  simt::cp_async_wait(Pending);
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

// What lies in global memory, where other threads may change it by atomics meanwhile.
__device__ __forceinline__ int load_relaxed(const int* p SINO_PTX_AT) {
#if !defined(__CUDACC__)
  return simt::atomic(const_cast<int*>(p), at, [](int old) SIMT_RAW { return old; });
#elif defined(__CUDA_ARCH__)
  int value;
  asm volatile("ld.relaxed.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(p) : "memory");
  return value;
#else
  return *p;
#endif
}

}  // namespace sino::ptx
