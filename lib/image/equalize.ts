/** Contrast: histogram equalisation, of whole slices and tile by tile (CLAHE). */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { floats, newImage, planesOf, requireNumber, run } from "./input.ts";

export interface EqualizeOptions extends OperationOptions {
  /** [low, high]: the grey values that are spread, in the image's unit; those outside become its ends. Default: lowest to highest. */
  window?: readonly [low: number, high: number] | undefined;
  /** Bins of a histogram, 2 to 65536; default 256. Values within a bin stay apart. */
  bins?: number | undefined;
}

export interface ClaheOptions extends EqualizeOptions {
  /** Tiles of a slice; default [8, 8], fewer where there are fewer pixels. */
  tiles?: readonly [rows: number, columns: number] | undefined;
  /** The most that a bin may hold, as a multiple of the mean of all bins; what is above it is spread over all. Default 2.5; at least 1. */
  limit?: number | undefined;
}

/**
 * Maps every slice so that equal shares of [low, high] hold equal shares of its pixels. The result spans the window. NaN stays.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export function equalizeHistogram(image: ArrayLike, options: EqualizeOptions = {}): Promise<Volume> {
  return equalized(image, [1, 1], 0, options);
}

/**
 * Contrast-limited adaptive histogram equalisation: as `equalizeHistogram` within tiles, mixed bilinearly between their centres, where
 * no grey value gains more than `limit` times its contrast. K. Zuiderveld, Graphics Gems IV, 1994, for values of any precision.
 * HU no longer mean anything afterwards: for looking at, not for measuring.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 *
 * @example
 * const look = await clahe(slices, { window: [-160, 240] });
 */
export async function clahe(image: ArrayLike, options: ClaheOptions = {}): Promise<Volume> {
  const { tiles = [8, 8], limit = 2.5 } = options;
  if (!Array.isArray(tiles) || tiles.length !== 2 || !tiles.every((n) => Number.isSafeInteger(n) && n >= 1))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected [rows, columns] of tiles, both at least 1, but received ${show(tiles)}.`,
    );
  requireNumber(limit, "limit", "a number from 1 up", (n) => n >= 1 && n < Infinity);
  return equalized(image, tiles as unknown as readonly [number, number], limit, options);
}

async function equalized(
  image: ArrayLike,
  tiles: readonly [number, number],
  limit: number,
  options: EqualizeOptions,
): Promise<Volume> {
  const { bins = 256, window } = options;
  requireNumber(bins, "bins", "a whole number from 2 to 65536", (n) => Number.isInteger(n) && n >= 2 && n <= 65536);
  if (window !== undefined && !(Array.isArray(window) && window.length === 2 && window[0] < window[1]))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected [low, high], low < high, for window but received ${show(window)}.`,
    );
  const input = await floats(image, "image", options, [2, 3]);
  const planes = planesOf(image.shape);
  const { slices, rows, columns } = planes;
  const low = new Float64Array(slices).fill(window?.[0] ?? 0);
  const high = new Float64Array(slices).fill(window?.[1] ?? 0);
  for (let s = 0; !window && s < slices; s++) {
    const count = rows * columns;
    const part = input.subarray(s * count, (s + 1) * count);
    const { minimum, maximum } = await run("statistics", { count, input: part }, { signal: options.signal });
    low[s] = Number.isFinite(minimum) ? minimum! : 0;
    high[s] = Number.isFinite(maximum) ? maximum! : 0;
  }
  const result = newImage(image.shape);
  const [rowTiles, columnTiles] = [Math.min(tiles[0], rows), Math.min(tiles[1], columns)];
  const parameters = { ...planes, rowTiles, columnTiles, bins, limit, low, high, input, output: result.data };
  await run("equalize", parameters, options);
  return result;
}
