/** PSNR, SSIM and errors between images, slice by slice, in the addon. Images [rows, columns] or [slices, rows, columns]. */
import { type ArrayLike, checkArray } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { flags, requireOneOf } from "../image/input.ts";
import type { OperationOptions } from "../native/job.ts";
import { allocate, runJob } from "../native/job.ts";
import { packed } from "../native/pack.ts";

/** Two batches of slices, contiguous, and what not to look at. */
export interface Pair {
  images: Float32Array;
  reference: Float32Array;
  slices: number;
  rows: number;
  columns: number;
  mask?: Uint8Array | undefined;
  maskSlices: number;
}

export interface CompareOptions extends OperationOptions {
  /** Pixels that are not 0 here are left out: [rows, columns] for all slices, or one per slice. */
  mask?: ArrayLike | undefined;
}

/** Sums over the pixels outside the mask of one slice. */
export interface Differences {
  count: number;
  bias: number;
  mae: number;
  mse: number;
  largest: number;
  referenceLow: number;
  referenceHigh: number;
}

function sameShape(a: ArrayLike, b: ArrayLike): boolean {
  return a.shape.length === b.shape.length && a.shape.every((n, axis) => n === b.shape[axis]);
}

async function maskFlags(mask: ArrayLike, shape: readonly number[], options: OperationOptions): Promise<Uint8Array> {
  const isShared = mask.shape?.length === 2 && sameShape(mask, { data: mask.data, shape: shape.slice(-2) });
  const found = await flags(mask, "mask", options, [2, 3]);
  if (!isShared && !sameShape(mask, { data: mask.data, shape }))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a mask of the images' shape ${show([...shape])}, or of one slice, but received ${show([...mask.shape])}.`,
    );
  return found;
}

/** Checks two image arrays and a mask against each other. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE. */
export async function pairOf(images: ArrayLike, reference: ArrayLike, options: CompareOptions): Promise<Pair> {
  checkArray(images, "images", [2, 3]);
  checkArray(reference, "reference", [2, 3]);
  if (!sameShape(images, reference))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected images and reference of one shape but received ${show([...images.shape])} and ${show([...reference.shape])}.`,
    );
  const [rows, columns] = images.shape.slice(-2) as [number, number];
  const slices = images.shape.length === 3 ? images.shape[0]! : 1;
  if (slices * rows * columns === 0)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected images with at least one pixel but received shape ${show([...images.shape])}.`,
    );
  const mask = options.mask && (await maskFlags(options.mask, images.shape, options));
  return {
    images: await packed(images, options),
    reference: await packed(reference, options),
    slices,
    rows,
    columns,
    mask,
    maskSlices: options.mask?.shape.length === 3 ? slices : 1,
  };
}

const maskOf = ({ mask, maskSlices }: Pair) => (mask ? { mask, maskSlices } : {});

/** Clips to [low, high], maps to [0, 1], rounds to 1/levels where levels > 0, sets masked pixels to 0. */
export async function windowedPair(
  pair: Pair,
  [low, high]: readonly [number, number],
  levels: number,
  options: OperationOptions,
): Promise<Pair> {
  const { slices, rows, columns } = pair;
  const windowed = async (input: Float32Array) => {
    const output = allocate(input.length);
    const device = options.device ?? "auto";
    const parameters = { device, slices, pixels: rows * columns, low, high, levels, ...maskOf(pair), input, output };
    await runJob("metricsWindow", parameters, options);
    return output;
  };
  return { ...pair, images: await windowed(pair.images), reference: await windowed(pair.reference) };
}

/** Throws ERR_SINO_OUT_OF_RANGE where a slice holds NaN or infinity, or the mask leaves nothing of it and `mayBeEmpty` is not set. */
export async function differences(
  pair: Pair,
  options: OperationOptions,
  { mayBeEmpty = false } = {},
): Promise<Differences[]> {
  const { slices, rows, columns, images: a, reference: b } = pair;
  const width = 7;
  const sums = new Float64Array(slices * width);
  const device = options.device ?? "auto";
  await runJob("metricsDifferences", { device, slices, rows, columns, ...maskOf(pair), a, b, sums }, options);
  return Array.from({ length: slices }, (_, slice) => {
    const [count, signed, absolute, squared, largest, referenceLow, referenceHigh] = sums.subarray(
      slice * width,
    ) as unknown as [number, number, number, number, number, number, number];
    if (count === 0 && !mayBeEmpty)
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `The mask covers every pixel of slice ${slice}: nothing is left to compare.`,
      );
    if (!Number.isFinite(squared))
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `Slice ${slice} of the images or of the reference contains NaN or infinity outside the mask; metrics need finite values.`,
        { details: { slice } },
      );
    return {
      count,
      bias: signed / count,
      mae: absolute / count,
      mse: squared / count,
      largest,
      referenceLow,
      referenceHigh,
    };
  });
}

async function decimated(input: Float32Array, pair: Pair, factor: number, options: OperationOptions) {
  const { slices, rows, columns } = pair;
  const output = allocate(slices * Math.ceil(rows / factor) * Math.ceil(columns / factor));
  const device = options.device ?? "auto";
  await runJob("metricsDecimate", { device, slices, rows, columns, factor, input, output }, options);
  return output;
}

/** Means of factor × factor pixels: what Wang's published SSIM script does to large images first. */
export async function decimatedPair(pair: Pair, factor: number, options: OperationOptions): Promise<Pair> {
  if (factor <= 1) return pair;
  const { mask: _, ...rest } = pair;
  return {
    ...rest,
    images: await decimated(pair.images, pair, factor, options),
    reference: await decimated(pair.reference, pair, factor, options),
    rows: Math.ceil(pair.rows / factor),
    columns: Math.ceil(pair.columns / factor),
  };
}

export interface Windowed {
  /** Default (0.01·range)². */
  c1?: number;
  /** "gaussian" by default. */
  window?: SsimWindow | undefined;
}

/** Pixels across the windows that SSIM slides over images. */
export const ssimWindows = { gaussian: 11, uniform: 7 } as const;
export type SsimWindow = keyof typeof ssimWindows;

/** Mean SSIM per slice of images whose values span `range`. Throws ERR_SINO_SHAPE where no window fits. */
export async function ssimOfPair(
  pair: Pair,
  range: number,
  options: OperationOptions,
  { c1 = (0.01 * range) ** 2, window = "gaussian" }: Windowed = {},
): Promise<Float64Array> {
  const { slices, rows, columns, images: a, reference: b } = pair;
  requireOneOf(window, "window", ["gaussian", "uniform"]);
  const side = ssimWindows[window];
  if (Math.min(rows, columns) < side)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `SSIM slides a window of ${side} × ${side} pixels, but the images have ${rows} × ${columns}.`,
      { details: { rows, columns } },
    );
  const values = new Float64Array(slices);
  const device = options.device ?? "auto";
  const constants = { c1, c2: (0.03 * range) ** 2, uniform: window === "uniform" };
  await runJob("metricsSsim", { device, slices, rows, columns, ...constants, a, b, values }, options);
  return values;
}

export const decibels = (range: number, mse: number): number => 10 * Math.log10(range ** 2 / mse);

/** The span of the reference outside the mask. Throws ERR_SINO_OUT_OF_RANGE where it is constant. */
export function referenceSpan(found: readonly Differences[]): [number, number] {
  const low = Math.min(...found.map((d) => d.referenceLow));
  const high = Math.max(...found.map((d) => d.referenceHigh));
  if (!(high > low))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `The reference is constant (${low}), so it has no range of its own: give range or window.`,
    );
  return [low, high];
}
