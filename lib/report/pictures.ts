/** PNG bytes of one slice through a window. */
import { type ArrayLike, type Volume, volume } from "../core/arrays.ts";
import { floats, planesOf } from "../image/input.ts";
import { combine } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";
import { storeSlices } from "../native/ops.ts";

/** Slice `index` of images as a view, float32. */
export async function sliceOf(
  images: ArrayLike,
  index: number,
  options: OperationOptions,
): Promise<Volume<Float32Array>> {
  const { rows, columns } = planesOf(images.shape);
  const data = await floats(images, "images", options, [2, 3]);
  return volume(data.subarray(index * rows * columns, (index + 1) * rows * columns), [rows, columns]);
}

/** HU through a window as 0…255. */
export async function windowed(
  image: Volume<Float32Array>,
  [low, high]: readonly [number, number],
): Promise<Uint8Array> {
  const slope = Float64Array.of((high - low) / 255);
  const { stored } = await storeSlices(image.data, slope, Float64Array.of(low), { signed: false, bitsStored: 8 });
  return Uint8Array.from(stored);
}

export async function greyPng(data: Uint8Array, [rows, columns]: readonly number[]): Promise<Uint8Array> {
  const { encode } = await import("fast-png");
  return encode({ width: columns!, height: rows!, data, depth: 8, channels: 1 });
}

/** One slice in HU, `window` from black to white. */
export async function windowPng(
  images: ArrayLike,
  index: number,
  window: readonly [number, number],
  options: OperationOptions,
): Promise<Uint8Array> {
  const image = await sliceOf(images, index, options);
  return greyPng(await windowed(image, window), image.shape);
}

/** a − b, grey where equal, black to white over ±200 HU. */
export async function differencePng(
  a: ArrayLike,
  b: ArrayLike,
  index: number,
  options: OperationOptions,
): Promise<Uint8Array> {
  const change = await combine(
    [
      [1, await sliceOf(a, index, options)],
      [-1, await sliceOf(b, index, options)],
    ],
    options,
  );
  return greyPng(await windowed(change, [-200, 200]), change.shape);
}

/** Images of one shape in two columns, a dark line between them. */
export async function comparisonPng(
  images: readonly ArrayLike[],
  window: readonly [number, number],
  options: OperationOptions,
): Promise<Uint8Array> {
  const { rows, columns } = planesOf(images[0]!.shape);
  const gap = 4;
  const across = Math.min(2, images.length);
  const down = Math.ceil(images.length / across);
  const width = across * (columns + gap) - gap;
  const height = down * (rows + gap) - gap;
  const whole = new Uint8Array(width * height);
  for (const [i, each] of images.entries()) {
    const tile = await windowed(await sliceOf(each, 0, options), window);
    const first = Math.floor(i / across) * (rows + gap) * width + (i % across) * (columns + gap);
    for (let row = 0; row < rows; row++)
      whole.set(tile.subarray(row * columns, (row + 1) * columns), first + row * width);
  }
  return greyPng(whole, [height, width]);
}
