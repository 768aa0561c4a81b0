/** Bias field correction of MR volumes: N4. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { flags, floats, newImage, planesOf, requireNumber, requireSameShape, run } from "./input.ts";

type PerAxis = number | readonly number[];

export interface BiasFieldOptions extends OperationOptions {
  /** Voxels that the field is learnt from, of the image's shape: the body, say. By default all that are above zero. */
  mask?: ArrayLike | undefined;
  /** Every so many voxels are looked at, one number or one per axis (slice, row, column); default 4, and 1 along fewer than 16 slices. */
  shrink?: PerAxis | undefined;
  /** Cells of the coarsest spline along each axis; default 1: the field is smooth over the whole volume. */
  mesh?: PerAxis | undefined;
  /** The mesh is halved so often less one; default 4. */
  levels?: number | undefined;
  /** Most steps per level; default 50. */
  iterations?: number | undefined;
  /** A level ends where the field changes by less, relative; default 0.001. */
  tolerance?: number | undefined;
  /** Width of the blur that is taken off the histogram, in logarithms; default 0.15. */
  fwhm?: number | undefined;
}

export interface BiasField {
  /** The image divided by the field. */
  image: Volume;
  /** Factors around 1 (geometric mean over the mask), of the image's shape. */
  field: Volume;
}

/**
 * Finds and divides out the slow change of brightness over a volume [slice, row, column], or a slice [row, column], of positive values:
 * the logarithm's histogram is sharpened and the field fitted to what that moves, with finer and finer cubic B-splines.
 * N. J. Tustison et al., "N4ITK: improved N3 bias correction", IEEE TMI 29(6), 2010.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE (no positive values).
 */
export async function correctBiasField(image: ArrayLike, options: BiasFieldOptions = {}): Promise<BiasField> {
  const { levels = 4, iterations = 50, tolerance = 0.001, fwhm = 0.15 } = options;
  const isCount = (most: number) => (n: number) => Number.isInteger(n) && n >= 1 && n <= most;
  requireNumber(levels, "levels", "a whole number from 1 to 8", isCount(8));
  requireNumber(iterations, "iterations", "a whole number from 1 to 10000", isCount(10000));
  requireNumber(tolerance, "tolerance", "a number from 0 up", (t) => t >= 0 && t < Infinity);
  requireNumber(fwhm, "fwhm", "a number above 0", (f) => f > 0 && f < Infinity);
  const input = await floats(image, "image", options, [2, 3]);
  const planes = planesOf(image.shape);
  const mask = options.mask && (await flags(options.mask, "mask", options, [2, 3]));
  if (options.mask) requireSameShape(options.mask, "mask", image, "image");
  const shrink = perAxis(options.shrink ?? [planes.slices < 16 ? 1 : 4, 4, 4], "shrink", image.shape.length);
  const mesh = perAxis(options.mesh ?? 1, "mesh", image.shape.length);
  const [result, field] = [newImage(image.shape), newImage(image.shape)];
  const numbers = { shrink, mesh, levels, iterations, tolerance, fwhm, bins: 200 };
  const parameters = {
    ...planes,
    ...numbers,
    input,
    output: result.data,
    field: field.data,
    ...(mask ? { mask } : {}),
  };
  await run("biasField", parameters, options);
  return { image: result, field };
}

/** [slice, row, column] from one number, or from one per axis. */
function perAxis(value: PerAxis, name: string, rank: number): Float64Array {
  const all =
    typeof value === "number" ? [value, value, value] : value.length === 2 && rank === 2 ? [1, ...value] : value;
  if (all.length !== 3 || !all.every((n) => Number.isInteger(n) && n >= 1 && n <= 64))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected whole numbers from 1 to 64, one or one per axis, for ${name} but received ${show(value)}.`,
    );
  return Float64Array.from(all);
}
