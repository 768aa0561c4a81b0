/** C. Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models", arXiv:2211.01095. */
import { requireChoice } from "../check.ts";
import { type ClipOptions, planOf, row, type SamplerPlan, type SamplerStep, stepOf } from "../plan.ts";
import { cleanFrom, type Prediction } from "../prediction.ts";
import { type NoiseLevels, requireLevels } from "../timesteps.ts";
import { type Level, levelAt } from "./log-snr.ts";

export interface DpmSolverOptions extends ClipOptions {
  prediction: Prediction;
  /** The second order's derivative; "midpoint" (default) or "heun". */
  solver?: "midpoint" | "heun";
  /** Solve the stochastic equation (SDE-DPM-Solver++); default false. */
  stochastic?: boolean;
  /** First order in the last of fewer than 15 steps; default true. Always where the last step arrives at no noise. */
  lowerOrderFinal?: boolean;
}

/** Makes DPM-Solver++(2M)'s steps over these levels. Throws ERR_SINO_OUT_OF_RANGE. */
export function dpmSolver(levels: NoiseLevels, options: DpmSolverOptions): SamplerPlan {
  const { prediction, solver = "midpoint", stochastic = false, lowerOrderFinal = true, clip } = options;
  requireLevels(levels);
  requireChoice(solver, "solver", ["midpoint", "heun"]);
  const at = Array.from(levels.sigmas, levelAt);
  const count = levels.timesteps.length;
  const made = Array.from(levels.timesteps, (timestep, i): SamplerStep => {
    const [from, to] = [at[i]!, at[i + 1]!];
    const isFirstOrder = i === 0 || (i === count - 1 && (to.sigma === 0 || (lowerOrderFinal && count < 15)));
    const { sample, clean, slope, noise } = exponentialStep(from, to, solver, stochastic);
    const ratio = isFirstOrder ? 0 : (slope * (to.lambda - from.lambda)) / (from.lambda - at[i - 1]!.lambda);
    const isLast = i === count - 1;
    return stepOf({
      timestep,
      estimate: cleanFrom(prediction, from.alpha, from.sigma),
      clip,
      reads: isFirstOrder ? [] : ["clean"],
      rows: [row("sample", { sample, clean: clean + ratio, noise, terms: [-ratio] })],
      keepsClean: isLast ? undefined : "clean",
    });
  });
  return planOf(1, made);
}

/** x' = sample·x + clean·D0 + slope·D1 + noise·z, for the step of h = λ' − λ (infinite where no noise is left). */
function exponentialStep(from: Level, to: Level, solver: "midpoint" | "heun", stochastic: boolean) {
  const h = to.lambda - from.lambda;
  const decay = Math.expm1(stochastic ? -2 * h : -h);
  const clean = -to.alpha * decay;
  const whole = stochastic ? 2 * h : h;
  const perStep = whole === 0 ? -1 : Number.isFinite(h) ? decay / whole : 0;
  return {
    sample: (to.sigma / from.sigma) * (stochastic ? Math.exp(-h) : 1),
    clean,
    slope: solver === "midpoint" ? clean / 2 : to.alpha * (perStep + 1),
    noise: stochastic ? to.sigma * Math.sqrt(-decay) : 0,
  };
}
