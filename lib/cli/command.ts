/** What every command gets from main besides its own arguments, and small things that several commands do. */
import { basename, extname } from "node:path";
import type { TypedArray, Volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { type LoadedArray, parseArraySpec, readArray } from "../data/array-files.ts";
import { combine } from "../image/pixels.ts";
import type { JobOptions, OperationOptions } from "../native/job.ts";
import type { CommonOptions, Console } from "./console.ts";

export interface Run {
  console: Console;
  options: CommonOptions;
  signal: AbortSignal;
}

/** A command: its exit code, 0 where it gives none. */
export type Command = (run: Run) => Promise<number | undefined>;

/** Options of a long call inside a command. */
export function jobOptions({ console, options, signal }: Run): OperationOptions & JobOptions {
  return { device: options.device ?? "auto", signal, onProgress: console.progress };
}

/** As readArray, stopping at an abort before and after. */
export async function load(spec: string, { signal }: Run): Promise<LoadedArray> {
  signal.throwIfAborted();
  const loaded = await readArray(spec);
  signal.throwIfAborted();
  return loaded;
}

/** Throws ERR_SINO_SHAPE where the file does not hold one image (or sinogram) or a batch of them. */
export function requirePlanes({ array, meta }: LoadedArray, meaning: string): Volume<TypedArray> {
  if ((array.shape.length === 2 || array.shape.length === 3) && array.data.length > 0) return array;
  throw sinoError(
    "ERR_SINO_SHAPE",
    `Expected ${meaning}, or a batch of them, in ${meta.path} but found an array of shape [${array.shape.join(", ")}].`,
    { details: { path: meta.path, shape: array.shape } },
  );
}

/** Throws ERR_SINO_UNSUPPORTED for outputs that no writer makes: before the work, not after it. */
export function checkOutputFormat(spec: string): string {
  const { path, extension, format } = parseArraySpec(spec);
  if (["npy", "npz", "raw"].includes(format) || extension.startsWith("nii")) return path;
  throw sinoError(
    "ERR_SINO_UNSUPPORTED",
    `Cannot write ${path} with full precision: name a .npy, .npz, .nii, .nii.gz, .raw or .f32 file.`,
  );
}

export const huOfMu = (images: Volume<TypedArray>, muWater: number, run: Run): Promise<Volume> =>
  combine([[1000 / muWater, images]], { ...quietly(run), offset: -1000 });

export const muOfHu = (images: Volume<TypedArray>, muWater: number, run: Run): Promise<Volume> =>
  combine([[muWater / 1000, images]], { ...quietly(run), offset: muWater });

/** For short steps between the long ones. */
export function quietly({ options, signal }: Run): OperationOptions {
  return { device: options.device ?? "auto", signal };
}

/** Runs a step and gives its result and how long it took, in seconds. */
export async function timed<T>(step: () => Promise<T>): Promise<[T, number]> {
  const begun = performance.now();
  const result = await step();
  return [result, Math.round(performance.now() - begun) / 1000];
}

/** "1 slice", "2 slices". */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

export const sizes = (shape: readonly number[]): string => shape.join(" × ");

/** "I.npy" → "I". */
export function stem(path: string): string {
  const name = basename(path).replace(/\.nii\.gz$/i, ".nii");
  return basename(name, extname(name));
}
