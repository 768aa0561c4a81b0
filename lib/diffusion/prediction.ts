/** What networks predict, and how the clean image follows from it. */
import { sinoError } from "../core/errors.ts";
import { requireChoice } from "./check.ts";

/**
 * "epsilon": the noise. "sample": the clean image. "v": α·noise − σ·clean (Salimans & Ho 2022). "flow": noise − clean, of rectified
 * flow (α = 1 − σ). "edm": Karras et al. 2022, where the network's output is scaled and added to the scaled sample.
 */
export const predictions = ["epsilon", "sample", "v", "flow", "edm"] as const;
export type Prediction = (typeof predictions)[number];

/** Two numbers: the one of the sample x, the one of the network's output m. */
export interface Mix {
  readonly sample: number;
  readonly output: number;
}

/** x̂0 as a mix, for x = α·clean + σ·noise. Throws ERR_SINO_OUT_OF_RANGE, ERR_SINO_UNSUPPORTED. */
export function cleanFrom(prediction: Prediction, alpha: number, sigma: number): Mix {
  requireChoice(prediction, "prediction", predictions);
  if (prediction === "epsilon") {
    requireSignal(alpha, "epsilon");
    return { sample: 1 / alpha, output: -sigma / alpha };
  }
  if (prediction === "v") return { sample: alpha, output: -sigma };
  if (prediction === "flow") return { sample: 1, output: -sigma };
  if (prediction === "sample") return { sample: 0, output: 1 };
  throw sinoError("ERR_SINO_UNSUPPORTED", 'Prediction "edm" is for the samplers "euler" and "heun".');
}

/** The noise as a mix. */
export function noiseFrom(prediction: Prediction, alpha: number, sigma: number): Mix {
  if (prediction === "epsilon") return { sample: 0, output: 1 };
  if (prediction === "v") return { sample: sigma, output: alpha };
  const clean = cleanFrom(prediction, alpha, sigma);
  return { sample: (1 - alpha * clean.sample) / sigma, output: (-alpha * clean.output) / sigma };
}

/** The clean image as a mix for x = clean + s·noise, as Euler's and Heun's samplers have it. */
export function cleanFromScaled(prediction: Prediction, s: number, sigmaData: number): Mix {
  requireChoice(prediction, "prediction", predictions);
  if (prediction === "epsilon" || prediction === "flow") return { sample: 1, output: -s };
  if (prediction === "sample") return { sample: 0, output: 1 };
  const data = prediction === "edm" ? sigmaData : 1;
  const sum = s * s + data * data;
  const output = (s * data) / Math.sqrt(sum);
  return { sample: (data * data) / sum, output: prediction === "edm" ? output : -output };
}

function requireSignal(alpha: number, prediction: Prediction): void {
  if (alpha > 0) return;
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `Expected some signal at every timestep for prediction "${prediction}", but ᾱ is 0 at one: a schedule with zeroTerminalSnr takes "v" or "sample".`,
  );
}
