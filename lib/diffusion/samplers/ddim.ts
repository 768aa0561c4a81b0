/** J. Song, C. Meng, S. Ermon, "Denoising diffusion implicit models", ICLR 2021. */
import { requireBetween, requireChoice } from "../check.ts";
import { type ClipOptions, planOf, row, type SamplerPlan, type SamplerStep, stepOf } from "../plan.ts";
import { cleanFrom, noiseFrom, type Prediction } from "../prediction.ts";
import type { Schedule } from "../schedule.ts";
import { alphasAt, type Timesteps } from "../timesteps.ts";
import { posteriorVariance } from "./ddpm.ts";

export interface DdimOptions extends ClipOptions {
  prediction: Prediction;
  /** 0 (default): no noise; 1: as much as DDPM. */
  eta?: number;
  /**
   * After clipping, the noise in x: false (default) what the network said (diffusers), true what agrees with the clipped image
   * (guided-diffusion; diffusers' use_clipped_model_output).
   */
  noiseFromClipped?: boolean;
  /** ᾱ after the last step: "one" (default), or that of the schedule's "first" step. */
  finalAlpha?: "one" | "first";
}

/** Makes DDIM's steps at these timesteps. Throws ERR_SINO_OUT_OF_RANGE. */
export function ddim(schedule: Schedule, steps: Timesteps, options: DdimOptions): SamplerPlan {
  const { prediction, eta = 0, noiseFromClipped = false, finalAlpha = "one", clip } = options;
  requireBetween(eta, "eta", 0, 1);
  requireChoice(finalAlpha, "finalAlpha", ["one", "first"]);
  const list = Array.from(steps);
  const bars = alphasAt(schedule, steps);
  const final = finalAlpha === "one" ? 1 : schedule.alphasCumprod[0]!;
  const made = list.map((timestep, k): SamplerStep => {
    const bar = bars[k]!;
    const next = bars[k + 1] ?? final;
    const [alpha, sigma] = [Math.sqrt(bar), Math.sqrt(1 - bar)];
    const variance = eta * eta * Math.max(posteriorVariance(bar, next), 0);
    const direction = Math.sqrt(Math.max(1 - next - variance, 0));
    const said = noiseFrom(prediction, alpha, sigma);
    const coefficients = noiseFromClipped
      ? { sample: direction / sigma, clean: Math.sqrt(next) - (direction * alpha) / sigma }
      : { sample: direction * said.sample, output: direction * said.output, clean: Math.sqrt(next) };
    return stepOf({
      timestep,
      estimate: cleanFrom(prediction, alpha, sigma),
      clip,
      rows: [row("sample", { ...coefficients, noise: Math.sqrt(variance) })],
    });
  });
  return planOf(1, made);
}
