/**
 * W. Zhao et al., "UniPC: a unified predictor-corrector framework for fast sampling of diffusion models", NeurIPS 2023: order 2,
 * B(h) = e^h − 1, data prediction. A step first corrects x with what the network says at it, then predicts the next: both are
 * linear in the same images and are one pass.
 */
import { type ClipOptions, planOf, row, type SamplerPlan, type SamplerStep, stepOf } from "../plan.ts";
import { cleanFrom, type Prediction } from "../prediction.ts";
import { type NoiseLevels, requireLevels } from "../timesteps.ts";
import { type Level, levelAt } from "./log-snr.ts";

export interface UniPcOptions extends ClipOptions {
  prediction: Prediction;
  /** Default true. */
  corrector?: boolean;
  /** First order in the last step; default true. Always where it arrives at no noise. */
  lowerOrderFinal?: boolean;
}

/** Coefficients of the corrected x, of x̂0 here, one step ago and two steps ago. */
interface Combination {
  x: number;
  here: number;
  before: number;
  earlier: number;
}

/** Makes UniPC-2's steps over these levels. Throws ERR_SINO_OUT_OF_RANGE. */
export function uniPc(levels: NoiseLevels, options: UniPcOptions): SamplerPlan {
  const { prediction, corrector = true, lowerOrderFinal = true, clip } = options;
  requireLevels(levels);
  const at = Array.from(levels.sigmas, levelAt);
  const count = levels.timesteps.length;
  const orderOf = (i: number) => (i === 0 || (i === count - 1 && (lowerOrderFinal || at[count]!.sigma === 0)) ? 1 : 2);
  const made = Array.from(levels.timesteps, (timestep, i): SamplerStep => {
    const [from, to] = [at[i]!, at[i + 1]!];
    const isCorrected = corrector && i > 0;
    // x̂0 lies alternately under two names, so that this one replaces the one from two steps ago
    const [here, before] = i % 2 === 0 ? ["clean-even", "clean-odd"] : ["clean-odd", "clean-even"];
    const reads = isCorrected ? ["corrected", before!, here!] : [before!];
    const corrected = isCorrected ? correct(at[i - 2], at[i - 1]!, from, orderOf(i - 1)) : undefined;
    const predicted = predict(at[i - 1], from, to, orderOf(i));
    const rows = [row("sample", coefficients(predicted, corrected))];
    if (corrector && i < count - 1) rows.push(row("corrected", coefficients(identity, corrected)));
    return stepOf({
      timestep,
      estimate: cleanFrom(prediction, from.alpha, from.sigma),
      clip,
      reads: i === 0 ? [] : reads,
      rows,
      keepsClean: i < count - 1 ? here : undefined,
    });
  });
  return planOf(1, made);
}

const identity: Combination = { x: 1, here: 0, before: 0, earlier: 0 };

/** A combination over x as it was corrected from the last step's corrected x; the terms are those of `reads`. */
function coefficients(next: Combination, corrected: Combination | undefined) {
  if (!corrected) return { sample: next.x, clean: next.here, terms: [next.before] };
  return {
    sample: 0,
    clean: next.here + next.x * corrected.here,
    terms: [next.x * corrected.x, next.before + next.x * corrected.before, next.earlier + next.x * corrected.earlier],
  };
}

/** Both halves of the method start as DPM-Solver++ of order 1 does. */
function firstOrder(from: Level, to: Level) {
  const h = to.lambda - from.lambda;
  const phi = Math.expm1(-h);
  return { h, phi, x: to.sigma / from.sigma, clean: -to.alpha * phi };
}

function predict(before: Level | undefined, from: Level, to: Level, order: number): Combination {
  const { h, x, clean } = firstOrder(from, to);
  if (order === 1 || !before) return { x, here: clean, before: 0, earlier: 0 };
  const r = (before.lambda - from.lambda) / h;
  const slope = (0.5 * clean) / r;
  return { x, here: clean - slope, before: slope, earlier: 0 };
}

/** x at `to` again, from `from`, now that x̂0 at `to` is known. */
function correct(earlier: Level | undefined, from: Level, to: Level, order: number): Combination {
  const { h, phi, x, clean } = firstOrder(from, to);
  if (order === 1 || !earlier) return { x, here: clean / 2, before: clean / 2, earlier: 0 };
  const r = (earlier.lambda - from.lambda) / h;
  const first = phi / -h - 1;
  const b1 = first / phi;
  const b2 = (2 * (first / -h - 0.5)) / phi;
  const rho0 = (b1 - b2) / (1 - r); // ρ0 + ρ1 = b1, r·ρ0 + ρ1 = b2
  const rho1 = b1 - rho0;
  return { x, here: clean * rho1, before: clean * (1 - rho0 / r - rho1), earlier: (clean * rho0) / r };
}
