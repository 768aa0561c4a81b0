// trust: how far an inverted ray behind metal is believed, and what the believed rays say about the others.
//
// Quantity. Per ray of the trace (`where`), p the measured integral, T = e^−p, P the tissue path found for it, M the metal's path,
//   Q the path that a prior expects, D = P − Q, S the smooth part of D:
//   ray_variance    σ² of P, the sum of
//                     photon noise   g²·(I0·T + scatter)/(I0·T)²              g = dP/dp, I0 photons without an object
//                     scatter        (g·scatter_error/T)²                     share of I0 that may be wrong
//                     crosstalk      (g·crosstalk·min(Σ_±1 |T' − T|/T, 30))²  T' of the neighbours on the detector
//                     metal          (metal·M)²                               density and composition
//                     edge           (edge·max over the bin and its neighbours of |ΔM| per bin)²
//                     clear²         where M = 0: a ray of the trace that missed the metal
//   ray_calibrate   C = clamp(c1·M + c2·M², −1, 1); D −= C
//   ray_evidence    weight a = 1/(σ² + floor²), and a·(D − S); outside the trace a = 0
//   ray_spread      S += A/(a' + prior), A and a' the smoothed evidence and weight
//   ray_blend       Q + S + w·(D − S), w = σp²/(σp² + σ²)
// Order. [view, bin]; one iteration is one view, or one ray.
// Edges. Beyond the detector the last bin is repeated. Paths that are not finite count as no evidence.
// Precision. float; twins agree to 1e-5 of the value (exponentials).
#pragma once

#include <cmath>
#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct TrustModel {
  float photons, scatter;  // counts per ray without an object; scattered counts
  float scatter_error, crosstalk, metal, edge, clear;
};

struct RayVarianceArgs {
  int64_t views, bins;
  TrustModel model;
  const uint8_t* where;
  const float *measured, *slope, *metal;  // slope: dp/dP
  float* variance;                        // 0 outside
};

struct RayCalibrateArgs {
  int64_t rays;
  const uint8_t* where;
  float linear, square;
  const float* metal;
  float *correction, *found;  // the correction, 0 outside; D, corrected in place
};

struct RayEvidenceArgs {
  int64_t rays;
  const uint8_t* where;
  float floor;
  const float *variance, *found, *smooth;
  float *weight, *evidence;
};

struct RaySpreadArgs {
  int64_t rays;
  float prior;  // 1/σ_P²
  const float *weight, *evidence;
  float* smooth;
};

struct RayBlendArgs {
  int64_t rays;
  const uint8_t* where;
  float width;  // σp
  const float *prior, *smooth, *found, *variance;
  float* output;
};

constexpr float kMostCrosstalk = 30, kLeastTransmission = 1e-12f;

SINO_HD inline float transmission(float p) {
  const float t = expf(-p);
  return t > kLeastTransmission ? t : kLeastTransmission;
}

// The three values are those of the bin and its neighbours on the detector.
SINO_HD inline float ray_variance_at(const TrustModel& model, const float p[3], float slope, const float metal[5]) {
  if (!(metal[2] > 0)) return model.clear * model.clear;
  const float t = transmission(p[1]), g = 1 / slope, counts = model.photons * t;
  const float noise = g * g * (counts + model.scatter) / (counts * counts);
  const float scatter = g * model.scatter_error / t;
  float step = (fabsf(transmission(p[0]) - t) + fabsf(transmission(p[2]) - t)) / t;
  step = g * model.crosstalk * (step < kMostCrosstalk ? step : kMostCrosstalk);
  const float alloy = model.metal * metal[2];
  float edge = 0;
  for (int k = 0; k < 3; k++) edge = fmaxf(edge, fabsf(metal[k + 2] - metal[k]) / 2);
  edge *= model.edge;
  return noise + scatter * scatter + step * step + alloy * alloy + edge * edge;
}

SINO_HD inline float ray_calibration(const RayCalibrateArgs& args, float metal) {
  return fminf(fmaxf((args.linear + args.square * metal) * metal, -1.0f), 1.0f);
}

SINO_HD inline void ray_evidence_at(const RayEvidenceArgs& args, int64_t i) {
  const float d = args.found[i] - args.smooth[i], spread = args.variance[i] + args.floor * args.floor;
  const bool usable = args.where[i] && fabsf(d) < 1e6f && spread < 1e12f;
  args.weight[i] = usable ? 1 / spread : 0;
  args.evidence[i] = usable ? d / spread : 0;
}

SINO_HD inline float ray_blend_at(const RayBlendArgs& args, int64_t i) {
  if (!args.where[i]) return args.prior[i];
  const float smooth = args.prior[i] + args.smooth[i], d = args.found[i] - args.smooth[i];
  const float trust = args.width * args.width / (args.width * args.width + args.variance[i]);
  return fabsf(d) < 1e6f ? smooth + trust * d : smooth;
}

}  // namespace sino
