/**
 * A sampler as plain data: a list of steps, each a few linear combinations of images. Samplers (samplers/*.ts) make the
 * coefficients, in double; the addon computes a step in one pass over memory (native/ops/sampling_step.h).
 */
import { sinoError } from "../core/errors.ts";
import type { Mix } from "./prediction.ts";

/** `to` becomes sample·x + output·m + clean·x̂0 + noise·z + Σ terms[k]·(image that reads[k] names), of what was there before the step. */
export interface StepRow {
  readonly to: string;
  readonly sample: number;
  readonly output: number;
  readonly clean: number;
  readonly noise: number;
  readonly terms: readonly number[];
}

/** A step from one noise level to the next, with at most one call of the network. */
export interface SamplerStep {
  /** What the network is told. */
  readonly timestep: number;
  /** Whether the network is asked at all. */
  readonly model: boolean;
  /** x̂0 = clamp(estimate.sample·x + estimate.output·m, clip). */
  readonly estimate: Mix;
  readonly clip: readonly [low: number, high: number] | undefined;
  /** Earlier images that rows use, by name; at most 4. */
  readonly reads: readonly string[];
  /** At most 3. The one to "sample" makes the next x; the one to "input" what the network sees next, where that is not x. */
  readonly rows: readonly StepRow[];
  /** Name under which x̂0 is kept. */
  readonly keepsClean: string | undefined;
  /** The network's second output v: noise is times exp(logScale + logSlope·v). */
  readonly variance: { readonly logScale: number; readonly logSlope: number } | undefined;
}

export interface SamplerPlan {
  /** The start is so many times normal noise. */
  readonly start: number;
  /** The network's first input is so many times the start. */
  readonly firstInput: number;
  readonly steps: readonly SamplerStep[];
}

export interface ClipOptions {
  /** Between which values x̂0 is clamped; default not at all. Networks trained on images in [−1, 1] take [−1, 1]. */
  clip?: readonly [low: number, high: number] | undefined;
}

export function row(to: string, coefficients: Partial<Omit<StepRow, "to">>): StepRow {
  return { to, sample: 0, output: 0, clean: 0, noise: 0, terms: [], ...coefficients };
}

/** A step with what most leave out; rows that name fewer terms than the step reads get zeros. */
export function stepOf(step: Partial<SamplerStep> & Pick<SamplerStep, "timestep" | "rows">): SamplerStep {
  const { reads = [], estimate = { sample: 0, output: 0 }, model = true } = step;
  const rows = step.rows.map((r) => ({ ...r, terms: reads.map((_, k) => r.terms[k] ?? 0) }));
  return folded({ clip: undefined, keepsClean: undefined, variance: undefined, ...step, reads, estimate, model, rows });
}

/** Without a clip and nobody to keep it, x̂0 need not be made: fewer roundings where α is small. */
function folded(step: SamplerStep): SamplerStep {
  if (step.clip || step.keepsClean) return step;
  const { sample, output } = step.estimate;
  const rows = step.rows.map((r) => ({
    ...r,
    sample: r.sample + r.clean * sample,
    output: r.output + r.clean * output,
    clean: 0,
  }));
  return { ...step, estimate: { sample: 0, output: 0 }, rows };
}

/** Steps whose networks see inputs[i] times x: the step before makes that too. Throws ERR_SINO_OUT_OF_RANGE. */
export function planOf(start: number, steps: readonly SamplerStep[], inputs?: readonly number[]): SamplerPlan {
  const scaled = steps.map((step, i) => {
    const scale = inputs?.[i + 1] ?? 1;
    const next = step.rows.find((r) => r.to === "sample");
    if (scale === 1 || !next) return step;
    const input = row("input", {
      sample: scale * next.sample,
      output: scale * next.output,
      clean: scale * next.clean,
      noise: scale * next.noise,
      terms: next.terms.map((term) => scale * term),
    });
    return { ...step, rows: [...step.rows, input] };
  });
  for (const step of scaled) requireFiniteCoefficients(step);
  return { start, firstInput: inputs?.[0] ?? 1, steps: scaled };
}

function requireFiniteCoefficients(step: SamplerStep): void {
  const all = step.rows.flatMap((r) => [r.sample, r.output, r.clean, r.noise, ...r.terms]);
  if ([...all, step.estimate.sample, step.estimate.output].every(Number.isFinite)) return;
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `The step at timestep ${step.timestep} has no finite coefficients: the noise levels around it are equal or not finite.`,
    { details: { timestep: step.timestep } },
  );
}
