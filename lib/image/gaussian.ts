/** Gaussian smoothing. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { floats, newImage, planesOf, requireNumber, run } from "./input.ts";

type PerAxis = number | readonly [row: number, column: number] | readonly [slice: number, row: number, column: number];

export interface GaussianOptions extends OperationOptions {
  /** Standard deviation in pixels, 0 leaves an axis as it is; of three numbers the first is in slices, and the volume is smoothed across them. */
  sigma: PerAxis;
  /** The kernel has 2·radius + 1 pixels and sum 1; by default the radius is 4·sigma, rounded. */
  radius?: PerAxis | undefined;
}

/**
 * Convolves every slice, or a volume, with a Gaussian; the border pixel is repeated outside. NMAR's 5×5 kernel is `{ sigma: 1, radius: 2 }`.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function gaussian(image: ArrayLike, options: GaussianOptions): Promise<Volume> {
  const isSigma = (s: number) => s >= 0 && s <= 16000;
  const isRadius = (r: number) => Number.isInteger(r) && r >= 0 && r <= 65536;
  const sigmas = perAxis(options?.sigma, 0, "sigma", "a number of pixels ≥ 0", isSigma);
  const [sigmaSlice, sigmaRow, sigmaColumn] = sigmas;
  const own = sigmas.map((s) => Math.round(4 * s)) as [number, number, number];
  const { radius = own } = options;
  const slices = typeof radius === "number" ? radius : own[0];
  const radii = perAxis(radius, slices, "radius", "a whole number of pixels ≥ 0", isRadius);
  const [radiusSlice, radiusRow, radiusColumn] = radii;
  const input = await floats(image, "image", options, sigmaSlice > 0 ? [3] : [2, 3]);
  const planes = planesOf(image.shape);
  const result = newImage(image.shape);
  const kernel = { sigmaRow, sigmaColumn, radiusRow, radiusColumn };
  await run("gaussian", { ...planes, ...kernel, input, output: result.data }, options);
  if (!(sigmaSlice > 0) || result.data.length === 0) return result;
  // across slices: one plane whose rows are slices
  const across = { sigmaRow: sigmaSlice, sigmaColumn: 0, radiusRow: radiusSlice, radiusColumn: 0 };
  const plane = { slices: 1, rows: planes.slices, columns: planes.rows * planes.columns };
  const smoothed = newImage(image.shape);
  await run("gaussian", { ...plane, ...across, input: result.data, output: smoothed.data }, options);
  return smoothed;
}

/** [slice, row, column]; `slices` where the first is not given. */
function perAxis(
  value: PerAxis,
  slices: number,
  name: string,
  meaning: string,
  accepts: (n: number) => boolean,
): readonly [number, number, number] {
  const all = Array.isArray(value) ? value : [value, value];
  if (all.length !== 2 && all.length !== 3)
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected a number, [row, column] or [slice, row, column] for ${name} but received ${show(value)}.`,
    );
  for (const n of all) requireNumber(n, name, meaning, accepts);
  return (all.length === 2 ? [slices, ...all] : all) as unknown as readonly [number, number, number];
}
