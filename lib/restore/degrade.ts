/**
 * What makes images worse, as physics: views that are missing, resolution loss, and of MR its k-space, motion, noise and uneven
 * brightness. Seeded where it is random: the same seed gives the same result. Slices [row, column] or batches [slice, row, column].
 */
import { type ArrayLike, checkArray, rowMajorStride, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { gaussian } from "../image/gaussian.ts";
import { floats, newImage, planesOf, requireNumber, requireOneOf, run } from "../image/input.ts";
import { combine } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import { type OperationOptions, runJob } from "../native/job.ts";
import { packed } from "../native/pack.ts";
import { checkSeed } from "../physics/noise.ts";
import type { Geometry } from "../tomography/geometry.ts";

export interface SeedOptions extends OperationOptions {
  /** Whole number from 0 to 2^53 − 1. */
  seed: number;
}

const isFraction = (f: number) => f > 0 && f <= 1;
const isWhole = (n: number) => Number.isSafeInteger(n) && n >= 1;

/** `count` numbers between 0 and 1, from a seed; `stream` keeps several uses apart. */
export async function uniforms(seed: number, stream: number, count: number): Promise<Float64Array> {
  const output = new Int32Array(count);
  const parameters = { device: "cpu", seed: checkSeed(seed), stream, first: 0, count };
  await runJob("randomBits", { ...parameters, output });
  return Float64Array.from(output, (word) => ((word >>> 0) + 0.5) / 2 ** 32);
}

/** Every `step`-th of `count` entries of an axis, from `first` on, without copying. */
export function part(array: ArrayLike, axis: number, first: number, step: number, count: number): ArrayLike {
  const stride = [...(array.stride ?? rowMajorStride(array.shape))];
  const offset = (array.offset ?? 0) + first * stride[axis]!;
  const shape = array.shape.with(axis, count);
  stride[axis]! *= step;
  return { data: array.data, shape, stride, offset };
}

export interface FewerViews {
  sinogram: Volume;
  geometry: Geometry;
}

/**
 * Keeps every `every`-th view of a sinogram, from view `first` on, or only the first `degrees` of its angles (limited angle), or both; with
 * the geometry that goes with it. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function fewerViews(
  sinogram: ArrayLike,
  geometry: Geometry,
  options: OperationOptions & { every?: number; first?: number; degrees?: number },
): Promise<FewerViews> {
  const { every = 1, first = 0, degrees = Infinity } = options ?? {};
  checkArray(sinogram, "sinogram", [2, 3]);
  const axis = sinogram.shape.length - 2;
  const views = sinogram.shape[axis]!;
  if (views !== geometry.angles.length)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a sinogram of ${geometry.angles.length} views as the geometry says but received shape ${show([...sinogram.shape])}.`,
    );
  requireNumber(every, "every", "a whole number from 1 up", isWhole);
  requireNumber(first, "first", `a whole number from 0 to ${views - 1}`, (n) => n === 0 || (isWhole(n) && n < views));
  requireNumber(degrees, "degrees", "an angle above 0", (d) => d > 0);
  const start = geometry.angles[first]!;
  let last = first;
  while (last + 1 < views && Math.abs(geometry.angles[last + 1]! - start) < degrees) last++;
  const count = Math.floor((last - first) / every) + 1;
  const kept = part(sinogram, axis, first, every, count);
  const angles = Float64Array.from({ length: count }, (_, k) => geometry.angles[first + k * every]!);
  return { sinogram: volume(await copied(kept, options), kept.shape), geometry: { ...geometry, angles } };
}

/** Contiguous, and never the caller's own memory. */
async function copied(array: ArrayLike, options: OperationOptions): Promise<Float32Array<ArrayBuffer>> {
  const data = await packed(array, { signal: options?.signal });
  return data.buffer === array.data.buffer ? Float32Array.from(data) : (data as Float32Array<ArrayBuffer>);
}

/**
 * Loses in-plane resolution: a Gaussian of `factor` pixels' full width at half maximum, then one pixel for every factor × factor, at the
 * same extent. Throws ERR_SINO_OUT_OF_RANGE.
 */
export async function coarserPixels(image: ArrayLike, options: OperationOptions & { factor: number }): Promise<Volume> {
  const { factor } = options ?? {};
  requireNumber(factor, "factor", "a number from 1 up", (f) => f >= 1 && f < Infinity);
  const blurred = await gaussian(image, { ...options, sigma: factor / Math.sqrt(8 * Math.LN2) });
  const [rows, columns] = image.shape.slice(-2) as [number, number];
  const shape = [Math.max(1, Math.round(rows / factor)), Math.max(1, Math.round(columns / factor))] as const;
  return resample(blurred, { ...options, shape });
}

/**
 * Means of `slices` neighbouring slices of a volume [slice, row, column], one for every `step` of them (default: as many, no overlap):
 * thicker slices. What does not fill a slice at the end is left out. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function thickerSlices(
  image: ArrayLike,
  options: OperationOptions & { slices: number; step?: number },
): Promise<Volume> {
  const { slices, step = slices } = options ?? {};
  checkArray(image, "image", [3]);
  requireNumber(
    slices,
    "slices",
    `a whole number from 1 to ${image.shape[0]}`,
    (n) => isWhole(n) && n <= image.shape[0]!,
  );
  requireNumber(step, "step", "a whole number from 1 up", isWhole);
  const count = Math.floor((image.shape[0]! - slices) / step) + 1;
  const terms = Array.from({ length: slices }, (_, k) => [1 / slices, part(image, 0, k, step, count)] as const);
  return combine(terms, options);
}

/** A factor for every element of k-space, equal along each line (or, with `columns`, within columns). */
function lineMask(
  rows: number,
  columns: number,
  keepsRow: (v: number) => boolean,
  columnRange: readonly [number, number],
) {
  const mask = new Float32Array(rows * columns);
  for (let v = 0; v < rows; v++)
    if (keepsRow(v)) mask.fill(1, v * columns + columnRange[0], v * columns + columnRange[1]);
  return mask;
}

async function throughKspace(image: ArrayLike, extra: object, options: OperationOptions): Promise<Volume> {
  const input = await floats(image, "image", options, [2, 3]);
  const result = newImage(image.shape);
  await run("kspace", { ...planesOf(image.shape), ...extra, input, output: result.data }, options);
  return result;
}

const middle = (n: number, kept: number): readonly [number, number] => {
  const begin = Math.floor(n / 2) - Math.floor(kept / 2);
  return [begin, begin + kept];
};

/**
 * Keeps the middle `fraction` of k-space along rows and columns and fills the rest with zeros: the image keeps its pixels, loses resolution
 * and rings at edges, as MR does. Throws ERR_SINO_OUT_OF_RANGE.
 */
export async function truncateKspace(
  image: ArrayLike,
  options: OperationOptions & { fraction: number | readonly [row: number, column: number] },
): Promise<Volume> {
  const { fraction } = options ?? {};
  const both = typeof fraction === "number" ? [fraction, fraction] : [...(fraction ?? [])];
  for (const f of both) requireNumber(f, "fraction", "a number above 0, at most 1", isFraction);
  if (both.length !== 2) throw sinoError("ERR_SINO_ARG_TYPE", "Expected a number or [row, column] for fraction.");
  checkArray(image, "image", [2, 3]);
  const { rows, columns } = planesOf(image.shape);
  const down = middle(rows, Math.max(1, Math.round(rows * both[0]!)));
  const across = middle(columns, Math.max(1, Math.round(columns * both[1]!)));
  return throughKspace(image, { mask: lineMask(rows, columns, (v) => v >= down[0] && v < down[1], across) }, options);
}

export interface UndersampleOptions extends SeedOptions {
  /** One line in so many is measured, the middle included. */
  acceleration: number;
  /** Share of the lines around the middle that are always measured; default 0.08. */
  centre?: number | undefined;
  /** "random" (default): lines drawn evenly; "regular": every n-th, from a drawn first one. */
  pattern?: "random" | "regular" | undefined;
}

export interface Undersampled {
  /** Magnitude of what the measured lines give with zeros elsewhere. */
  image: Volume;
  /** 1 for the lines of k-space (middle line at ⌊rows/2⌋) that were measured. */
  lines: Uint8Array;
}

/**
 * Cartesian undersampling of MR along rows of k-space, the same lines for all slices. J. Zbontar et al., "fastMRI", 2018, has these patterns.
 * Throws ERR_SINO_OUT_OF_RANGE.
 */
export async function undersample(image: ArrayLike, options: UndersampleOptions): Promise<Undersampled> {
  const { acceleration, centre = 0.08, pattern = "random", seed } = options ?? {};
  requireNumber(acceleration, "acceleration", "a number from 1 up", (a) => a >= 1 && a < Infinity);
  requireNumber(centre, "centre", "a number from 0 to 1", (c) => c >= 0 && c <= 1);
  requireOneOf(pattern, "pattern", ["random", "regular"]);
  checkArray(image, "image", [2, 3]);
  const { rows, columns } = planesOf(image.shape);
  const [begin, end] = middle(rows, Math.round(centre * rows));
  const drawn = await uniforms(seed, 0, rows + 1);
  const lines = new Uint8Array(rows).fill(1, begin, end);
  const missing = Math.max(0, Math.round(rows / acceleration) - (end - begin));
  const others = [...lines.keys()].filter((v) => lines[v] === 0);
  if (pattern === "random") {
    const order = others.toSorted((a, b) => drawn[a]! - drawn[b]!);
    for (const v of order.slice(0, missing)) lines[v] = 1;
  } else {
    const step = others.length / Math.max(1, missing);
    const first = drawn[rows]! * step;
    for (let k = 0; k < missing; k++) lines[others[Math.floor(first + k * step) % others.length]!] = 1;
  }
  const mask = lineMask(rows, columns, (v) => lines[v] === 1, [0, columns]);
  return { image: await throughKspace(image, { mask }, options), lines };
}

export interface MotionOptions extends SeedOptions {
  /** "sudden" (default): a few jumps, each to a new position that is kept; "periodic": to and fro, as breathing. */
  kind?: "sudden" | "periodic" | undefined;
  /** Largest turn to either side, degrees, up to 45; default 3. */
  degrees?: number | undefined;
  /** Largest way to either side along rows and columns, pixels; default 3. */
  pixels?: number | undefined;
  /** "sudden": how often; default 2. "periodic": periods during the scan; default 8. */
  count?: number | undefined;
}

export interface Moved {
  image: Volume;
  /** Of every line of k-space of every slice, in the order of measurement (from the most negative frequency up). */
  turn: Float64Array;
  down: Float64Array;
  right: Float64Array;
}

/**
 * Rigid motion during an MR scan whose lines are measured one after the other: each line of k-space belongs to the slice as it lay at its
 * time, turned about its middle and moved. The position at the middle line is the reference, so the image stays where it was. Every slice
 * moves by itself. Ghosts and blur come out as in a scanner. Throws ERR_SINO_OUT_OF_RANGE.
 */
export async function simulateMotion(image: ArrayLike, options: MotionOptions): Promise<Moved> {
  const { kind = "sudden", degrees = 3, pixels = 3, count = kind === "periodic" ? 8 : 2, seed } = options ?? {};
  requireOneOf(kind, "kind", ["sudden", "periodic"]);
  requireNumber(degrees, "degrees", "an angle from 0 to 45", (d) => d >= 0 && d <= 45);
  requireNumber(pixels, "pixels", "a number of pixels from 0 up", (p) => p >= 0 && p < Infinity);
  requireNumber(count, "count", "a whole number from 1 to 1000", (n) => isWhole(n) && n <= 1000);
  checkArray(image, "image", [2, 3]);
  const { slices, rows } = planesOf(image.shape);
  const path = () => new Float64Array(slices * rows);
  const [turn, down, right] = [path(), path(), path()];
  for (let s = 0; s < slices; s++) {
    const drawn = await uniforms(seed, s + 1, 4 * (count + 1));
    const amount = (k: number, axis: number) => 2 * drawn[4 * k + axis]! - 1;
    const jumps = Array.from({ length: count }, (_, k) => drawn[4 * k + 3]! * rows).toSorted((a, b) => a - b);
    for (let v = 0; v < rows; v++) {
      const phase = 2 * Math.PI * ((count * v) / rows + drawn[3]!);
      const position = jumps.filter((at) => at <= v).length;
      const share = (axis: number) =>
        kind === "periodic" ? amount(0, axis) * Math.sin(phase) : amount(position, axis);
      turn[s * rows + v] = degrees * share(0);
      down[s * rows + v] = pixels * share(1);
      right[s * rows + v] = pixels * share(2);
    }
    for (const moved of [turn, down, right]) {
      const line = moved.subarray(s * rows, (s + 1) * rows);
      const reference = line[Math.floor(rows / 2)] ?? 0;
      line.forEach((value, v) => {
        line[v] = value - reference;
      });
    }
  }
  return { image: await throughKspace(image, { turn, down, right }, options), turn, down, right };
}

/**
 * The magnitude of a complex image with normal noise of standard deviation `sigma` in both parts. Any shape. With `first`, the number
 * of the first element, a set in pieces equals the set at once. Throws ERR_SINO_OUT_OF_RANGE.
 */
export async function ricianNoise(
  image: ArrayLike,
  options: SeedOptions & { sigma: number; stream?: number; first?: number },
): Promise<Volume> {
  const { sigma, seed, stream = 0, first = 0 } = options ?? {};
  requireNumber(sigma, "sigma", "a finite number from 0 up", (s) => s >= 0 && s < Infinity);
  const input = await floats(image, "image", options);
  const result = newImage(image.shape);
  const random = { seed: checkSeed(seed), stream, first };
  await run("ricianNoise", { ...random, count: input.length, sigma, input, output: result.data }, options);
  return result;
}

/**
 * Multiplies a volume (or a slice) by a smooth random field, the exponential of a polynomial up to `order`, as a receive coil does.
 * `strength` is about the largest logarithm. Throws ERR_SINO_OUT_OF_RANGE.
 */
export async function addBiasField(
  image: ArrayLike,
  options: SeedOptions & { strength?: number; order?: number },
): Promise<Volume> {
  const { strength = 0.3, order = 3, seed } = options ?? {};
  requireNumber(strength, "strength", "a finite number from 0 up", (s) => s >= 0 && s < Infinity);
  requireNumber(order, "order", "a whole number from 1 to 8", (n) => isWhole(n) && n <= 8);
  const input = await floats(image, "image", options, [2, 3]);
  const planes = planesOf(image.shape);
  const terms = ((order + 1) * (order + 2) * (order + 3)) / 6;
  const drawn = await uniforms(seed, 0, terms);
  const coefficients: number[] = [];
  for (let i = 0; i <= order; i++)
    for (let j = 0; i + j <= order; j++)
      for (let k = 0; i + j + k <= order; k++) {
        // no constant, nothing along a single slice, less of what is finer
        const counts = i + j + k > 0 && (i === 0 || planes.slices > 1);
        coefficients.push(counts ? (2 * drawn[coefficients.length]! - 1) / (i + j + k) : 0);
      }
  const sum = coefficients.reduce((total, c) => total + Math.abs(c), 0);
  const scaled = Float64Array.from(coefficients, (c) => (sum > 0 ? (2 * strength * c) / sum : 0));
  const result = newImage(image.shape);
  await run("brightness", { ...planes, order, coefficients: scaled, input, output: result.data }, options);
  return result;
}
