/** The exact Euclidean distance transform. */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { flags, integers, type Labels, newImage, planesOf, run } from "./input.ts";

export interface DistanceOptions extends OperationOptions {
  /** Pixel size along every axis, or one per axis of the transform (row, column, or slice, row, column); 1 by default. */
  sampling?: number | readonly number[] | undefined;
  /** Also return where the nearest zero is; false by default. */
  indices?: boolean | undefined;
  /** 2 (default): every slice by itself; 3: through the slices, for an array [slice, row, column]. */
  dimensions?: 2 | 3 | undefined;
}

export interface Distances {
  /** float32, of the mask's shape; Infinity everywhere where a slice (3-D: the volume) has no zero. */
  distances: Volume;
  /** With `indices`: int32 [axis, ...shape], the position of a nearest zero along every axis of the transform; −1 without zeros. */
  indices?: Labels;
}

/**
 * The distance of every pixel to the nearest zero of `mask`, as scipy.ndimage.distance_transform_edt gives it: zero pixels have
 * distance 0. Exact: squares are integers where all spacings are equal, else double; the result is rounded to float32 once.
 * Of several zeros equally near, `indices` names any one. To measure the distance to metal, pass the mask of what is not metal.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 *
 *     const { distances } = await distanceTransform(mask, { sampling: [0.8, 0.6] });
 */
export async function distanceTransform(mask: ArrayLike, options: DistanceOptions = {}): Promise<Distances> {
  const dimensions = options.dimensions ?? 2;
  if (dimensions !== 2 && dimensions !== 3)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected 2 or 3 for dimensions but received ${show(dimensions)}.`);
  const input = await flags(mask, "mask", options, dimensions === 3 ? [3] : [2, 3]);
  const spacing = spacings(options.sampling ?? 1, dimensions);
  const distances = newImage(mask.shape);
  const indices = options.indices ? integers(sizeOf(mask.shape) * dimensions) : undefined;
  await run(
    "distance",
    {
      ...planesOf(mask.shape),
      volume: dimensions === 3,
      spacing,
      mask: input,
      distances: distances.data,
      indices,
    },
    options,
  );
  return indices ? { distances, indices: volume(indices, [dimensions, ...mask.shape]) } : { distances };
}

function spacings(sampling: number | readonly number[], dimensions: number): Float64Array {
  const perAxis = typeof sampling === "number" ? new Array<number>(dimensions).fill(sampling) : [...sampling];
  if (perAxis.length !== dimensions || !perAxis.every((s) => typeof s === "number" && s > 0 && Number.isFinite(s)))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a positive number or ${dimensions} of them for sampling but received ${show(sampling)}.`,
    );
  return Float64Array.from(dimensions === 3 ? perAxis : [1, ...perAxis]);
}
