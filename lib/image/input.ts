/** What every operation on images does first: check shapes in words, and hand contiguous memory to the addon. */
import { type ArrayLike, checkArray, isContiguous, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { allocate, type OperationOptions, reserve, runJob } from "../native/job.ts";
import { packed } from "../native/pack.ts";

/** An image [row, column] or a batch [slice, row, column]. */
export interface Planes {
  slices: number;
  rows: number;
  columns: number;
}

export type Mask = Volume<Uint8Array<ArrayBuffer>>;
export type Labels = Volume<Int32Array<ArrayBuffer>>;

export function run(operation: string, parameters: object, options: OperationOptions): Promise<Record<string, number>> {
  return runJob(operation, { device: options.device ?? "auto", ...parameters }, options);
}

/** The array as contiguous float32: in place where it already is, else a copy made by the addon. */
export async function floats(array: ArrayLike, name: string, options: OperationOptions, ranks?: readonly number[]) {
  checkArray(array, name, ranks);
  return packed(array, options);
}

/** The array as contiguous bytes that are zero or not: a uint8 array in place, else a mask of what is not zero (or NaN). */
export async function flags(
  array: ArrayLike,
  name: string,
  options: OperationOptions,
  ranks?: readonly number[],
): Promise<Uint8Array> {
  checkArray(array, name, ranks);
  const count = sizeOf(array.shape);
  const offset = array.offset ?? 0;
  if (array.data instanceof Uint8Array && isContiguous(array)) return array.data.subarray(offset, offset + count);
  const mask = bytes(count);
  await run("nonZero", { count, input: await packed(array, options), mask }, { signal: options.signal });
  return mask;
}

export function bytes(length: number): Uint8Array<ArrayBuffer> {
  reserve(length);
  return new Uint8Array(length);
}

export function integers(length: number): Int32Array<ArrayBuffer> {
  reserve(length * 4);
  return new Int32Array(length);
}

export function newImage(shape: readonly number[]): Volume {
  return volume(allocate(sizeOf(shape)), shape);
}

export function newMask(shape: readonly number[]): Mask {
  return volume(bytes(sizeOf(shape)), shape);
}

export function planesOf(shape: readonly number[]): Planes {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return { slices: sizeOf(shape.slice(0, -2)), rows, columns };
}

export function requireSameShape(array: ArrayLike, name: string, other: ArrayLike, otherName: string): void {
  const { shape } = array;
  if (shape.length === other.shape.length && shape.every((n, axis) => n === other.shape[axis])) return;
  throw sinoError(
    "ERR_SINO_SHAPE",
    `Expected ${name} of the same shape as ${otherName}, ${show([...other.shape])}, but received ${show([...shape])}.`,
    { details: { shape, expected: other.shape } },
  );
}

export function requireNumber(
  value: unknown,
  name: string,
  meaning: string,
  accepts: (value: number) => boolean = Number.isFinite,
): asserts value is number {
  if (typeof value !== "number")
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected ${meaning} for ${name} but received ${show(value)}.`);
  if (!accepts(value))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected ${meaning} for ${name} but received ${value}.`);
}

export function requireOneOf<T extends string | number>(
  value: T,
  name: string,
  choices: readonly T[],
): asserts value is T {
  if (!choices.includes(value))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected ${choices.map((choice) => show(choice)).join(", ")} for ${name} but received ${show(value)}.`,
    );
}
