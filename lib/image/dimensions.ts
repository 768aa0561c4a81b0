/** Whether slices are taken one by one or as a volume, and how far apart they lie. */
import { type ArrayLike, checkArray } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { requireOneOf } from "./input.ts";

export interface DimensionOptions {
  /** 2 (default): every slice by itself; 3: [slice, row, column] as one volume. */
  dimensions?: 2 | 3 | undefined;
  /** With 3: size of a voxel along slice, row and column; only their ratios count. Default: all equal. */
  sampling?: number | readonly number[] | undefined;
}

/** Distance from slice to slice in pixels; undefined where every slice is for itself. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE. */
export function sliceDistance(
  image: ArrayLike,
  { dimensions = 2, sampling = 1 }: DimensionOptions,
): number | undefined {
  requireOneOf(dimensions, "dimensions", [2, 3]);
  if (dimensions === 2) return undefined;
  checkArray(image, "image", [3]);
  if (typeof sampling === "number" && sampling > 0 && sampling < Infinity) return 1;
  const sizes = typeof sampling === "number" ? [] : sampling;
  if (sizes?.length !== 3 || !sizes.every((s) => typeof s === "number" && s > 0 && s < Infinity))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected sizes above 0 along slice, row and column for sampling but received ${show(sampling)}.`,
    );
  const [slice, row, column] = sizes as readonly [number, number, number];
  return slice / Math.sqrt(row * column);
}
