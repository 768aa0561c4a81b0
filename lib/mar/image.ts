/**
 * Metal artefact reduction for images that come without raw data: the image is projected through a virtual scan, the trace is
 * replaced there, and only the change is applied to the image.
 *
 * What this can do: take away the dark bands and streaks between and beside metal that inconsistent rays left behind. What it
 * cannot: bring back what the scanner's own reconstruction lost, such as detail right beside the metal, or values that were
 * clipped. docs/mar.md says more.
 */
import { type ArrayLike, type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { copyInTurns } from "../core/turns.ts";
import { bytes, floats, type Mask, newImage, planesOf, requireSameShape } from "../image/input.ts";
import { requireFinite } from "../image/pixels.ts";
import { type Progress, runJob } from "../native/job.ts";
import { type OutputOptions, output } from "../tomography/batch.ts";
import { type FanGeometry, nativeGeometry } from "../tomography/geometry.ts";
import { correctionShare, takeShare } from "./image-guard.ts";
import { type Metal, type MetalOptions, segmentMetal } from "./metal.ts";
import { type MarMethodOptions, methodParameters } from "./sinogram.ts";
import { virtualScan } from "./virtual-scan.ts";

export interface CorrectImagesOptions extends MetalOptions, MarMethodOptions, OutputOptions {
  /** Row and column spacing in mm, or one number. */
  pixelMm: number | readonly [number, number];
  /** Where the metal is, as `segmentMetal` or `segmentMetalByNetwork` gave it; default the former's. */
  found?: Metal | undefined;
  /**
   * Takes of each slice's correction only as much as lowers the streaks in soft tissue, by signs that need no truth; default false: all.
   * An image that had few streaks, or was corrected before, stays as it was.
   */
  guarded?: boolean | undefined;
}

export interface CorrectedImages {
  /** HU, of the input's shape. Slices without metal, and the metal itself, are bit for bit the input. */
  hu: Volume;
  metal: Mask;
  metalPixels: number[];
  /** What was taken for metal: at least so many HU. */
  metalHu: number;
  /** Slices in which metal was found, and a correction taken. */
  changed: boolean[];
  /** Of the correction, 0 to 1, slice by slice: where it is guarded, less than 1 means that it did not clearly lower streaks. */
  shares: number[];
  /** The virtual scan. */
  geometry: FanGeometry;
  muWater: number;
}

/** Slices that go through the addon in one call: wide enough for AVX2 (AVX-512 takes them one by one), and bounds the memory. */
const slicesAtOnce = 8;

/**
 * Bytes that correctImages takes beside its input for images [slices, rows, columns]: the result with its masks (metal before and
 * after cleaning, support), and what it works in. There, per ray of the virtual scan, native/recon/mar.cc holds five sinograms, the
 * trace, and back-projection's own copy, and per pixel four images; here lie the slices in hand, twice as float32, twice as masks.
 */
export function correctionBytes(
  [slices, rows, columns]: readonly [number, number, number],
  pixelMm: readonly [number, number],
): { result: number; working: number } {
  const { bins, angles } = virtualScan([rows, columns], pixelMm);
  const perSlice = angles.length * bins * (5 * 4 + 1 + 4) + rows * columns * (4 * 4 + 2 * 4 + 2);
  return { result: slices * rows * columns * (4 + 3), working: Math.min(slices, slicesAtOnce) * perSlice };
}

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
  if (options.found) requireSameShape(options.found.metal, "found.metal", images, "images");
  const { metal, support, pixels, metalHu } =
    options.found ?? (await segmentMetal(volume(input, images.shape), { ...options, onProgress: undefined }));
  const hu = output(images.shape, options.out);
  await copyInTurns(input, hu.data, signal);

  const affected = pixels.flatMap((count, slice) => (count > 0 ? [slice] : []));
  const size = rows * columns;
  const of = <T extends TypedArray>(array: T, slice: number) => array.subarray(slice * size, (slice + 1) * size) as T;
  const atOnce = Math.min(slicesAtOnce, affected.length);
  const before = newImage([atOnce, rows, columns]).data;
  const after = newImage([atOnce, rows, columns]).data;
  const shares: number[] = pixels.map((count) => (count > 0 ? 1 : 0));
  const supports = bytes(before.length);
  const metals = bytes(before.length);
  for (let first = 0; first < affected.length; first += atOnce) {
    const batch = affected.slice(first, first + atOnce);
    for (const [i, slice] of batch.entries()) {
      await copyInTurns(of(input, slice), of(before, i), signal);
      await copyInTurns(of(support.data, slice), of(supports, i), signal);
      await copyInTurns(of(metal.data, slice), of(metals, i), signal);
    }
    const filled = batch.length * size;
    const progress = ({ phase, done, total }: Progress) =>
      onProgress?.({ phase, done: first + (done / total) * batch.length, total: affected.length });
    await runJob(
      "correctImages",
      {
        device: device ?? "auto",
        geometry: nativeGeometry(geometry),
        ...method,
        slices: batch.length,
        images: before.subarray(0, filled),
        support: supports.subarray(0, filled),
        metal: metals.subarray(0, filled),
        corrected: after.subarray(0, filled),
      },
      { signal, onProgress: onProgress && progress },
    );
    for (const [i, slice] of batch.entries()) {
      if (options.guarded) {
        const shape = [rows, columns];
        const [was, is, around] = [of(before, i), of(after, i), of(supports, i)].map((data) => volume(data, shape));
        const share = await correctionShare(was as Volume, is as Volume, around as Mask, quiet);
        await takeShare(was as Volume, is as Volume, share, quiet);
        shares[slice] = share;
      }
      await copyInTurns(of(after, i), of(hu.data, slice), signal);
    }
  }
  return {
    hu,
    metal,
    metalPixels: pixels,
    metalHu,
    changed: shares.map((share) => share > 0),
    shares,
    geometry,
    muWater: method.muWater,
  };
}
