/** Many slices in one picture. */

import type { Volume } from "../core/arrays.ts";
import { planesOf } from "../image/input.ts";
import type { OperationOptions } from "../native/job.ts";
import { greyPng, sliceOf, windowed } from "../report/pictures.ts";

/** A PNG of slices side by side, as square as their number allows, at most `most`; `window` in HU from black to white. */
export async function contactSheet(
  images: Volume,
  window: readonly [number, number],
  options: OperationOptions,
  most = 64,
): Promise<Uint8Array> {
  const { rows, columns } = planesOf(images.shape);
  const count = Math.min(most, images.shape[0]!);
  const across = Math.ceil(Math.sqrt(count));
  const [gap, down] = [2, Math.ceil(count / across)];
  const width = across * (columns + gap) - gap;
  const height = down * (rows + gap) - gap;
  const whole = new Uint8Array(width * height);
  for (let i = 0; i < count; i++) {
    const tile = await windowed(await sliceOf(images, i, options), window);
    const first = Math.floor(i / across) * (rows + gap) * width + (i % across) * (columns + gap);
    for (let row = 0; row < rows; row++)
      whole.set(tile.subarray(row * columns, (row + 1) * columns), first + row * width);
  }
  return greyPng(whole, [height, width]);
}
