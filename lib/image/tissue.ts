/** The tissue classes of NMAR: thresholds between air, soft tissue and bone, and the prior image made with them. */
import { type ArrayLike, sizeOf, type Volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { floats, newImage, planesOf, requireNumber, run } from "./input.ts";

/** One threshold per slice, in the unit of the image. */
export interface TissueThresholds {
  water: Float64Array<ArrayBuffer>;
  bone: Float64Array<ArrayBuffer>;
}

export interface TissueOptions extends OperationOptions {
  /** Attenuation of water in the unit of the image. */
  muWater: number;
}

export interface TissuePriorOptions extends TissueOptions {
  /** Up to this value the prior is 0. One number, or one per slice. */
  water: number | ArrayLikeOfNumbers;
  /** From this value on the prior keeps the image. One number, or one per slice. */
  bone: number | ArrayLikeOfNumbers;
}

type ArrayLikeOfNumbers = Float64Array | readonly number[];

/**
 * Per slice of [row, column] or [slice, row, column] (attenuation): 3-class k-means on the pixel values themselves, centres starting at
 * 0, muWater and 2·muWater, at most 300 iterations. `water` is the smallest value of the middle class, `bone` the smallest of the upper
 * class, but at least 1.2·muWater. NaN is left out. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function tissueThresholds(image: ArrayLike, options: TissueOptions): Promise<TissueThresholds> {
  requireMuWater(options?.muWater);
  const images = await floats(image, "image", options, [2, 3]);
  const { slices, rows, columns } = planesOf(image.shape);
  const thresholds = { water: new Float64Array(slices), bone: new Float64Array(slices) };
  const { muWater } = options;
  await run("tissueThresholds", { slices, pixels: rows * columns, muWater, images, ...thresholds }, options);
  return thresholds;
}

/** 0 up to the water threshold, muWater between the two, the image itself from the bone threshold on; NaN becomes 0. */
export async function tissuePrior(image: ArrayLike, options: TissuePriorOptions): Promise<Volume> {
  requireMuWater(options?.muWater);
  const images = await floats(image, "image", options, [2, 3]);
  const { slices, rows, columns } = planesOf(image.shape);
  const water = perSlice(options.water, "water", slices);
  const bone = perSlice(options.bone, "bone", slices);
  const prior = newImage(image.shape);
  const { muWater } = options;
  const parameters = { slices, pixels: rows * columns, muWater, water, bone, images, prior: prior.data };
  if (sizeOf(image.shape) > 0) await run("tissuePrior", parameters, options);
  return prior;
}

function perSlice(value: number | ArrayLikeOfNumbers, name: string, slices: number): Float64Array {
  const values = typeof value === "number" ? new Float64Array(slices).fill(value) : Float64Array.from(value ?? []);
  if (values.length !== slices || values.some(Number.isNaN))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one number, or one per slice (${slices}), for ${name} but received ${values.length}.`,
      { details: { expected: slices, received: values.length } },
    );
  return values;
}

function requireMuWater(muWater: number): void {
  requireNumber(muWater, "muWater", "a positive attenuation", (mu) => mu > 0 && Number.isFinite(mu));
}
