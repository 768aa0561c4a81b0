/** Operations on plain typed arrays, for readers and writers of files. What users call on images is in lib/image. */
import { show, sinoError } from "../core/errors.ts";
import { allocate, type Device, type JobOptions, reserve, runJob } from "./job.ts";

export type StoredPixels = Int16Array | Uint16Array | Int8Array | Uint8Array | Int32Array | Uint32Array;

export interface RescaleOptions extends JobOptions {
  /** How many of the lowest bits of each integer count; all by default. Signed types are sign-extended from there. */
  bitsStored?: number | undefined;
  /** Receives the result: as many elements as `stored`. */
  out?: Float32Array<ArrayBuffer> | undefined;
  device?: Device | undefined;
}

export interface StoreOptions extends JobOptions {
  signed: boolean;
  /** 1 to 16. */
  bitsStored: number;
  device?: Device | undefined;
}

export interface Stored {
  stored: Int16Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
  /** Pixels outside the range of bitsStored, NaN included. */
  clipped: number;
}

/**
 * slope · stored + intercept for every pixel, one slope and intercept per slice (their count says how many slices there are).
 * Computed in double, rounded once. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function rescaleSlices(
  stored: StoredPixels,
  slopes: Float64Array,
  intercepts: Float64Array,
  options: RescaleOptions = {},
): Promise<Float32Array<ArrayBuffer>> {
  const pixels = pixelsPerSlice(stored, slopes, intercepts);
  const values = options.out ?? allocate(stored.length);
  await runJob(
    "rescale",
    {
      stored,
      slices: slopes.length,
      pixels,
      bits: options.bitsStored ?? stored.BYTES_PER_ELEMENT * 8,
      slopes,
      intercepts,
      values,
      device: options.device ?? "auto",
    },
    options,
  );
  return values;
}

/**
 * The way back: (hu − intercept) / slope rounded to the nearest integer, halves to even, clipped to what `bitsStored` bits hold
 * (sign-extended to 16). NaN becomes the lowest value. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (a slope of zero).
 */
export async function storeSlices(
  hu: Float32Array,
  slopes: Float64Array,
  intercepts: Float64Array,
  options: StoreOptions,
): Promise<Stored> {
  const pixels = pixelsPerSlice(hu, slopes, intercepts);
  reserve(hu.length * 2);
  const stored = options.signed ? new Int16Array(hu.length) : new Uint16Array(hu.length);
  const { clipped } = await runJob(
    "store",
    {
      values: hu,
      slices: slopes.length,
      pixels,
      bits: options.bitsStored,
      slopes,
      intercepts,
      stored,
      device: options.device ?? "auto",
    },
    options,
  );
  return { stored, clipped: clipped! };
}

function pixelsPerSlice(values: unknown, slopes: unknown, intercepts: unknown): number {
  if (!ArrayBuffer.isView(values) || !(slopes instanceof Float64Array) || !(intercepts instanceof Float64Array))
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected typed arrays of pixels and Float64Array for slopes and intercepts but received ${show(values)}, ${show(slopes)} and ${show(intercepts)}.`,
    );
  const slices = slopes.length;
  const { length } = values as Float32Array;
  const pixels = slices === 0 ? 0 : length / slices;
  if (intercepts.length !== slices || !Number.isInteger(pixels) || pixels * slices !== length)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one slope and one intercept per slice and slices of equal size but received ${length} pixels, ${slices} slopes and ${intercepts.length} intercepts.`,
      { details: { length, slopes: slices, intercepts: intercepts.length } },
    );
  return pixels;
}
