/** Single metrics: one number per slice. */
import type { ArrayLike } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import {
  type CompareOptions,
  decibels,
  decimatedPair,
  differences,
  pairOf,
  referenceSpan,
  type SsimWindow,
  ssimOfPair,
} from "./compare.ts";

export interface RangeOptions extends CompareOptions {
  /** Span of possible values; default highest − lowest value of the reference. */
  range?: number | undefined;
}

export interface SsimOptions extends Omit<RangeOptions, "mask"> {
  /** Average blocks of round(shortest side / 256) pixels first, as Wang's script does; default false. */
  downsample?: boolean | undefined;
  /**
   * "gaussian" (default): 11 × 11, σ 1.5, population variances, as Wang and MONAI have it; "uniform": 7 × 7, equal weights, sample variances,
   * which is what scikit-image gives unless it is told otherwise. Figures of one are not to be compared with those of the other.
   */
  window?: SsimWindow | undefined;
}

export function checkedRange(range: number): number {
  if (!(range > 0) || !Number.isFinite(range))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a positive number for range but received ${show(range)}.`);
  return range;
}

/** Root of the mean squared error per slice, in the images' unit. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE. */
export async function rmse(
  images: ArrayLike,
  reference: ArrayLike,
  options: CompareOptions = {},
): Promise<Float64Array> {
  const found = await differences(await pairOf(images, reference, options), options);
  return Float64Array.from(found, ({ mse }) => Math.sqrt(mse));
}

/** Peak signal-to-noise ratio per slice, dB; Infinity where slices are equal. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE. */
export async function psnr(images: ArrayLike, reference: ArrayLike, options: RangeOptions = {}): Promise<Float64Array> {
  const found = await differences(await pairOf(images, reference, options), options);
  const span = () => referenceSpan(found);
  const range = checkedRange(options.range ?? span()[1] - span()[0]);
  return Float64Array.from(found, ({ mse }) => decibels(range, mse));
}

/**
 * Structural similarity per slice: means over whole windows, K 0.01 and 0.03 (Wang et al., IEEE TIP 13(4), 2004). Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function ssim(images: ArrayLike, reference: ArrayLike, options: SsimOptions = {}): Promise<Float64Array> {
  const pair = await pairOf(images, reference, { ...options, mask: undefined });
  const found = await differences(pair, options);
  const span = () => referenceSpan(found);
  const range = checkedRange(options.range ?? span()[1] - span()[0]);
  const factor = options.downsample ? downsampling(pair.rows, pair.columns) : 1;
  return ssimOfPair(await decimatedPair(pair, factor, options), range, options, { window: options.window });
}

/** Wang's factor: shortest side over 256, rounded, at least 1. */
export function downsampling(rows: number, columns: number): number {
  return Math.max(1, Math.round(Math.min(rows, columns) / 256));
}
