/**
 * Noise schedules. Training step t mixes √ᾱ_t of a clean image with √(1 − ᾱ_t) of noise; ᾱ is the product of 1 − β. All in double.
 * J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020.
 */
import { sinoError } from "../core/errors.ts";
import { requireBetween, requireChoice, requireCount } from "./check.ts";
import { type Prediction, predictions } from "./prediction.ts";

export const scheduleKinds = ["linear", "scaled-linear", "cosine"] as const;
export type ScheduleKind = (typeof scheduleKinds)[number];

export interface ScheduleOptions {
  /** "linear" (default): β evenly from betaStart to betaEnd. "scaled-linear": √β is. "cosine": Nichol & Dhariwal 2021, β ≤ 0.999. */
  kind?: ScheduleKind;
  /** Training steps T; default 1000. */
  steps?: number;
  /** Default 1e-4. */
  betaStart?: number;
  /** Default 0.02. */
  betaEnd?: number;
  /** √ᾱ shifted and scaled so that the last step is pure noise: S. Lin et al., WACV 2024. Not for networks that predict noise. */
  zeroTerminalSnr?: boolean;
  /**
   * √(ᾱ/(1 − ᾱ)) times this, at every step; default 1. Below 1 there is more noise, as large images need, whose neighbouring pixels
   * tell of each other: 64 over their side (E. Hoogeboom, J. Heek, T. Salimans, "simple diffusion", ICML 2023).
   */
  shift?: number | undefined;
}

/** Plain data: ᾱ of every training step. */
export interface Schedule {
  readonly steps: number;
  readonly alphasCumprod: Float64Array;
}

function betas(kind: ScheduleKind, steps: number, start: number, end: number): Float64Array {
  const at = (t: number, first: number, last: number) =>
    steps === 1 ? first : first + (t / (steps - 1)) * (last - first);
  const bar = (t: number) => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  return Float64Array.from({ length: steps }, (_, t) => {
    if (kind === "linear") return at(t, start, end);
    if (kind === "scaled-linear") return at(t, Math.sqrt(start), Math.sqrt(end)) ** 2;
    return Math.min(1 - bar((t + 1) / steps) / bar(t / steps), 0.999);
  });
}

/** Makes a schedule. Throws ERR_SINO_OUT_OF_RANGE. */
export function noiseSchedule(options: ScheduleOptions = {}): Schedule {
  const {
    kind = "linear",
    steps = 1000,
    betaStart = 1e-4,
    betaEnd = 0.02,
    zeroTerminalSnr = false,
    shift = 1,
  } = options;
  requireChoice(kind, "kind", scheduleKinds);
  requireCount(steps, "steps", 1, 1e6);
  requireBetween(betaStart, "betaStart", 0, 0.999);
  requireBetween(betaEnd, "betaEnd", betaStart, 0.999);
  requireBetween(shift, "shift", 1e-3, 1e3);
  let product = 1;
  const alphasCumprod = betas(kind, steps, betaStart, betaEnd).map((beta) => {
    product *= 1 - beta;
    return shift === 1 ? product : (shift ** 2 * product) / (shift ** 2 * product + 1 - product);
  });
  return { steps, alphasCumprod: zeroTerminalSnr ? withoutSignalAtTheEnd(alphasCumprod) : alphasCumprod };
}

function withoutSignalAtTheEnd(alphasCumprod: Float64Array): Float64Array {
  const roots = alphasCumprod.map(Math.sqrt);
  const first = roots[0]!;
  const last = roots.at(-1)!;
  if (roots.length < 2)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", "Expected at least 2 steps for a schedule with zeroTerminalSnr.");
  return roots.map((root) => (((root - last) * first) / (first - last)) ** 2);
}

/** Signal-to-noise ratio ᾱ/(1 − ᾱ) of every training step. */
export function snr({ alphasCumprod }: Schedule): Float64Array {
  return alphasCumprod.map((bar) => bar / (1 - bar));
}

export interface LossWeightOptions {
  /** "min-snr" (default): T. Hang et al., ICCV 2023. "sqrt-snr": √SNR on the clean image, as DuDoDp trains. */
  kind?: "min-snr" | "sqrt-snr";
  /** Of "min-snr"; default 5. */
  gamma?: number;
  /** What the network predicts; its squared error is what the weights multiply. */
  prediction: Prediction;
}

/** Weights of the squared error for every training step. Throws ERR_SINO_OUT_OF_RANGE. */
export function lossWeights(schedule: Schedule, options: LossWeightOptions): Float64Array {
  const { kind = "min-snr", gamma = 5, prediction } = options;
  requireChoice(kind, "kind", ["min-snr", "sqrt-snr"]);
  requireChoice(prediction, "prediction", predictions);
  requireBetween(gamma, "gamma", Number.MIN_VALUE, Number.MAX_VALUE);
  // a squared error of x̂0 is SNR of them in v over 1 + SNR, and SNR of them in noise, the other way round
  const perClean = (ratio: number) => {
    if (prediction === "epsilon") return 1 / ratio;
    return prediction === "v" ? 1 / (ratio + 1) : 1;
  };
  if (prediction === "flow" || prediction === "edm")
    throw sinoError("ERR_SINO_UNSUPPORTED", `Loss weights are for "epsilon", "sample" and "v", not "${prediction}".`);
  return snr(schedule).map(
    (ratio) => (kind === "min-snr" ? Math.min(ratio, gamma) : Math.sqrt(ratio)) * perClean(ratio),
  );
}
