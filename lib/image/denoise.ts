/** Classical denoisers: non-local means, block matching, bilateral, total variation, median; and how loud the noise is. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { type DimensionOptions, sliceDistance } from "./dimensions.ts";
import { floats, newImage, planesOf, requireNumber, run } from "./input.ts";

export interface NoiseOptions extends OperationOptions {
  /** Standard deviation of the noise, in the image's unit: for all slices, or one per slice. By default `noiseLevel` says. */
  sigma?: number | readonly number[] | Float64Array | undefined;
}

/** Of filters that look into neighbouring slices too. */
export interface DepthOptions extends DimensionOptions {
  /** With 3 dimensions: so many slices to either side are looked at; default those within `search` pixels, at most 2. */
  depth?: number | undefined;
}

export interface NonLocalMeansOptions extends NoiseOptions, DepthOptions {
  /** Patches are (2·patch + 1)² pixels; default 2. */
  patch?: number | undefined;
  /** Pixels up to so many rows and columns away are looked at; default 6. */
  search?: number | undefined;
  /** Weights fall to 1/e where patches differ by so many sigmas beyond the noise, root mean square; default 0.8. */
  strength?: number | undefined;
  /** Gaussian weights within a patch, of this standard deviation in pixels; by default all pixels count alike. */
  patchSigma?: number | undefined;
}

export interface BilateralOptions extends NoiseOptions, DepthOptions {
  /** Standard deviation in space, pixels; default 1.5. */
  spread?: number | undefined;
  /** Pixels up to so many rows and columns away; default 3·spread, rounded up. */
  search?: number | undefined;
  /** Values that differ by so many sigmas count e^−½; default 2. */
  strength?: number | undefined;
}

export interface TotalVariationOptions extends NoiseOptions, DimensionOptions {
  /** What variation costs, in sigmas; default 1. */
  strength?: number | undefined;
  /** Steps of the solver; default 100: the energy is within about 0.2 % of its minimum. */
  iterations?: number | undefined;
  /** Bounds on the result; none by default. */
  low?: number | undefined;
  high?: number | undefined;
}

export interface BlockMatchingOptions extends NoiseOptions {
  /** Blocks up to so many rows and columns away are compared; default 12. */
  search?: number | undefined;
}

export interface MedianOptions extends OperationOptions {
  /** The square has (2·radius + 1)² pixels, radius from 0 to 7; default 1. */
  radius?: number | undefined;
}

const isPositive = (n: number) => n > 0 && n < Infinity;
const wholeUpTo = (most: number) => (n: number) => Number.isInteger(n) && n >= 0 && n <= most;

/**
 * The standard deviation of white noise in every slice of [row, column] or [slice, row, column], from the median size of the finest
 * details (a second difference along both axes, which slopes and most edges do not move). Constant regions, as padding makes them,
 * are left out; NaN where nothing else is. Reconstructed CT noise is correlated and comes out too low: give `sigma` where it is known.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE.
 */
export async function noiseLevel(image: ArrayLike, options: OperationOptions = {}): Promise<Float64Array<ArrayBuffer>> {
  const input = await floats(image, "image", options, [2, 3]);
  const planes = planesOf(image.shape);
  const sigmas = new Float64Array(planes.slices);
  await run("noiseLevel", { ...planes, input, sigmas }, options);
  return sigmas;
}

/** What was given, or what the slices say; no noise where they say nothing. */
async function sigmasOf(image: ArrayLike, options: NoiseOptions): Promise<Float64Array> {
  const { slices } = planesOf(image.shape);
  const { sigma } = options;
  if (sigma === undefined) {
    const { device, signal } = options;
    return (await noiseLevel(image, { device, signal })).map((s) => (Number.isNaN(s) ? 0 : s));
  }
  const values = typeof sigma === "number" ? [sigma] : [...sigma];
  for (const s of values) requireNumber(s, "sigma", "a number from 0 up", (n) => n >= 0 && n < Infinity);
  if (values.length !== 1 && values.length !== slices)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one sigma, or one for each of ${slices} slices, but received ${values.length}.`,
    );
  return Float64Array.from({ length: slices }, (_, s) => values[values.length === 1 ? 0 : s]!);
}

/** What the kernel is told of neighbouring slices. */
function neighbours(image: ArrayLike, search: number, options: DepthOptions) {
  const apart = sliceDistance(image, options);
  if (apart === undefined && options.depth !== undefined)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", "Depth counts slices of a volume: it goes with dimensions 3.");
  const { depth = Math.min(2, Math.floor(search / (apart ?? Infinity))) } = options;
  requireNumber(depth, "depth", "a whole number from 0 to 64", wholeUpTo(64));
  return { depth, apart: apart ?? 1 };
}

/** Runs a filter whose strength is a number per slice. */
async function filtered(
  operation: string,
  image: ArrayLike,
  options: NoiseOptions,
  parameters: (sigmas: Float64Array) => object,
): Promise<Volume> {
  const input = await floats(image, "image", options, [2, 3]);
  const result = newImage(image.shape);
  const given = parameters(await sigmasOf(image, options));
  await run(operation, { ...planesOf(image.shape), ...given, input, output: result.data }, options);
  return result;
}

/**
 * Non-local means: every pixel becomes the mean of the pixels around it whose neighbourhoods look like its own, weighted by how much
 * they do. Borders are mirrored. A. Buades, B. Coll, J.-M. Morel, CVPR 2005, with the noise taken off the distances.
 * In three dimensions neighbourhoods stay within their slices, and those of the slices beside count too.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 *
 * @example
 * const quiet = await nonLocalMeans(slices, { sigma: 20 });
 */
export async function nonLocalMeans(image: ArrayLike, options: NonLocalMeansOptions = {}): Promise<Volume> {
  const { patch = 2, search = 6, strength = 0.8, patchSigma = 0 } = options;
  requireNumber(patch, "patch", "a whole number from 0 to 16", wholeUpTo(16));
  requireNumber(search, "search", "a whole number from 0 to 64", wholeUpTo(64));
  requireNumber(strength, "strength", "a number above 0", isPositive);
  requireNumber(patchSigma, "patchSigma", "a number of pixels from 0 up", (n) => n >= 0 && n < Infinity);
  const slices = neighbours(image, search, options);
  return filtered("nonlocalMeans", image, options, (sigmas) => ({
    ...slices,
    patch,
    search,
    patchSigma,
    spread: 0,
    sigmas,
    h: sigmas.map((s) => s * strength),
  }));
}

/**
 * The bilateral filter: a mean of the pixels around, weighted by nearness in space and in value. C. Tomasi, R. Manduchi, ICCV 1998.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function bilateral(image: ArrayLike, options: BilateralOptions = {}): Promise<Volume> {
  const { spread = 1.5, strength = 2 } = options;
  requireNumber(spread, "spread", "a number of pixels above 0, at most 21", (n) => n > 0 && n <= 21);
  requireNumber(strength, "strength", "a number above 0", isPositive);
  const search = options.search ?? Math.ceil(3 * spread);
  requireNumber(search, "search", "a whole number from 0 to 64", wholeUpTo(64));
  const slices = neighbours(image, search, options);
  return filtered("nonlocalMeans", image, options, (sigmas) => ({
    ...slices,
    patch: 0,
    search,
    patchSigma: 0,
    spread,
    sigmas: new Float64Array(1),
    h: sigmas.map((s) => s * strength * Math.SQRT2),
  }));
}

/**
 * The image nearest to the given one for its total variation (isotropic): argmin ½‖x − image‖² + strength·sigma·TV(x). Flattens noise,
 * keeps edges, lowers contrast of small things. L. Rudin, S. Osher, E. Fatemi, Physica D 60, 1992.
 * In three dimensions differences between slices count too, divided by their distance, with one sigma: the root mean square of the slices'.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function totalVariation(image: ArrayLike, options: TotalVariationOptions = {}): Promise<Volume> {
  const { strength = 1, iterations = 100, low = -Infinity, high = Infinity } = options;
  requireNumber(strength, "strength", "a number from 0 up", (n) => n >= 0 && n < Infinity);
  requireNumber(iterations, "iterations", "a whole number from 1 to 1000000", (n) => n >= 1 && wholeUpTo(1e6)(n));
  for (const [name, bound] of Object.entries({ low, high }))
    requireNumber(bound, name, "a number", (n) => !Number.isNaN(n));
  if (low > high) throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected low ≤ high but received ${low} and ${high}.`);
  const apart = sliceDistance(image, options);
  const volume = apart !== undefined;
  const together = (sigmas: Float64Array) => Float64Array.of(Math.hypot(...sigmas) / Math.sqrt(sigmas.length || 1));
  return filtered("totalVariation", image, options, (sigmas) => ({
    volume,
    ratio: 1 / (apart ?? 1),
    weights: (volume ? together(sigmas) : sigmas).map((s) => s * strength),
    iterations,
    low,
    high,
  }));
}

/**
 * BM3D: similar blocks of 8 × 8 pixels are stacked and denoised together, by thresholds and then by Wiener factors: the strongest of these
 * filters against white noise. K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, IEEE TIP 16(8), 2007. Slices below 8 × 8 pixels stay.
 * NaN and infinity become NaN, with up to 14 pixels around them.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function blockMatching(image: ArrayLike, options: BlockMatchingOptions = {}): Promise<Volume> {
  const { search = 12 } = options;
  requireNumber(search, "search", "a whole number from 0 to 64", wholeUpTo(64));
  return filtered("blockMatching", image, options, (sigmas) => ({ search, sigmas }));
}

/** The median of the square around every pixel; borders are mirrored. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE. */
export async function median(image: ArrayLike, options: MedianOptions = {}): Promise<Volume> {
  const { radius = 1 } = options;
  requireNumber(radius, "radius", "a whole number from 0 to 7", wholeUpTo(7));
  const input = await floats(image, "image", options, [2, 3]);
  const result = newImage(image.shape);
  await run("median", { ...planesOf(image.shape), radius, input, output: result.data }, options);
  return result;
}
