/** Dilation and erosion of masks, slice by slice. */
import type { ArrayLike } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { flags, type Mask, newMask, planesOf, requireNumber, requireOneOf, run } from "./input.ts";

/** Either a Euclidean disk, or a cross or box applied a number of times. */
export interface MorphologyOptions extends OperationOptions {
  /** Radius of a disk in pixels: everything at distance ≤ radius. 0 copies. */
  radius?: number | undefined;
  /** "cross": the four neighbours; "box": the eight. */
  shape?: "cross" | "box" | undefined;
  /** How often the shape is applied; 1 by default. */
  iterations?: number | undefined;
}

/**
 * Sets every pixel within reach of a set pixel. `mask` is [row, column] or [slice, row, column]; what is not zero is set; the result
 * is 0 or 1. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 *
 *     const safe = await dilate(metal, { radius: 1.5 });
 */
export function dilate(mask: ArrayLike, options: MorphologyOptions): Promise<Mask> {
  return morphology(mask, false, options);
}

/** Unsets every pixel within reach of an unset pixel. The outside of the image counts as set, so borders stay. */
export function erode(mask: ArrayLike, options: MorphologyOptions): Promise<Mask> {
  return morphology(mask, true, options);
}

async function morphology(mask: ArrayLike, isErosion: boolean, options: MorphologyOptions): Promise<Mask> {
  const element = elementOf(options);
  const input = await flags(mask, "mask", options, [2, 3]);
  const result = newMask(mask.shape);
  const planes = planesOf(mask.shape);
  await run("morphology", { ...planes, ...element, erode: isErosion, mask: input, result: result.data }, options);
  return result;
}

function elementOf({ radius, shape, iterations }: MorphologyOptions = {}): { shape: string; reach: number } {
  if ((radius === undefined) === (shape === undefined) || (radius !== undefined && iterations !== undefined))
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected either a radius, or a shape ("cross" or "box") and perhaps iterations, but received radius ${show(radius)}, shape ${show(shape)}, iterations ${show(iterations)}.`,
    );
  if (shape === undefined) {
    requireNumber(radius, "radius", "a number of pixels ≥ 0", (r) => r >= 0);
    return { shape: "disk", reach: radius };
  }
  requireOneOf(shape, "shape", ["cross", "box"]);
  requireNumber(iterations ?? 1, "iterations", "a whole number ≥ 0", (n) => Number.isSafeInteger(n) && n >= 0);
  return { shape, reach: iterations ?? 1 };
}
