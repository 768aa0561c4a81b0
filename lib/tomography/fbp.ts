/** Filtered back-projection, whole and in its two halves. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { addon } from "../native/addon.ts";
import type { OperationOptions } from "../native/job.ts";
import { fromNative } from "../native/job.ts";
import type { OutputOptions } from "./batch.ts";
import { type Geometry, nativeGeometry, requireGeometry } from "./geometry.ts";
import { type FilterChoice, operate, tablesOf } from "./operate.ts";
import { operationOf, type RouteOptions } from "./route.ts";

export const filters = ["ram-lak", "shepp-logan", "cosine", "hamming", "hann"] as const;
export type FilterName = (typeof filters)[number];

export interface FilterOptions extends OperationOptions, OutputOptions, FilterChoice {}

/**
 * Reconstructs sinograms [views, bins] or [slices, views, bins] (dimensionless line integrals) into images
 * [rows, columns] or [slices, rows, columns] in 1/mm. Full scans, short scans (Parker weights) and uneven or unsorted angles
 * are recognised from the geometry; see `scanOf`. Kak & Slaney 1988, chapter 3.
 * Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (also for NaN or infinity in the sinogram), ERR_SINO_OUT_OF_MEMORY,
 * ERR_SINO_UNSUPPORTED (route "fourier" of a fan; "rebinned" of a parallel
 * beam, an incomplete scan or unevenly spaced views).
 *
 * @example
 * const image = await fbp(sinogram, geometry, { filter: "hann" });
 */
export async function fbp(
  sinograms: ArrayLike,
  geometry: Geometry,
  options: FilterOptions & RouteOptions = {},
): Promise<Volume> {
  const tables = tablesOf(geometry, options);
  const operation = operationOf("fbp", geometry, options.route);
  return operate(operation, tables, sinograms, { from: "sinograms", to: "images" }, options);
}

/** The first half of `fbp`: every view weighted and filtered, ready for `backproject`. */
export async function filterViews(
  sinograms: ArrayLike,
  geometry: Geometry,
  options: FilterOptions = {},
): Promise<Volume> {
  return operate("filter", tablesOf(geometry, options), sinograms, { from: "sinograms", to: "filtered" }, options);
}

/**
 * The second half of `fbp`: pixel-driven back-projection with linear interpolation and the fan's distance weight. Not the
 * transpose of `project`; that is `projectTranspose`.
 */
export async function backproject(
  filtered: ArrayLike,
  geometry: Geometry,
  options: OperationOptions & OutputOptions = {},
): Promise<Volume> {
  return operate("backproject", tablesOf(geometry), filtered, { from: "filtered", to: "images" }, options);
}

export interface Scan {
  /** full: 360°; half: 180° of a parallel beam; short: at least 180° plus the fan; limited: less, the image will lack edges. */
  coverage: "full" | "half" | "short" | "limited";
  /** Inner gaps included. */
  coveredDeg: number;
  /** The widest hole between neighbouring views inside that, over which `fbp` stretches the views beside it; 0 where there is none. */
  innerGapDeg: number;
}

/** What the angles of a geometry amount to, as `fbp` sees them. */
export function scanOf(geometry: Geometry): Scan {
  requireGeometry(geometry);
  try {
    return addon().describeScan(nativeGeometry(geometry));
  } catch (error) {
    throw fromNative(error);
  }
}
