// A Geometry as kernels take it: the same names, poses in device memory.
#pragma once

#include "cuda/check.cuh"
#include "native/geometry/geometry.h"

namespace sino::cuda {

struct Scanner {
  Beam beam;
  Grid grid;
  int64_t bins, views;
  double centre, pitch, sod;
  const Pose* poses;
};

// Its poses live until what is queued before the end of this object's scope is over.
class ScannerOnDevice {
 public:
  ScannerOnDevice(cudaStream_t stream, const Geometry& g)
      : poses_(stream, g.poses.size()),
        scanner_{g.beam, g.grid, g.bins, g.views(), g.centre, g.pitch, g.sod, poses_.data()} {
    poses_.upload(g.poses.data(), g.poses.size());
  }
  const Scanner& scanner() const { return scanner_; }

 private:
  StreamMemory<Pose> poses_;
  Scanner scanner_;
};

// launch(OfBeam<…>()) for the beam at hand: kernels are compiled once per beam.
template <Beam B>
struct OfBeam {
  static constexpr Beam value = B;
};
template <typename Launch>
void for_beam(Beam beam, const Launch& launch) {
  switch (beam) {
    case Beam::parallel:
      return launch(OfBeam<Beam::parallel>());
    case Beam::flat:
      return launch(OfBeam<Beam::flat>());
    case Beam::arc:
      return launch(OfBeam<Beam::arc>());
  }
}

}  // namespace sino::cuda
