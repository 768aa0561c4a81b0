/** Images at a fraction of their dose, through the sinogram: what the missing photons add, and nothing else. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { toAttenuation } from "../image/hounsfield.ts";
import { requireNumber } from "../image/input.ts";
import { combine, requireFinite } from "../image/pixels.ts";
import { virtualScan } from "../mar/virtual-scan.ts";
import type { OperationOptions } from "../native/job.ts";
import { lowerDose } from "../physics/detector.ts";
import { type FilterOptions, fbp } from "../tomography/fbp.ts";
import type { FanGeometry } from "../tomography/geometry.ts";
import { project } from "../tomography/project.ts";

export interface LowDoseOptions extends OperationOptions, FilterOptions {
  /** Whole number from 0 to 2^53 − 1. */
  seed: number;
  /** Keeps apart several uses of one seed; default 0. */
  stream?: number | undefined;
  /** Of the dose, above 0 and up to 1. */
  fraction: number;
  /** Row and column spacing in mm, or one number. */
  pixelMm: number | readonly [number, number];
  /** Photons per ray of the full dose without an object; default 2e5. */
  photons?: number | undefined;
  /** Standard deviation of the electronics, in photons; default 5. */
  electronicNoise?: number | undefined;
  /** Attenuation of water, 1/mm; default 0.0192. */
  muWater?: number | undefined;
  /** Default: a fan that sees the whole image. */
  geometry?: FanGeometry | undefined;
}

/**
 * HU images [row, column] or [slice, row, column] as a scan with a fraction of the photons would show them: they are projected, the
 * noise that is missing is added to the rays (`lowerDose`), and what it makes of the image, reconstructed with `filter`, is added to
 * the images: their sharpness stays. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE, also for NaN.
 *
 * @example
 * const quarter = await lowDoseImages(slices, { fraction: 0.25, pixelMm: 0.8, seed: 1, filter: "hann" });
 */
export async function lowDoseImages(images: ArrayLike, options: LowDoseOptions): Promise<Volume> {
  const { seed, stream = 0, fraction, pixelMm, photons = 2e5, electronicNoise = 5, muWater = 0.0192 } = options;
  const { filter = "hann", cutoff, signal, device } = options;
  requireNumber(fraction, "fraction", "a share above 0 and up to 1", (f) => f > 0 && f <= 1);
  await requireFinite(images, "images", { signal });
  const [rows, columns] = images.shape.slice(-2) as [number, number];
  const spacing = typeof pixelMm === "number" ? ([pixelMm, pixelMm] as const) : pixelMm;
  const geometry = options.geometry ?? virtualScan([rows, columns], spacing);
  const job = { signal, device };
  const rays = await project(await toAttenuation(images, muWater, { ...job, clipAir: true }), geometry, job);
  const fewer = await lowerDose(rays, { ...job, seed, stream, fraction, photons, electronicNoise });
  const added = await combine(
    [
      [1, fewer],
      [-1, rays],
    ],
    job,
  );
  const noise = await fbp(added, geometry, { ...job, filter, ...(cutoff !== undefined && { cutoff }) });
  return combine(
    [
      [1, images],
      [1000 / muWater, noise],
    ],
    job,
  );
}
