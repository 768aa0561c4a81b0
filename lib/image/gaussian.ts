/** Gaussian smoothing, slice by slice. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { floats, newImage, planesOf, requireNumber, run } from "./input.ts";

type PerAxis = number | readonly [row: number, column: number];

export interface GaussianOptions extends OperationOptions {
  /** Standard deviation in pixels; 0 leaves an axis as it is. */
  sigma: PerAxis;
  /** The kernel has 2·radius + 1 pixels and sum 1; by default the radius is 4·sigma, rounded. */
  radius?: PerAxis | undefined;
}

/**
 * Convolves every slice with a Gaussian; the border pixel is repeated outside. NMAR's 5×5 kernel is `{ sigma: 1, radius: 2 }`.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function gaussian(image: ArrayLike, options: GaussianOptions): Promise<Volume> {
  const [sigmaRow, sigmaColumn] = pair(options?.sigma, "sigma", "a number of pixels ≥ 0", (s) => s >= 0 && s <= 16000);
  const isRadius = (r: number) => Number.isInteger(r) && r >= 0 && r <= 65536;
  const radius = options.radius ?? ([Math.round(4 * sigmaRow), Math.round(4 * sigmaColumn)] as const);
  const [radiusRow, radiusColumn] = pair(radius, "radius", "a whole number of pixels ≥ 0", isRadius);
  const input = await floats(image, "image", options, [2, 3]);
  const result = newImage(image.shape);
  const kernel = { sigmaRow, sigmaColumn, radiusRow, radiusColumn };
  await run("gaussian", { ...planesOf(image.shape), ...kernel, input, output: result.data }, options);
  return result;
}

function pair(
  value: PerAxis,
  name: string,
  meaning: string,
  accepts: (n: number) => boolean,
): readonly [number, number] {
  const both = Array.isArray(value) ? value : [value, value];
  if (both.length !== 2)
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected a number or [row, column] for ${name} but received ${show(value)}.`);
  for (const n of both) requireNumber(n, name, meaning, accepts);
  return both as unknown as readonly [number, number];
}
