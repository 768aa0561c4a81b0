/** Between public arrays and the addon: batches of slices in, batches out, with shapes checked in words. */
import { type ArrayLike, checkArray, isContiguous, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { allocate, type JobOptions } from "../native/job.ts";
import { packed } from "../native/pack.ts";
import type { Geometry } from "./geometry.ts";

export interface OutputOptions {
  /** Receives the result instead of a new array: row-major, contiguous, of the result's shape. Must not be an input. */
  out?: ArrayLike<Float32Array> | undefined;
}

export interface Batch {
  data: Float32Array;
  slices: number;
  /** Leading shape of the result: [] for one slice, [slices] for a batch. */
  lead: number[];
}

/** Checks that `array` is one slice or a batch of slices of this shape. */
export async function batchOf(
  array: ArrayLike,
  name: string,
  expected: readonly [number, number],
  meaning: string,
  options: JobOptions,
): Promise<Batch> {
  checkArray(array, name, [2, 3]);
  const [rows, columns] = array.shape.slice(-2);
  if (rows !== expected[0] || columns !== expected[1])
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected ${name} of ${meaning} ${expected[0]} × ${expected[1]} as the geometry says but received shape ${show([...array.shape])}.`,
      { details: { expected, shape: array.shape } },
    );
  const lead = array.shape.slice(0, -2);
  return { data: await packed(array, options), slices: sizeOf(lead), lead: [...lead] };
}

/** The array that receives a result. Typed as ordinary memory, though an `out` may be shared. */
export function output(shape: readonly number[], out: ArrayLike<Float32Array> | undefined): Volume {
  if (!out) return volume(allocate(sizeOf(shape)), shape);
  checkArray(out, "out");
  const same = out.shape.length === shape.length && shape.every((n, axis) => n === out.shape[axis]);
  if (!(out.data instanceof Float32Array) || !isContiguous(out) || !same)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected out as contiguous float32 of shape ${show([...shape])} but received ${show(out.data)} of shape ${show([...out.shape])}.`,
    );
  const offset = out.offset ?? 0;
  return volume(out.data.subarray(offset, offset + sizeOf(shape)), shape) as Volume;
}

export function sinogramShape(geometry: Geometry): readonly [number, number] {
  return [geometry.angles.length, geometry.bins];
}
