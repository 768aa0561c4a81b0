/**
 * Metal artefact reduction for images that come without raw data: the image is projected through a virtual scan, the trace is
 * replaced there, and only the change is applied to the image.
 *
 * What this can do: take away the dark bands and streaks between and beside metal that inconsistent rays left behind. What it
 * cannot: bring back what the scanner's own reconstruction lost, such as detail right beside the metal, or values that were
 * clipped. docs/mar.md says more.
 */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { floats, type Mask, newImage, planesOf } from "../image/input.ts";
import { requireFinite } from "../image/pixels.ts";
import { type Progress, runJob } from "../native/job.ts";
import { type FanGeometry, nativeGeometry } from "../tomography/geometry.ts";
import { type MetalOptions, segmentMetal } from "./metal.ts";
import { type MarMethodOptions, methodParameters } from "./sinogram.ts";
import { virtualScan } from "./virtual-scan.ts";

export interface CorrectImagesOptions extends MetalOptions, MarMethodOptions {
  /** Row and column spacing in mm, or one number. */
  pixelMm: number | readonly [number, number];
}

export interface CorrectedImages {
  /** HU, of the input's shape. Slices without metal, and the metal itself, are bit for bit the input. */
  hu: Volume;
  metal: Mask;
  metalPixels: number[];
  /** Slices in which metal was found. */
  changed: boolean[];
  /** The virtual scan. */
  geometry: FanGeometry;
  muWater: number;
}

/** Slices that go through the addon in one call: bounds the memory, and is as wide as its vectors. */
const slicesAtOnce = 16;

/**
 * Corrects HU images [row, column] or [slice, row, column]. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE (also
 * for NaN), ERR_SINO_OUT_OF_MEMORY.
 *
 *     const { hu } = await correctImages(clinical, { pixelMm: 0.7, method: "nmar" });
 */
export async function correctImages(images: ArrayLike, options: CorrectImagesOptions): Promise<CorrectedImages> {
  const { pixelMm, signal, device, onProgress } = options;
  const method = methodParameters(options, 2);
  const quiet = { signal, device };
  const input = await floats(images, "images", quiet, [2, 3]);
  await requireFinite(volume(input, images.shape), "images", quiet);
  const { rows, columns } = planesOf(images.shape);
  if (rows < 1 || columns < 1)
    throw sinoError("ERR_SINO_SHAPE", `Expected images with pixels but received ${rows} × ${columns}.`);
  const geometry = virtualScan([rows, columns], typeof pixelMm === "number" ? [pixelMm, pixelMm] : pixelMm);
  const { metal, support, pixels } = await segmentMetal(volume(input, images.shape), {
    ...options,
    onProgress: undefined,
  });
  const hu = newImage(images.shape);
  hu.data.set(input);

  const affected = pixels.flatMap((count, slice) => (count > 0 ? [slice] : []));
  const size = rows * columns;
  for (let first = 0; first < affected.length; first += slicesAtOnce) {
    const batch = affected.slice(first, first + slicesAtOnce);
    const gather = <T extends Float32Array | Uint8Array>(from: T, to: T) => {
      batch.forEach((slice, i) => {
        to.set(from.subarray(slice * size, (slice + 1) * size), i * size);
      });
      return to;
    };
    const corrected = newImage([batch.length, rows, columns]).data;
    const progress = ({ phase, done, total }: Progress) =>
      onProgress?.({ phase, done: first + (done / total) * batch.length, total: affected.length });
    await runJob(
      "correctImages",
      {
        device: device ?? "auto",
        geometry: nativeGeometry(geometry),
        ...method,
        slices: batch.length,
        images: gather(input, newImage([batch.length, rows, columns]).data),
        support: gather(support.data, new Uint8Array(sizeOf([batch.length, rows, columns]))),
        metal: gather(metal.data, new Uint8Array(sizeOf([batch.length, rows, columns]))),
        corrected,
      },
      { signal, onProgress: onProgress && progress },
    );
    batch.forEach((slice, i) => {
      hu.data.set(corrected.subarray(i * size, (i + 1) * size), slice * size);
    });
  }
  return {
    hu,
    metal,
    metalPixels: pixels,
    changed: pixels.map((count) => count > 0),
    geometry,
    muWater: method.muWater,
  };
}
