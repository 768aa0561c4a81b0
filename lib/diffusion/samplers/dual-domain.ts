/**
 * The sampler of dual-domain metal artefact reduction: the network's clean image, a reconstruction in which its projections fill the
 * metal trace, and the uncorrected image are blended, and noise of the next level is added again. X. Liu et al., "Unsupervised CT
 * metal artifact reduction by plugging diffusion priors in dual domains" (DuDoDp), IEEE TMI 2024.
 */
import type { ArrayLike, Volume } from "../../core/arrays.ts";
import { floats, requireSameShape } from "../../image/input.ts";
import { runJob } from "../../native/job.ts";
import { type OutputOptions, output } from "../../tomography/batch.ts";
import { requireBetween } from "../check.ts";
import type { Schedule } from "../schedule.ts";
import { type NoiseOptions, noiseOf, requireFiniteStep } from "../step.ts";
import { alphasAt, type Timesteps } from "../timesteps.ts";

/** Plain data. δ is how far from the metal the network's image reaches. */
export interface DualDomainStep {
  readonly timestep: number;
  readonly delta: number;
  readonly deltaMeasured: number;
  /** √ᾱ here: share of the blend with the completed sinogram, against the one with the uncorrected image. */
  readonly keep: number;
  /** √ᾱ and √(1 − ᾱ) of the next step; 1 and 0 of the last. */
  readonly signal: number;
  readonly noise: number;
}

export interface DualDomainOptions {
  /** δ falls from nearly 1 to a: δ_i = 1 − (1 − a)·exp(−n·(i + 1)/N), i = 0 for the last step. Default 0.4. */
  a?: number;
  /** Default 4. */
  n?: number;
  /** δ of the blend with the uncorrected image; default 0.8. */
  deltaMeasured?: number;
}

/** The steps at these timesteps. Throws ERR_SINO_OUT_OF_RANGE. */
export function dualDomain(
  schedule: Schedule,
  steps: Timesteps,
  options: DualDomainOptions = {},
): readonly DualDomainStep[] {
  const { a = 0.4, n = 4, deltaMeasured = 0.8 } = options;
  requireBetween(a, "a", 0, 1);
  requireBetween(n, "n", 0, Number.MAX_VALUE);
  requireBetween(deltaMeasured, "deltaMeasured", 0, Number.MAX_VALUE);
  const list = Array.from(steps);
  const bars = alphasAt(schedule, steps);
  return list.map((timestep, k) => {
    const next = bars[k + 1] ?? 1;
    return {
      timestep,
      delta: 1 - (1 - a) * Math.exp((-n * (list.length - k)) / list.length),
      deltaMeasured,
      keep: Math.sqrt(bars[k]!),
      signal: Math.sqrt(next),
      noise: Math.sqrt(1 - next),
    };
  });
}

export interface DualDomainImages {
  /** The network's estimate of the clean image; clamped to `clip`. */
  clean: ArrayLike;
  /** FBP of the sinogram whose metal trace the projections of `clean` fill. */
  consistent: ArrayLike;
  /** FBP of the sinogram as measured. */
  measured: ArrayLike;
  /** `fbp` (1/mm) of 40 times the metal trace: about 1 over the distance to metal in pixels. */
  base: ArrayLike;
}

export interface DualDomainStepOptions extends NoiseOptions, OutputOptions {
  /** Default [−1, 1]. */
  clip?: readonly [low: number, high: number] | undefined;
  /** The reconstructions times `scale` plus `shift` are in the units of `clean`; defaults 1 and 0. */
  scale?: number | undefined;
  shift?: number | undefined;
}

/**
 * Step `index` as one pass over memory: the blend of four images, with noise of the next level.
 * Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE {step, timestep, count} where the result has NaN or infinity.
 */
export async function dualDomainStep(
  step: DualDomainStep,
  images: DualDomainImages,
  index: number,
  options: DualDomainStepOptions,
): Promise<Volume> {
  const { clip = [-1, 1], scale = 1, shift = 0 } = options;
  const { clean, consistent, measured, base } = images;
  const inputs: Record<string, Float32Array> = {};
  for (const [name, image] of Object.entries({ clean, consistent, measured, base })) {
    inputs[name] = await floats(image, name, options);
    requireSameShape(image, name, clean, "clean");
  }
  const result = output(clean.shape, options.out);
  const { delta, deltaMeasured, keep, signal, noise } = step;
  const { nonFinite } = await runJob(
    "dualDomainStep",
    {
      device: options.device ?? "auto",
      ...noiseOf(index, options),
      count: result.data.length,
      ...inputs,
      ...{ low: clip[0], high: clip[1], scale, shift, delta, deltaMeasured, keep, signal, noise },
      result: result.data,
    },
    options,
  );
  requireFiniteStep(nonFinite!, index, step.timestep);
  return result;
}
