/** Ancestral sampling: J. Ho, A. Jain, P. Abbeel, NeurIPS 2020; learned variance: A. Nichol, P. Dhariwal, ICML 2021. */
import { requireChoice } from "../check.ts";
import { type ClipOptions, planOf, row, type SamplerPlan, type SamplerStep, stepOf } from "../plan.ts";
import { cleanFrom, type Prediction } from "../prediction.ts";
import type { Schedule } from "../schedule.ts";
import { alphasAt, type Timesteps } from "../timesteps.ts";

export const variances = ["fixed-small", "fixed-large", "learned-range", "learned-range-inverted"] as const;
export type Variance = (typeof variances)[number];

export interface DdpmOptions extends ClipOptions {
  prediction: Prediction;
  /**
   * "fixed-small" (default): β̃ = β·(1 − ᾱ')/(1 − ᾱ). "fixed-large": β. "learned-range": between them by a second output v of the
   * network, ln σ² = ½(1 + v)·ln β + ½(1 − v)·ln β̃. "learned-range-inverted": ln σ² = (1 − v)·ln β + v·ln β̃ (PatchDiffusion).
   */
  variance?: Variance;
}

/** Variance of the posterior between two timesteps, from their ᾱ: "fixed-small" of DDPM, and DDIM's at η = 1. */
export function posteriorVariance(bar: number, next: number): number {
  return ((1 - next) / (1 - bar)) * (1 - bar / next);
}

/** Makes DDPM's steps at these timesteps. Throws ERR_SINO_OUT_OF_RANGE. */
export function ddpm(schedule: Schedule, steps: Timesteps, options: DdpmOptions): SamplerPlan {
  const { prediction, variance = "fixed-small", clip } = options;
  requireChoice(variance, "variance", variances);
  const list = Array.from(steps);
  const bars = alphasAt(schedule, steps);
  const made = list.map((timestep, k): SamplerStep => {
    const bar = bars[k]!;
    const next = bars[k + 1] ?? 1;
    const isLast = k === list.length - 1;
    const alpha = bar / next;
    const beta = 1 - alpha;
    const logs = { small: Math.log(Math.max(posteriorVariance(bar, next), 1e-20)), large: Math.log(beta) };
    const spread = spreadOf(variance, logs);
    const mean = { sample: (Math.sqrt(alpha) * (1 - next)) / (1 - bar), clean: (Math.sqrt(next) * beta) / (1 - bar) };
    return stepOf({
      timestep,
      estimate: cleanFrom(prediction, Math.sqrt(bar), Math.sqrt(1 - bar)),
      clip,
      rows: [row("sample", { ...mean, noise: isLast ? 0 : spread.noise })],
      variance: isLast ? undefined : spread.variance,
    });
  });
  return planOf(1, made);
}

function spreadOf(variance: Variance, { small, large }: { small: number; large: number }) {
  if (variance === "fixed-small") return { noise: Math.exp(small / 2), variance: undefined };
  if (variance === "fixed-large") return { noise: Math.exp(large / 2), variance: undefined };
  const learned =
    variance === "learned-range"
      ? { logScale: (small + large) / 4, logSlope: (large - small) / 4 }
      : { logScale: large / 2, logSlope: (small - large) / 2 };
  return { noise: 1, variance: learned };
}
