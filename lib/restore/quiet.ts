/** Where an image shows nothing but noise, and how loud it is there: for noise that neighbours share, which `noiseLevel` underrates. */
import type { Volume } from "../core/arrays.ts";
import { volume } from "../core/arrays.ts";
import { planesOf } from "../image/input.ts";
import { statistics } from "../image/pixels.ts";
import { noisePowerSpectrum } from "../metrics/index.ts";
import type { OperationOptions } from "../native/job.ts";

export interface QuietPlaces {
  readonly slice: number;
  /** Side of the regions, pixels. */
  readonly size: number;
  /** First pixels [row, column]. */
  readonly regions: readonly (readonly [row: number, column: number])[];
  /** Standard deviation there, quadrics taken off, in the images' unit: the median of the regions. */
  readonly sigma: number;
}

/** One slice of images [row, column] or [slice, row, column], without copying. */
export function sliceOf(images: Volume, slice: number): Volume {
  const { rows, columns } = planesOf(images.shape);
  const size = rows * columns;
  return volume(images.data.subarray(slice * size, (slice + 1) * size) as Float32Array<ArrayBuffer>, [rows, columns]);
}

/**
 * The quietest twentieth of a slice's regions that are neither constant nor darker than `least` (default: the slice's mean); undefined where
 * there are none, or the image is smaller than a region.
 */
export async function quietPlaces(
  images: Volume,
  options: OperationOptions & { slice?: number; size?: number; least?: number } = {},
): Promise<QuietPlaces | undefined> {
  const { rows, columns, slices } = planesOf(images.shape);
  const { slice = slices >> 1, size = 16, device, signal } = options;
  if (Math.min(rows, columns) < size) return undefined;
  const image = sliceOf(images, slice);
  const job = { device, signal };
  const least = options.least ?? (await statistics(image, job)).mean;
  const found: { place: readonly [number, number]; sigma: number }[] = [];
  for (let row = 0; row + size <= rows; row += size)
    for (let column = 0; column + size <= columns; column += size) {
      const part = {
        data: image.data,
        shape: [size, size],
        stride: [columns, 1],
        offset: image.offset + row * columns + column,
      };
      const { mean } = await statistics(part, job);
      if (!(mean > least)) continue;
      const { sigma } = await noisePowerSpectrum(image, { ...job, size, regions: [[row, column]], trend: "quadric" });
      if (sigma > 0) found.push({ place: [row, column], sigma });
    }
  if (found.length === 0) return undefined;
  found.sort((a, b) => a.sigma - b.sigma);
  const kept = found.slice(0, Math.max(1, Math.ceil(found.length / 20)));
  return { slice, size, regions: kept.map(({ place }) => place), sigma: kept[kept.length >> 1]!.sigma };
}
