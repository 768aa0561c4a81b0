/**
 * How much of the network's image goes into the result, where and when. Where: a mask by name, made once per slice. When: a schedule by
 * name. They are multiplied. "fbp" with "dudodp" is X. Liu et al., DuDoDp, IEEE TMI 2024; "distance" and "cosine" weigh by the distance to
 * the metal in pixels, and by a cosine over the timesteps with three tenths of the image before correction.
 */
import { type ArrayLike, type Volume, volume } from "../../core/arrays.ts";
import type { DualDomainStep } from "../../diffusion/samplers/dual-domain.ts";
import type { Schedule } from "../../diffusion/schedule.ts";
import { alphasAt, type Timesteps } from "../../diffusion/timesteps.ts";
import { distanceTransform } from "../../image/distance.ts";
import { newImage } from "../../image/input.ts";
import { combine, select, threshold } from "../../image/pixels.ts";
import { allocate, type OperationOptions, runJob } from "../../native/job.ts";
import { fbp } from "../../tomography/fbp.ts";
import type { Geometry } from "../../tomography/geometry.ts";

/** "fbp": reconstruction of the metal trace, about 1 over the distance to metal in pixels, larger
 * for more of it, less by what is trusted of its rays; "distance": 1 + ½·σ(5 − d); "none": 1. */
export const weightMasks = ["fbp", "distance", "none"] as const;
export type WeightMask = (typeof weightMasks)[number];

/** "dudodp": 1 − 0.6·exp(−4·t/T); "cosine": ½·(1 + cos(π·t/T)). */
export const fusions = ["dudodp", "cosine"] as const;
export type Fusion = (typeof fusions)[number];

/** The mask of one slice [row, column], from its trace and trust [view, bin] and its metal [row, column]. */
export async function maskImage(
  kind: WeightMask,
  { trace, trust, metal }: { trace: ArrayLike; trust?: Volume | undefined; metal: ArrayLike },
  geometry: Geometry,
  options: OperationOptions,
): Promise<Volume> {
  if (kind === "fbp") {
    const known = trust && (await select(trace, trust, 0, options));
    return fbp(await combine([[40, trace], ...(known ? [[-40, known] as const] : [])], options), geometry, options);
  }
  if (kind === "none") return combine([[0, metal]], { ...options, offset: 1 });
  const { distances } = await distanceTransform(await threshold(metal, 0.5, { ...options, above: false }), options);
  // σ(5 − d) = 1/(1 + e^d/e^5): the trust of rays of d line integrals under e^5 photons
  const near = await trustOf(distances, { photons: Math.exp(5), width: 1 }, undefined, options);
  return combine([[0.5, near]], { ...options, offset: 1 });
}

export interface TrustOptions {
  photons: number;
  /** σ_p of native/ops/trust.h: rays whose error is this large are half trusted. */
  width: number;
  scatter?: number;
  scatterError?: number;
  crosstalk?: number;
  metalError?: number;
  edge?: number;
  clear?: number;
}

/**
 * How far rays [view, bin] of these line integrals are trusted, 0 to 1: width²/(width² + σ²), by photons, scatter, crosstalk, and the
 * metal's path where it is given (native/ops/trust.h).
 */
export async function trustOf(
  lineIntegrals: Volume,
  { width, ...model }: TrustOptions,
  metalPath: Volume | undefined,
  options: OperationOptions,
): Promise<Volume> {
  const { shape } = lineIntegrals;
  const [views, bins] = shape as [number, number];
  const count = views * bins;
  const device = options.device ?? "auto";
  const ones = await combine([[0, lineIntegrals]], { ...options, offset: 1, low: 1, high: 1 });
  const where = (await threshold(ones, 0.5, options)).data;
  const variance = allocate(count);
  const none = { scatter: 0, scatterError: 0, crosstalk: 0, metalError: 0, edge: 0, clear: 0 };
  const rays = { measured: lineIntegrals.data, slope: ones.data, metal: (metalPath ?? ones).data, where, variance };
  await runJob("rayVariance", { device, views, bins, ...none, ...model, ...rays }, { signal: options.signal });
  const trust = newImage(shape);
  const zeros = () => allocate(count);
  // no calibration, and nothing lent by other rays: prior 0 + trust · 1
  const numbers = Float64Array.of(0, 0, 1, 1e30, width);
  const work = { smooth: zeros(), weight: zeros(), evidence: zeros(), correction: zeros() };
  const one = { prior: zeros(), metal: work.correction.slice(), found: ones.data };
  await runJob(
    "rayTrust",
    { device, count, numbers, where, variance, ...one, ...work, output: trust.data },
    { signal: options.signal },
  );
  return volume(trust.data, shape);
}

/** The steps of a chain: weights of the network's image, and the noise of the level after each. */
export function fusionSteps(schedule: Schedule, steps: Timesteps, fusion: Fusion, mask: WeightMask): DualDomainStep[] {
  const bars = alphasAt(schedule, steps);
  return Array.from(steps, (timestep, k) => {
    const time = (timestep + 1) / schedule.steps;
    const most = mask === "distance" ? 0.5 * 0.95 ** (10 * time) : 1;
    const next = bars[k + 1] ?? 1;
    const level = { timestep, signal: Math.sqrt(next), noise: Math.sqrt(1 - next) };
    if (fusion === "cosine")
      return { ...level, delta: (most * (1 + Math.cos(Math.PI * time))) / 2, deltaMeasured: 0, keep: 0.7 };
    return {
      ...level,
      delta: most * (1 - 0.6 * Math.exp(-4 * time)),
      deltaMeasured: 0.8 * most,
      keep: Math.sqrt(bars[k]!),
    };
  });
}
