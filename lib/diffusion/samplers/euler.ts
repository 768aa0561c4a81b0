/**
 * Euler's and Heun's samplers over noise levels s, where x = clean + s·noise: T. Karras et al., "Elucidating the design space of
 * diffusion-based generative models", NeurIPS 2022, algorithm 2. The network sees c_in·x.
 */
import { requireBetween } from "../check.ts";
import { type ClipOptions, planOf, row, type SamplerPlan, type SamplerStep, stepOf } from "../plan.ts";
import { cleanFromScaled, type Prediction } from "../prediction.ts";
import { type NoiseLevels, requireLevels } from "../timesteps.ts";

export interface EulerOptions extends ClipOptions {
  prediction: Prediction;
  /** Noise added before a step, S_churn; default 0. Each step's level rises by min(churn/N, √2 − 1) of itself. */
  churn?: number;
  /** Only where churnMin ≤ s ≤ churnMax; defaults 0 and ∞. */
  churnMin?: number;
  churnMax?: number;
  /** Churned noise is so many times normal, S_noise; default 1. */
  churnNoise?: number;
  /** Spread of the training images, of prediction "edm"; default 0.5. */
  sigmaData?: number;
}

interface Visit {
  /** Level at which the network is asked: the given one or, churned, above it. */
  sigma: number;
  timestep: number;
  /** Noise that takes x there. */
  noise: number;
}

function visitsOf(levels: NoiseLevels, options: EulerOptions): Visit[] {
  requireLevels(levels);
  const { churn = 0, churnMin = 0, churnMax = Infinity, churnNoise = 1, prediction } = options;
  requireBetween(churn, "churn", 0, Number.MAX_VALUE);
  requireBetween(churnMin, "churnMin", 0, Number.MAX_VALUE);
  requireBetween(churnMax, "churnMax", churnMin, Infinity);
  requireBetween(churnNoise, "churnNoise", 0, Number.MAX_VALUE);
  const count = levels.timesteps.length;
  const rise = 1 + Math.min(churn / count, Math.SQRT2 - 1);
  return Array.from(levels.timesteps, (timestep, i) => {
    const level = levels.sigmas[i]!;
    if (rise === 1 || level < churnMin || level > churnMax) return { sigma: level, timestep, noise: 0 };
    const sigma = level * rise;
    const told = prediction === "edm" ? 0.25 * Math.log(sigma) : timestep;
    return { sigma, timestep: told, noise: churnNoise * Math.sqrt(sigma * sigma - level * level) };
  });
}

/** c_in: what scales x to the spread that the network was trained on. */
function inputScale(sigma: number, { prediction, sigmaData = 0.5 }: EulerOptions): number {
  if (prediction === "flow") return 1;
  const data = prediction === "edm" ? sigmaData : 1;
  return 1 / Math.sqrt(sigma * sigma + data * data);
}

/** x and what the first visit's churn adds. */
function started(levels: NoiseLevels, visits: readonly Visit[]): number {
  return Math.hypot(levels.sigmas[0]!, visits[0]!.noise);
}

function estimateAt(sigma: number, options: EulerOptions) {
  requireBetween(options.sigmaData ?? 0.5, "sigmaData", Number.MIN_VALUE, Number.MAX_VALUE);
  return cleanFromScaled(options.prediction, sigma, options.sigmaData ?? 0.5);
}

/** Makes Euler's steps over these levels; the churn of a step is added by the step before. Throws ERR_SINO_OUT_OF_RANGE. */
export function euler(levels: NoiseLevels, options: EulerOptions): SamplerPlan {
  const visits = visitsOf(levels, options);
  const made = visits.map(({ sigma, timestep }, i): SamplerStep => {
    const ratio = levels.sigmas[i + 1]! / sigma;
    const noise = visits[i + 1]?.noise ?? 0;
    return stepOf({
      timestep,
      estimate: estimateAt(sigma, options),
      clip: options.clip,
      rows: [row("sample", { sample: ratio, clean: 1 - ratio, noise })],
    });
  });
  return planOf(
    started(levels, visits),
    made,
    visits.map(({ sigma }) => inputScale(sigma, options)),
  );
}

/** Makes Heun's steps: two calls of the network for each but the last, which is Euler's. Throws ERR_SINO_OUT_OF_RANGE. */
export function heun(levels: NoiseLevels, options: EulerOptions): SamplerPlan {
  const visits = visitsOf(levels, options);
  const { clip } = options;
  const asked: number[] = [];
  const made = visits.flatMap(({ sigma, timestep }, i): SamplerStep[] => {
    const to = levels.sigmas[i + 1]!;
    const ratio = to / sigma;
    const there = row("sample", { sample: ratio, clean: 1 - ratio });
    const step = { timestep, estimate: estimateAt(sigma, options), clip };
    asked.push(sigma);
    if (to === 0 || i + 1 === visits.length) return [stepOf({ ...step, rows: [there] })];
    asked.push(to);
    // the mean of both slopes, (x − x̂0)/s at either end
    const [half, back] = [(to - sigma) / 2 / sigma, (to - sigma) / 2 / to];
    return [
      stepOf({ ...step, rows: [there, row("origin", { sample: 1 })], keepsClean: "clean" }),
      stepOf({
        timestep: levels.timesteps[i + 1]!,
        estimate: estimateAt(to, options),
        clip,
        reads: ["origin", "clean"],
        rows: [row("sample", { sample: back, clean: -back, noise: visits[i + 1]!.noise, terms: [1 + half, -half] })],
      }),
    ];
  });
  return planOf(
    started(levels, visits),
    made,
    asked.map((sigma) => inputScale(sigma, options)),
  );
}
