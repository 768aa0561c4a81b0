/** Images on another grid over the same extent, slice by slice. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { floats, newImage, planesOf, requireOneOf, run } from "./input.ts";

export interface ResampleOptions extends OperationOptions {
  /** Rows and columns of the result. */
  shape: readonly [rows: number, columns: number];
  /** "linear" by default; "cubic" is Catmull-Rom (bicubic); "area" averages, for reducing; "lanczos" (3 lobes) is sharpest. "area" and "lanczos" suppress aliasing. */
  method?: "nearest" | "linear" | "cubic" | "area" | "lanczos" | undefined;
}

/**
 * Resamples [row, column] or [slice, row, column] so that the outer edges of the first and last pixels stay where they are: output
 * pixel k of n lies at input position (k + ½)·m/n − ½ of m. The border pixel is repeated outside.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function resample(image: ArrayLike, options: ResampleOptions): Promise<Volume> {
  const { shape, method = "linear" } = options ?? {};
  if (!Array.isArray(shape) || shape.length !== 2 || !shape.every((n) => Number.isSafeInteger(n) && n >= 1))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected [rows, columns], both at least 1, for shape but received ${show(shape)}.`,
    );
  requireOneOf(method, "method", ["nearest", "linear", "cubic", "area", "lanczos"]);
  const input = await floats(image, "image", options, [2, 3]);
  const result = newImage([...image.shape.slice(0, -2), ...shape]);
  const [outRows, outColumns] = shape;
  await run("resample", { ...planesOf(image.shape), outRows, outColumns, method, input, output: result.data }, options);
  return result;
}
