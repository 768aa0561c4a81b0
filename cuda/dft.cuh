// Discrete Fourier transforms of 2, 3, 4, 5, 6, 8, 12 and 16 complex numbers in registers: what longer transforms are made of.
#pragma once

#include "cuda/kernel.cuh"

namespace sino::cuda {

__device__ __forceinline__ float2 operator+(float2 a, float2 b) { return {a.x + b.x, a.y + b.y}; }
__device__ __forceinline__ float2 operator-(float2 a, float2 b) { return {a.x - b.x, a.y - b.y}; }
__device__ __forceinline__ float2 operator*(float2 a, float2 b) {
  return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x};
}
__device__ __forceinline__ float2 operator*(float s, float2 a) { return {s * a.x, s * a.y}; }
__device__ __forceinline__ float2 turned_back(float2 a) { return {a.y, -a.x}; }  // times −i
__device__ __forceinline__ float2 swapped(float2 a) { return {a.y, a.x}; }
__device__ __forceinline__ float2 conjugate(float2 a) { return {a.x, -a.y}; }

// e^(−2πi j/N), N a divisor of 48; folded where j is known to the compiler.
template <int N>
__device__ __forceinline__ float2 root_of_unity(int j) {
  constexpr float quarter[13] = {1.f,          0.991444861f, 0.965925826f, 0.923879533f, 0.866025404f,
                                 0.79335334f,  0.707106781f, 0.608761429f, 0.5f,         0.382683432f,
                                 0.258819045f, 0.130526192f, 0.f};
  const int k = j * (48 / N) % 48, half = k % 24, mirrored = half > 12 ? 24 - half : half;
  const float sign = k < 24 ? 1.f : -1.f;
  return {sign * (half > 12 ? -quarter[mirrored] : quarter[mirrored]), -sign * quarter[12 - mirrored]};
}

template <int N>
struct Dft;

// X[k] = Σ_n z[n] e^(−2πi nk/N), in place. The inverse (times N) is the same with real and imaginary parts exchanged before and after.
template <int N>
__device__ __forceinline__ void dft(float2 (&z)[N]) {
  Dft<N>::run(z);
}
template <int N>
__device__ __forceinline__ void inverse_dft(float2 (&z)[N]) {
#pragma unroll
  for (int k = 0; k < N; k++) z[k] = swapped(z[k]);
  Dft<N>::run(z);
#pragma unroll
  for (int k = 0; k < N; k++) z[k] = swapped(z[k]);
}

template <>
struct Dft<2> {
  static __device__ __forceinline__ void run(float2 (&z)[2]) {
    const float2 a = z[0], b = z[1];
    z[0] = a + b, z[1] = a - b;
  }
};
template <>
struct Dft<3> {
  static __device__ __forceinline__ void run(float2 (&z)[3]) {
    const float2 sum = z[1] + z[2], turned = 0.866025404f * turned_back(z[1] - z[2]), middle = z[0] - 0.5f * sum;
    z[0] = z[0] + sum, z[1] = middle + turned, z[2] = middle - turned;
  }
};
template <>
struct Dft<4> {
  static __device__ __forceinline__ void run(float2 (&z)[4]) {
    const float2 a = z[0] + z[2], b = z[0] - z[2], c = z[1] + z[3], d = turned_back(z[1] - z[3]);
    z[0] = a + c, z[1] = b + d, z[2] = a - c, z[3] = b - d;
  }
};
template <>
struct Dft<5> {
  static __device__ __forceinline__ void run(float2 (&z)[5]) {
    const float2 p = z[1] + z[4], q = z[2] + z[3], u = z[1] - z[4], v = z[2] - z[3];
    const float2 x = z[0] + 0.309016994f * p - 0.809016994f * q, y = z[0] - 0.809016994f * p + 0.309016994f * q;
    const float2 g = turned_back(0.951056516f * u + 0.587785252f * v);
    const float2 h = turned_back(0.587785252f * u - 0.951056516f * v);
    z[0] = z[0] + p + q;
    z[1] = x + g, z[2] = y + h, z[3] = y - h, z[4] = x - g;
  }
};
// N = A·B: B transforms of A numbers, turns, A transforms of B numbers (Cooley and Tukey).
template <int A, int B>
struct DftOfTwo {
  static __device__ __forceinline__ void run(float2 (&z)[A * B]) {
    float2 part[B][A];
#pragma unroll
    for (int b = 0; b < B; b++) {
#pragma unroll
      for (int a = 0; a < A; a++) part[b][a] = z[B * a + b];
      Dft<A>::run(part[b]);
    }
#pragma unroll
    for (int k = 0; k < A; k++) {
      float2 column[B];
#pragma unroll
      for (int b = 0; b < B; b++) {
        const int turn = b * k * (48 / (A * B)) % 48;
        column[b] = turn == 0    ? part[b][k]
                    : turn == 12 ? turned_back(part[b][k])
                                 : part[b][k] * root_of_unity<48>(turn);
      }
      Dft<B>::run(column);
#pragma unroll
      for (int m = 0; m < B; m++) z[k + A * m] = column[m];
    }
  }
};
template <>
struct Dft<6> : DftOfTwo<3, 2> {};
template <>
struct Dft<8> : DftOfTwo<4, 2> {};
template <>
struct Dft<12> : DftOfTwo<3, 4> {};
template <>
struct Dft<16> : DftOfTwo<4, 4> {};

}  // namespace sino::cuda
