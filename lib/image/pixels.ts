/** What is done to every pixel by itself, and statistics over all of them. Any shape. */
import { type ArrayLike, checkArray, isArrayLike, sizeOf, type Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { type OperationOptions, runJob } from "../native/job.ts";
import { flags, floats, type Mask, newImage, newMask, requireNumber, requireSameShape, run } from "./input.ts";

export interface ThresholdOptions extends OperationOptions {
  /** true (default): pixels at or above the value; false: pixels below it. */
  above?: boolean | undefined;
}

export interface CombineOptions extends OperationOptions {
  /** Added to every pixel; 0 by default. */
  offset?: number | undefined;
  /** Smaller results become this. */
  low?: number | undefined;
  /** Larger results become this. */
  high?: number | undefined;
}

export interface Statistics {
  /** How many pixels are NaN or infinite; the other numbers leave them out. */
  nonFinite: number;
  /** NaN where no pixel is finite. */
  minimum: number;
  maximum: number;
  sum: number;
  mean: number;
}

/** A uint8 mask of the pixels at or above `value` (rounded to float32), or with `above: false` below it. NaN is in neither. */
export async function threshold(image: ArrayLike, value: number, options: ThresholdOptions = {}): Promise<Mask> {
  requireNumber(value, "value", "a number", (v) => !Number.isNaN(v));
  const input = await floats(image, "image", options);
  const mask = newMask(image.shape);
  const parameters = { count: input.length, input, level: value, above: options.above ?? true, mask: mask.data };
  await run("threshold", parameters, options);
  return mask;
}

/** `a` where the mask is not zero, else `b`; either may be a number. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE. */
export async function select(
  mask: ArrayLike,
  a: ArrayLike | number,
  b: ArrayLike | number,
  options: OperationOptions = {},
): Promise<Volume> {
  const chosen = await flags(mask, "mask", options);
  const branch = async (side: ArrayLike | number, name: "a" | "b") => {
    if (typeof side === "number") return { [`${name}Value`]: side };
    const data = await floats(side, name, options);
    requireSameShape(side, name, mask, "mask");
    return { [name]: data };
  };
  const sides = { ...(await branch(a, "a")), ...(await branch(b, "b")) };
  const result = newImage(mask.shape);
  await run("select", { count: chosen.length, mask: chosen, ...sides, output: result.data }, options);
  return result;
}

/**
 * The weighted sum of images, in double, rounded once: `combine([[1, clinical], [1, corrected], [-1, uncorrected]])`.
 * NaN stays NaN. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE.
 */
export async function combine(
  terms: readonly (readonly [weight: number, image: ArrayLike])[],
  options: CombineOptions = {},
): Promise<Volume> {
  if (!Array.isArray(terms) || terms.length === 0 || !terms.every((t) => Array.isArray(t) && isArrayLike(t[1])))
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected at least one [weight, image] pair for terms but received ${show(terms)}.`,
    );
  const { offset = 0, low = -Infinity, high = Infinity } = options;
  for (const [name, value] of Object.entries({ offset, low, high }))
    requireNumber(value, name, "a number", (v) => !Number.isNaN(v));
  if (low > high) throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected low ≤ high but received ${low} and ${high}.`);
  const first = terms[0]![1];
  const inputs: Record<string, Float32Array> = {};
  for (const [k, [weight, image]] of terms.entries()) {
    requireNumber(weight, `terms[${k}][0]`, "a finite number");
    inputs[`term${k}`] = await floats(image, `terms[${k}][1]`, options);
    requireSameShape(image, `terms[${k}][1]`, first, "terms[0][1]");
  }
  const result = newImage(first.shape);
  const weights = Float64Array.from(terms, ([weight]) => weight);
  const parameters = { count: sizeOf(first.shape), weights, offset, low, high, ...inputs, output: result.data };
  await run("combine", parameters, options);
  return result;
}

/** Pixels below `low` become `low`, pixels above `high` become `high`; NaN stays. */
export function clip(image: ArrayLike, low: number, high: number, options: OperationOptions = {}): Promise<Volume> {
  return combine([[1, image]], { ...options, low, high });
}

/** Smallest, largest, sum and mean of the finite pixels, and how many are not finite. Sums are double. */
export async function statistics(image: ArrayLike, options: OperationOptions = {}): Promise<Statistics> {
  const input = await floats(image, "image", options);
  const found = await run("statistics", { count: input.length, input }, options);
  const { nonFinite, minimum, maximum, sum } = found as Record<"nonFinite" | "minimum" | "maximum" | "sum", number>;
  return { nonFinite, minimum, maximum, sum, mean: sum / (input.length - nonFinite) };
}

/** How many pixels are NaN or infinite. */
export async function countNonFinite(image: ArrayLike, options: OperationOptions = {}): Promise<number> {
  return (await statistics(image, options)).nonFinite;
}

/** Throws ERR_SINO_OUT_OF_RANGE, naming the array, when it has NaN or infinite pixels. */
export async function requireFinite(image: ArrayLike, name: string, options: OperationOptions = {}): Promise<void> {
  checkArray(image, name);
  const count = await countNonFinite(image, options);
  if (count > 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected finite numbers in ${name} but ${count} of ${sizeOf(image.shape)} are NaN or infinite. Replace them before the call.`,
      { details: { count } },
    );
}

/** The number of rank ⌊rank · (n − 1)⌋ of an array's n numbers, or of those that `where` sets; NaN where there are none. */
export async function quantile(
  input: Float32Array,
  rank: number,
  { signal, where }: OperationOptions & { where?: Uint8Array } = {},
): Promise<number> {
  const result = new Float64Array(3);
  const parameters = { count: input.length, input, ranks: Float64Array.of(rank), magnitudes: false, result };
  await runJob("quantiles", { device: "cpu", ...parameters, ...(where && { where }) }, { signal });
  return result[0]!;
}
