/** SSIM over several scales. */
import type { ArrayLike } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { decimatedPair, differences, type Pair, pairOf, referenceSpan, ssimOfPair } from "./compare.ts";
import { checkedRange, type RangeOptions } from "./metrics.ts";

/** Of Wang's subjects, finest scale first. */
const weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333] as const;
/** So large that the luminance of SSIM is 1: what is left is contrast and structure. */
const noLuminance = 1e150;

/**
 * Multi-scale SSIM per slice: contrast and structure at five scales, each half as fine (means of 2 × 2 pixels), luminance at the
 * coarsest; windows and constants as in `ssim`. Negative terms count as 0. Z. Wang, E. P. Simoncelli, A. C. Bovik, Asilomar 2003.
 * Throws ERR_SINO_SHAPE (slices below 176 × 176 pixels), ERR_SINO_OUT_OF_RANGE.
 */
export async function msSsim(
  images: ArrayLike,
  reference: ArrayLike,
  options: Omit<RangeOptions, "mask"> = {},
): Promise<Float64Array> {
  const pair = await pairOf(images, reference, { ...options, mask: undefined });
  requireScales(pair);
  const found = await differences(pair, options);
  const span = options.range === undefined ? referenceSpan(found) : undefined;
  return msSsimOfPair(pair, checkedRange(options.range ?? span![1] - span![0]), options);
}

/** Pixels across the coarsest window, in those of the finest scale. */
const least = 11 * 2 ** (weights.length - 1);
export const hasScales = ({ rows, columns }: Pair): boolean => Math.min(rows, columns) >= least;

export function requireScales(pair: Pair): void {
  if (hasScales(pair)) return;
  throw sinoError(
    "ERR_SINO_SHAPE",
    `Multi-scale SSIM needs ${least} × ${least} pixels for its coarsest window, but the images have ${pair.rows} × ${pair.columns}.`,
  );
}

export async function msSsimOfPair(given: Pair, range: number, options: OperationOptions): Promise<Float64Array> {
  let pair = given;
  const result = new Float64Array(pair.slices).fill(1);
  for (const [scale, weight] of weights.entries()) {
    const isLast = scale === weights.length - 1;
    const values = await ssimOfPair(pair, range, options, isLast ? {} : { c1: noLuminance });
    values.forEach((value, slice) => {
      result[slice]! *= Math.max(value, 0) ** weight;
    });
    if (!isLast) pair = await decimatedPair(pair, 2, options);
  }
  return result;
}
