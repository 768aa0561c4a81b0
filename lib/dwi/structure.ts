/** Does what a denoiser took away look like noise, or like a head? */
import { type ArrayLike, sizeOf } from "../core/arrays.ts";
import { gaussian } from "../image/gaussian.ts";
import { combine } from "../image/pixels.ts";
import { differences, pairOf } from "../metrics/compare.ts";
import type { OperationOptions } from "../native/job.ts";

/** Of the smoothing, pixels. */
const sigma = 1.5;
/** Σ kernel² of that smoothing: by how much it lowers the power of white noise. */
const whitePower = 1 / (4 * Math.PI * sigma * sigma);

/**
 * Structure of a residual, noisy − clean, of slices [slice, row, column]: the power that is left after smoothing over that of white noise of
 * the same variance, as a ratio of deviations. 1 for white noise; more where neighbouring pixels go together: anatomy, or noise that the
 * scanner has smoothed; 0 where there is no residual.
 */
export async function structureScore(
  noisy: ArrayLike,
  clean: ArrayLike,
  options: OperationOptions = {},
): Promise<number> {
  const [rows, columns] = noisy.shape.slice(-2) as [number, number];
  const shape = [sizeOf(noisy.shape.slice(0, -2)), rows, columns];
  const residual = await combine(
    [
      [1, { data: noisy.data, shape }],
      [-1, { data: clean.data, shape }],
    ],
    options,
  );
  const power = await meanSquare(residual, options);
  const smooth = await gaussian(residual, { ...options, sigma });
  return power > 0 ? Math.sqrt((await meanSquare(smooth, options)) / (power * whitePower)) : 0;
}

async function meanSquare(images: ArrayLike, options: OperationOptions): Promise<number> {
  const zero = { data: new Float32Array(images.data.length), shape: images.shape };
  const found = await differences(await pairOf(images, zero, options), options);
  const count = found.reduce((sum, slice) => sum + slice.count, 0);
  return found.reduce((sum, slice) => sum + slice.mse * slice.count, 0) / count;
}
