// photon_noise, normal_noise and random_bits on CUDA: a thread per ray, or per draw of four elements. The words are the CPU's; what
// is made of them is made in double by the same formulas (native/ops/noise.h). photon_noise: a warp takes as long as its ray with
// the most draws, 2 on average.
#include "native/ops/noise.h"

#include "cuda/operations.h"
#include "cuda/pointwise.cuh"

namespace sino::cuda {

namespace {

struct PhotonNoise {
  PhotonNoiseArgs args;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t i) const {
    args.noisy[i] = noisy_line_integral(args.line_integrals[i], args.photons, args.scatter, args.source,
                                        static_cast<uint64_t>(args.first + i));
  }
};

__device__ void make(const PhiloxWords& words, float* z) { normal_quad(words, z); }
__device__ void make(const PhiloxWords& words, uint32_t* bits) {
  for (int i = 0; i < 4; i++) bits[i] = words.word[i];
}

template <typename T>
struct Quads {
  RandomSource source;
  int64_t first_draw, count;
  T* output;
  bool packs;
  template <int N>
  __device__ void at(int64_t, int64_t, int64_t q) const {
    Pack<T, 4> quad;
    make(source.draw(static_cast<uint64_t>(first_draw + q), 0), quad.value);
    if (packs && 4 * q + 4 <= count) return store(output, 4 * q, quad);
    for (int k = 0; k < 4; k++)
      if (4 * q + k < count) output[4 * q + k] = quad.value[k];
  }
};

template <typename T>
void fill_quads(cudaStream_t stream, const RandomArgs& args, const char* name) {
  T* output = static_cast<T*>(args.output);
  const Quads<T> quads = {args.source, args.first / 4, args.count, output, moves_packs(1, args.count, output)};
  pointwise_by<1>(stream, 1, (args.count + 3) / 4, quads, name);
}

}  // namespace

void photon_noise(Stream stream, const PhotonNoiseArgs& args) {
  pointwise_by<1>(stream, 1, args.count, PhotonNoise{args}, "photon_noise");
}

void normal_noise(Stream stream, const RandomArgs& args) { fill_quads<float>(stream, args, "normal_noise"); }

void random_bits(Stream stream, const RandomArgs& args) { fill_quads<uint32_t>(stream, args, "random_bits"); }

}  // namespace sino::cuda
