/**
 * A series slice by slice, for `for await`: a few slices are worked on at a time and one such batch ahead of the consumer, so
 * memory does not grow with the series. Leaving the loop stops the work that is under way.
 */
import { type ArrayLike, checkArray, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { copyInTurns } from "../core/turns.ts";
import { arrange } from "../data/dicom/geometry.ts";
import { readSeries } from "../data/dicom/read.ts";
import { selectSlices } from "../data/dicom/select.ts";
import type { CtSlice } from "../data/dicom/slice.ts";
import { type CorrectImagesOptions, correctImages } from "../mar/image.ts";
import { packed } from "../native/pack.ts";
import type { FilterOptions } from "../tomography/fbp.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { createPlan } from "../tomography/plan.ts";

export interface StreamOptions {
  /** Slices worked on in one call; default 4. More is faster (16 fill the vectors) and holds more memory. */
  slicesAtOnce?: number | undefined;
}

/** Slices [row, column] one by one, or a whole batch [slice, row, column]. */
export type Slices = ArrayLike | AsyncIterable<ArrayLike> | Iterable<ArrayLike>;

export interface StreamedImage {
  /** From 0. */
  index: number;
  image: Volume;
}

export interface StreamedCorrection {
  index: number;
  /** [row, column]; bit for bit the input where no metal was found. */
  hu: Volume;
  metalPixels: number;
}

export interface StreamedSlice {
  index: number;
  /** Slices of the series. */
  count: number;
  /** Where the slice lies, what file it comes from. */
  slice: CtSlice;
  /** [row, column] */
  hu: Volume;
}

function countOf({ slicesAtOnce = 4 }: StreamOptions): number {
  if (Number.isInteger(slicesAtOnce) && slicesAtOnce >= 1) return slicesAtOnce;
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `Expected a positive integer for slicesAtOnce but received ${show(slicesAtOnce)}.`,
  );
}

/** Batches of at most `count` slices, [slice, row, column]. */
async function* batches(slices: Slices, count: number): AsyncGenerator<ArrayLike> {
  if ("data" in slices) {
    checkArray(slices, "slices", [3]);
    const [total, rows, columns] = slices.shape as [number, number, number];
    const stride = slices.stride ?? [rows * columns, columns, 1];
    for (let first = 0; first < total; first += count)
      yield {
        data: slices.data,
        shape: [Math.min(count, total - first), rows, columns],
        stride,
        offset: (slices.offset ?? 0) + first * stride[0]!,
      };
    return;
  }
  let held: ArrayLike[] = [];
  for await (const slice of slices) {
    checkArray(slice, "slice", [2]);
    const other = held[0]?.shape;
    if (other && slice.shape.some((n, axis) => n !== other[axis]))
      throw sinoError(
        "ERR_SINO_SHAPE",
        `Expected slices of one shape ${show(other)} but received ${show(slice.shape)}.`,
      );
    held.push(slice);
    if (held.length < count) continue;
    yield await joined(held);
    held = [];
  }
  if (held.length > 0) yield await joined(held);
}

async function joined(slices: readonly ArrayLike[]): Promise<ArrayLike> {
  const shape = slices[0]!.shape;
  const size = sizeOf(shape);
  const data = new Float32Array(slices.length * size);
  for (const [i, slice] of slices.entries())
    await copyInTurns(await packed(slice), data.subarray(i * size, (i + 1) * size));
  return { data, shape: [slices.length, ...shape] };
}

/** Calls `work` for each batch, the next one while the result before is in the consumer's hands; stops when the consumer does. */
async function* ahead<T>(
  source: AsyncGenerator<ArrayLike>,
  signal: AbortSignal | undefined,
  work: (batch: ArrayLike, signal: AbortSignal) => Promise<T>,
): AsyncGenerator<T> {
  const leaving = new AbortController();
  const both = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal;
  const start = async (): Promise<T | undefined> => {
    const { value, done } = await source.next();
    return done ? undefined : work(value, both);
  };
  let pending = start();
  try {
    for (let result = await pending; result !== undefined; result = await pending) {
      pending = start();
      pending.catch(() => undefined); // awaited in the next turn, or given up below
      yield result;
    }
  } finally {
    leaving.abort();
    await pending.catch(() => undefined); // the native job borrows its arrays
    await source.return(undefined);
  }
}

const sliceOf = (batch: Volume, i: number): Volume => {
  const [, rows, columns] = batch.shape as [number, number, number];
  return volume(batch.data.subarray(i * rows * columns, (i + 1) * rows * columns), [rows, columns]);
};

/**
 * Reconstructs sinograms [view, bin] one after the other, as `fbp` does. Throws what `fbp` throws.
 *
 *     for await (const { index, image } of reconstructStream(sinograms, geometry)) await show(index, image);
 */
export async function* reconstructStream(
  sinograms: Slices,
  geometry: Geometry,
  options: Omit<FilterOptions, "out"> & StreamOptions = {},
): AsyncGenerator<StreamedImage> {
  const { signal, filter, cutoff } = options;
  let index = 0;
  const source = batches(sinograms, countOf(options));
  const plan = await createPlan(geometry, { filter, cutoff, signal });
  try {
    for await (const images of ahead(source, signal, (batch, stop) => plan.fbp(batch, { ...options, signal: stop })))
      for (let i = 0; i < images.shape[0]!; i++) yield { index: index++, image: sliceOf(images, i) };
  } finally {
    plan.dispose();
  }
}

/**
 * Takes metal streaks out of HU images [row, column] one after the other, as `correctImages` does. Throws what that throws.
 *
 *     for await (const { hu } of correctStream(slices, { pixelMm: 0.7 })) await send(hu);
 */
export async function* correctStream(
  images: Slices,
  options: CorrectImagesOptions & StreamOptions,
): AsyncGenerator<StreamedCorrection> {
  const { signal } = options;
  let index = 0;
  const source = batches(images, countOf(options));
  for await (const corrected of ahead(source, signal, (batch, stop) =>
    correctImages(batch, { ...options, signal: stop }),
  ))
    for (let i = 0; i < corrected.hu.shape[0]!; i++)
      yield { index: index++, hu: sliceOf(corrected.hu, i), metalPixels: corrected.metalPixels[i]! };
}

/**
 * Reads a CT series slice by slice, sorted by position; see readSeries for `path` and for what it throws.
 *
 *     for await (const { index, count, hu } of seriesStream("scans/0042")) console.log(index + 1, count, hu.shape);
 */
export async function* seriesStream(
  path: string | readonly string[],
  options: StreamOptions & { seriesUid?: string | undefined; signal?: AbortSignal | undefined } = {},
): AsyncGenerator<StreamedSlice> {
  const { seriesUid, signal } = options;
  const count = countOf(options);
  const { slices } = arrange((await selectSlices(path, { seriesUid, signal })).slices);
  for (let first = 0; first < slices.length; first += count) {
    const some = slices.slice(first, first + count);
    const { volume: hu } = await readSeries(
      some.map(({ file }) => file),
      { signal },
    );
    for (const [i, slice] of some.entries())
      yield { index: first + i, count: slices.length, slice, hu: sliceOf(hu, i) };
  }
}
