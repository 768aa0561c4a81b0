/** Where the metal is: by threshold, cleaned of specks, and a slightly larger support that the metal trace is made from. */
import { type ArrayLike, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { connectedComponents, fillHoles, removeSmallComponents } from "../image/components.ts";
import { floats, type Mask, newMask, planesOf, requireNumber } from "../image/input.ts";
import { dilate } from "../image/morphology.ts";
import { select, statistics, threshold } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";
import { runJob } from "../native/job.ts";
import { muWater70keV } from "../physics/constants.ts";
import { batchOf, sinogramShape } from "../tomography/batch.ts";
import { type Geometry, nativeGeometry, requireGeometry } from "../tomography/geometry.ts";

export interface MetalOptions extends OperationOptions {
  /**
   * Pixels of at least this many HU are metal; default 2500. Dense bone and enamel stay below it in most scans. Where nothing reaches
   * the default but the images are clipped, nine tenths of the value that they are clipped at.
   */
  metalHu?: number | undefined;
  /** Smaller groups of touching pixels (8-connected) are noise; default 3. Real fillings can be that small. */
  minimumPixels?: number | undefined;
  /** How far the support reaches beyond the metal, pixels; default 1. Too small a mask ruins the result, too large costs little. */
  dilatePixels?: number | undefined;
}

export interface Metal {
  /** 1 on metal. */
  metal: Mask;
  /** The metal and a margin around it: what rays must miss to count as undisturbed. */
  support: Mask;
  /** Metal pixels of every slice. */
  pixels: number[];
  /** The threshold, HU; of a network's metal the one that it is compared with. */
  metalHu: number;
}

export const usualMetalHu = 2500;
/** Images whose largest value is this large, and taken by so many pixels, are clipped there: bone does not pile up at one value. */
const leastClippedHu = 1500;
const leastClippedPixels = 8;
const clippedShare = 0.9;
/** Darker pixels inside metal, from overflow or clipping; larger openings are real, as in a port or a ring. */
const largestHole = 20;

async function thresholdOf(hu: ArrayLike, options: OperationOptions): Promise<number> {
  const { maximum } = await statistics(hu, options);
  if (maximum >= usualMetalHu || !(maximum >= leastClippedHu)) return usualMetalHu;
  const atMaximum = await threshold(hu, maximum, options);
  const { sizes } = await connectedComponents(atMaximum, options);
  return Math.max(0, ...sizes) >= leastClippedPixels ? clippedShare * maximum : usualMetalHu;
}

/** The mask with its small holes closed. */
async function withoutHoles(metal: Mask, options: OperationOptions): Promise<Mask> {
  const filled = await fillHoles(metal, options);
  const holes = await select(metal, 0, filled, options);
  const openings = await removeSmallComponents(holes, largestHole + 1, { ...options, connectivity: 4 });
  return threshold(await select(openings, 0, filled, options), 0.5, options);
}

/**
 * Metal in HU images [row, column] or [slice, row, column], by threshold.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 *
 *     const { metal, pixels } = await segmentMetal(hu, { metalHu: 3000 });
 */
export async function segmentMetal(hu: ArrayLike, options: MetalOptions = {}): Promise<Metal> {
  const { signal, device } = options;
  if (options.metalHu !== undefined) requireNumber(options.metalHu, "metalHu", "a threshold in HU");
  const passed = { signal, device };
  const metalHu = options.metalHu ?? (await thresholdOf(hu, passed));
  return { ...(await cleanedMetal(await threshold(hu, metalHu, passed), options)), metalHu };
}

/** A first mask without specks and small holes, its support, and its pixels. */
export async function cleanedMetal(
  first: Mask,
  { minimumPixels = 3, dilatePixels = 1, signal, device }: MetalOptions,
): Promise<Omit<Metal, "metalHu">> {
  const passed = { signal, device };
  const metal = await withoutHoles(await removeSmallComponents(first, minimumPixels, passed), passed);
  const support = dilatePixels === 0 ? metal : await dilate(metal, { radius: dilatePixels, ...passed });
  const { slices, rows, columns } = planesOf(first.shape);
  return { metal, support, pixels: await countMetal(metal, slices, rows * columns, passed) };
}

/** What is certainly metal, HU; parts whose 95th percentile reaches the second value get a threshold of their own. */
const leastMetalHu = 3000;
const standsAloneHu = 6000;
const thresholdShare = 0.4;

/**
 * Metal in uncorrected images [row, column] or [slice, row, column] of a measurement, 1/mm: values of at least
 * max(3000 HU, 0.4 of the 95th percentile of what exceeds 3000 HU), per slice, and per connected part where that is metal by
 * itself. Such a mask follows strong metal closely, where a fixed threshold takes its streaks along. Nothing is dropped for being small.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE.
 *
 *     const metalMask = await findMetal(await fbp(sinogram, geometry));
 */
export async function findMetal(
  images: ArrayLike,
  options: OperationOptions & { muWater?: number | undefined } = {},
): Promise<Mask> {
  const { muWater = muWater70keV, signal, device } = options;
  const passed = { signal, device };
  const of = (hu: number) => muWater * (1 + hu / 1000);
  const input = await floats(images, "images", passed, [2, 3]);
  const { slices, rows, columns } = planesOf(images.shape);
  const metal = newMask(images.shape);
  const size = rows * columns;
  for (let s = 0; s < slices; s++) {
    const image = input.subarray(s * size, (s + 1) * size);
    const plane = volume(image, [rows, columns]);
    const { labels, count } = await connectedComponents(await threshold(plane, of(leastMetalHu), passed), passed);
    const levels = { least: of(leastMetalHu), share: thresholdShare, alone: of(standsAloneHu) };
    const mask = metal.data.subarray(s * size, (s + 1) * size);
    await runJob(
      "metalMask",
      { count: size, input: image, labels: labels.data, groups: count, ...levels, mask },
      passed,
    );
  }
  return metal;
}

/**
 * Metal in measured sinograms [views, bins] or [slices, views, bins], dimensionless: `findMetal` of their images, and, where the metal lets
 * next to nothing through (amalgam, gold), what all rays see as metal: its streaks are no metal then, and nothing is missing. The method
 * and its source are in native/recon/find_metal.h. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE (NaN).
 *
 *     const metalMask = await findMetalInSinograms(sinogram, geometry);
 */
export async function findMetalInSinograms(
  sinograms: ArrayLike,
  geometry: Geometry,
  options: OperationOptions & { muWater?: number | undefined } = {},
): Promise<Mask> {
  requireGeometry(geometry);
  const { muWater = muWater70keV, signal, device } = options;
  requireNumber(muWater, "muWater", "a positive attenuation in 1/mm", (mu) => mu > 0 && Number.isFinite(mu));
  const quiet = { signal, device };
  const { data, slices, lead } = await batchOf(sinograms, "sinograms", sinogramShape(geometry), "views × bins", quiet);
  const metal = newMask([...lead, ...geometry.image.shape]);
  await runJob(
    "metalInSinograms",
    {
      device: device ?? "auto",
      geometry: nativeGeometry(geometry),
      muWater,
      slices,
      sinograms: data,
      masks: metal.data,
    },
    quiet,
  );
  return metal;
}

/** Set pixels of every slice. Throws ERR_SINO_OUT_OF_RANGE where more than half of a slice is set: no method could work. */
export async function countMetal(
  mask: Mask,
  slices: number,
  pixels: number,
  options: OperationOptions = {},
): Promise<number[]> {
  const counts = new Float64Array(slices);
  await runJob("countSet", { slices, pixels, masks: mask.data, counts }, { signal: options.signal });
  const worst = counts.findIndex((count) => count > pixels / 2);
  if (worst >= 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `The metal covers ${counts[worst]} of ${pixels} pixels of slice ${worst}. Is the mask inverted, or the threshold too low?`,
      { details: { slice: worst, metalPixels: counts[worst], pixels } },
    );
  return Array.from(counts);
}
