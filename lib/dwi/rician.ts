/** Magnitude images are biased where the signal is weak: the signal behind their mean. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { sizeOf } from "../core/arrays.ts";
import { floats, newImage, requireNumber, run } from "../image/input.ts";
import type { OperationOptions } from "../native/job.ts";

export interface RicianOptions extends OperationOptions {
  /** Standard deviation of the noise in the real and in the imaginary part, in the values of the image. */
  sigma: number;
}

/**
 * The signal a ≥ 0 behind each mean magnitude m(a) = E|a + n|: for what a denoiser makes of magnitudes, where noise has been averaged away
 * and its bias has stayed. Means below that of noise alone, sigma·√(π/2), become 0. C. G. Koay, P. J. Basser, J. Magn. Reson. 179,
 * 2006. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function removeRicianBias(means: ArrayLike, options: RicianOptions): Promise<Volume> {
  const { sigma } = options;
  requireNumber(sigma, "sigma", "a number ≥ 0", (s) => s >= 0 && Number.isFinite(s));
  const input = await floats(means, "means", options);
  const result = newImage(means.shape);
  await run("rician", { count: sizeOf(means.shape), sigma, input, output: result.data }, options);
  return result;
}
