/** Iterative reconstruction: SIRT, OS-SART, CGLS, and with total variation as a prior. */
import { type ArrayLike, checkArray, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { flags, requireNumber, requireOneOf } from "../image/input.ts";
import { type OperationOptions, type Progress, runJob } from "../native/job.ts";
import { batchOf, type OutputOptions, output, sinogramShape } from "./batch.ts";
import type { Geometry } from "./geometry.ts";
import { tablesOf } from "./operate.ts";
import { operationOf, type RouteOptions } from "./route.ts";

export const iterativeMethods = ["sirt", "os-sart", "cgls", "tv"] as const;
export type IterativeMethod = (typeof iterativeMethods)[number];

export interface IterativeProgress extends Progress {
  /** Of the slice that was last looked at: iterations begun, and ‖b − A·x‖/‖b‖ before the last of them. */
  iteration: number;
  residual: number;
}

export interface IterativeOptions extends Omit<OperationOptions, "onProgress">, OutputOptions, RouteOptions {
  /**
   * "sirt": all views at once. "os-sart": subsets of views in turn, so many times faster in the beginning. "cgls": conjugate gradients,
   * the fewest iterations to the least squares, no bounds. "tv": least squares with total variation, for few views or little dose.
   */
  method: IterativeMethod;
  /** How often every view is used. */
  iterations: number;
  /** "os-sart": into so many parts the views are dealt out; as many as views is SART. By default parts of about 16 views. */
  subsets?: number | undefined;
  /** "sirt" and "os-sart": step, above 0 and below 2; default 1. */
  relaxation?: number | undefined;
  /** A slice is done where ‖b − A·x‖ ≤ tolerance·‖b‖, noise for example; default 0: never. */
  tolerance?: number | undefined;
  /** Bounds on the image, 1/mm: `low: 0` keeps attenuation from being negative. None by default, and none for "cgls". */
  low?: number | undefined;
  high?: number | undefined;
  /** [rows, columns]: pixels that are zero here stay zero in the image, in every slice. */
  mask?: ArrayLike | undefined;
  /** Where to start, of the result's shape; default zero. */
  start?: ArrayLike | undefined;
  /** "tv": how much variation costs, in 1/mm; default 1e-6. 1e-7 smooths hardly anything, 1e-5 wipes out soft tissue. */
  weight?: number | undefined;
  /** "tv": steps of the proximal map within an iteration; default 10. */
  weightSteps?: number | undefined;
  onProgress?: ((progress: IterativeProgress) => void) | undefined;
}

export interface IterativeResult {
  /** [rows, columns] or [slices, rows, columns], 1/mm. */
  image: Volume;
  /** ‖b − A·x‖/‖b‖ before each iteration, [iterations] or [slices, iterations]; NaN after a slice was done. */
  residuals: Volume<Float64Array<ArrayBuffer>>;
}

const native = { sirt: "sart", "os-sart": "sart", cgls: "cgls", tv: "tv" } as const;
const viewsOfSubset = 16;

/**
 * Reconstructs sinograms [views, bins] or [slices, views, bins] by repeated projection (Joseph) and its exact transpose, for every beam,
 * complete scan or not. Slices do not depend on each other. `route` "fourier" makes parallel beams several times faster, for all methods
 * but "os-sart". With "os-sart" a residual is of all subsets in turn, each before its own step.
 * Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (also for NaN in the input), ERR_SINO_UNSUPPORTED (bounds with "cgls", route "fourier"
 * with "os-sart" or a fan), ERR_SINO_OUT_OF_MEMORY.
 * A. C. Kak, M. Slaney, "Principles of Computerized Tomographic Imaging", chapter 7; native/recon/iterative.h has the formulas.
 *
 * @example
 * const { image } = await iterative(sinogram, geometry, { method: "os-sart", iterations: 5, low: 0 });
 */
export async function iterative(
  sinograms: ArrayLike,
  geometry: Geometry,
  options: IterativeOptions,
): Promise<IterativeResult> {
  const { native: tables } = tablesOf(geometry);
  const numbers = checked(geometry, options);
  const { data, slices, lead } = await batchOf(sinograms, "sinograms", sinogramShape(geometry), "views × bins", {
    signal: options.signal,
  });
  const { shape } = geometry.image;
  const quiet = { signal: options.signal };
  const image = output([...lead, ...shape], options.out);
  const residuals = volume(new Float64Array(slices * options.iterations).fill(Number.NaN), [
    ...lead,
    options.iterations,
  ]);
  const begin = options.start && (await batchOf(options.start, "start", shape, "rows × columns", quiet));
  if (begin && begin.slices !== slices)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one image in start for each of the ${slices} sinograms but received shape ${show([...options.start!.shape])}.`,
    );
  const mask = options.mask && (await maskOf(options.mask, shape, quiet));
  const { onProgress } = options;
  await runJob(
    "iterate",
    {
      device: options.device ?? "auto",
      ...tables,
      ...numbers,
      slices,
      sinograms: data,
      images: image.data,
      residuals: residuals.data,
      ...(begin ? { start: begin.data } : {}),
      ...(mask ? { mask } : {}),
    },
    {
      ...quiet,
      onProgress: onProgress && ((event) => onProgress({ ...event, ...latest(residuals.data, options.iterations) })),
    },
  );
  return { image, residuals };
}

async function maskOf(mask: ArrayLike, shape: readonly number[], options: OperationOptions): Promise<Uint8Array> {
  checkArray(mask, "mask", [2]);
  if (mask.shape[0] !== shape[0] || mask.shape[1] !== shape[1])
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a mask of the image's shape ${show([...shape])} but received ${show([...mask.shape])}.`,
    );
  return flags(mask, "mask", options);
}

/** How far the last slice that was begun has come; the job writes residuals while it runs. */
function latest(residuals: Float64Array, iterations: number): { iteration: number; residual: number } {
  let last = residuals.length - 1;
  while (last > 0 && Number.isNaN(residuals[last]!)) last--;
  return { iteration: iterations > 0 ? (last % iterations) + 1 : 0, residual: residuals[last] ?? Number.NaN };
}

function checked(geometry: Geometry, options: IterativeOptions): object {
  const { method, iterations, relaxation = 1, tolerance = 0, low = -Infinity, high = Infinity } = options ?? {};
  const { weight = 1e-6, weightSteps = 10, route = "direct" } = options ?? {};
  requireOneOf(method, "method", iterativeMethods);
  const views = geometry.angles.length;
  const isCount = (n: number) => Number.isSafeInteger(n) && n >= 1 && n <= 1e6;
  requireNumber(iterations, "iterations", "a whole number from 1 to 1000000", isCount);
  requireNumber(weightSteps, "weightSteps", "a whole number from 1 to 65536", (n) => isCount(n) && n <= 65536);
  requireNumber(relaxation, "relaxation", "a number above 0 and below 2", (r) => r > 0 && r < 2);
  requireNumber(tolerance, "tolerance", "a number from 0 up", (t) => t >= 0);
  requireNumber(weight, "weight", "a finite number from 0 up", (w) => w >= 0 && w < Infinity);
  requireNumber(low, "low", "a number", (n) => !Number.isNaN(n));
  requireNumber(high, "high", "a number", (n) => !Number.isNaN(n));
  if (low > high) throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected low ≤ high but received ${low} and ${high}.`);
  if (method === "cgls" && (low !== -Infinity || high !== Infinity))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      'Conjugate gradients take no bounds; use method "sirt", "os-sart" or "tv", or clip the result.',
    );
  const usual = method === "os-sart" ? Math.max(1, Math.round(views / viewsOfSubset)) : 1;
  const subsets = options.subsets ?? usual;
  requireNumber(subsets, "subsets", `a whole number from 1 to ${views}, the number of views`, (n) => {
    return isCount(n) && n <= views;
  });
  if (subsets > 1 && method !== "os-sart")
    throw sinoError("ERR_SINO_UNSUPPORTED", `Method "${method}" takes all views at once; subsets are for "os-sart".`);
  const fourier = method !== "os-sart" && operationOf("project", geometry, route) === "projectFourier";
  if (route === "fourier" && !fourier)
    throw sinoError("ERR_SINO_UNSUPPORTED", 'Route "fourier" takes all views at once; "os-sart" goes "direct".');
  return {
    method: native[method],
    iterations,
    subsets,
    relaxation,
    tolerance,
    low,
    high,
    weight,
    weightSteps,
    fourier,
  };
}
