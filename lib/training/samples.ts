/**
 * Samples and batches. Everything random is a function of seed and step, so that a resumed run sees what an uninterrupted
 * one would have seen.
 */
import { sizeOf } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { readArray, toFloat32 } from "../data/array-files.ts";

/** Images of one size, [n, C, …]. */
export interface Samples {
  readonly count: number;
  readonly channels: number;
  readonly size: readonly number[];
  readonly data: Float32Array;
}

/** Reads [n, …] or [n, C, …]. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN or infinite values), and what reading throws. */
export async function readSamples(spec: string, dimensions: number): Promise<Samples> {
  const { array } = await readArray(spec);
  const shape = [...array.shape];
  if (shape.length === dimensions) shape.unshift(1);
  if (shape.length === dimensions + 1) shape.splice(1, 0, 1);
  if (shape.length !== dimensions + 2)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `${spec} expected [n, …] or [n, C, …] with ${dimensions} image axes but holds [${array.shape.join(", ")}].`,
    );
  const read = (await toFloat32(array)).data as Float32Array;
  // shared with the thread that prepares batches
  const data = new Float32Array(new SharedArrayBuffer(read.byteLength));
  data.set(read);
  const bad = data.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `${spec} holds NaN or infinite values, the first at element ${bad}.`, {
      details: { index: bad },
    });
  return { count: shape[0]!, channels: shape[1]!, size: shape.slice(2), data };
}

/** Numbers in [0, 1) that depend on nothing but seed and stream (mulberry32 behind a mix of both). */
export function numbers(seed: number, stream: number): () => number {
  let state = Math.imul(seed ^ Math.imul(stream + 1, 0x9e3779b1), 0x85ebca6b) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The samples of one step: each epoch sees every sample once, in an order of its own. */
export class Shuffle {
  readonly #count: number;
  readonly #seed: number;
  #epoch = -1;
  #order: number[] = [];

  constructor(count: number, seed: number) {
    this.#count = count;
    this.#seed = seed;
  }

  at(index: number): number {
    const epoch = Math.floor(index / this.#count);
    if (epoch !== this.#epoch) {
      const next = numbers(this.#seed, epoch);
      this.#order = [...Array(this.#count).keys()];
      for (let i = this.#count - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1));
        [this.#order[i], this.#order[j]] = [this.#order[j]!, this.#order[i]!];
      }
      this.#epoch = epoch;
    }
    return this.#order[index % this.#count]!;
  }
}

/** Where a crop lies and along which axes it is mirrored. */
export interface Crop {
  readonly first: readonly number[];
  readonly flips: readonly boolean[];
}

export const wholeCrop = (size: readonly number[]): Crop => ({
  first: size.map(() => 0),
  flips: size.map(() => false),
});

export function drawCrop(size: readonly number[], patch: readonly number[], flip: boolean, next: () => number): Crop {
  return {
    first: size.map((n, i) => Math.floor(next() * (n - patch[i]! + 1))),
    flips: size.map(() => flip && next() < 0.5),
  };
}

/** Copies a crop of a sample, all channels, to element `at` of `to`: whole rows at a time. */
export function copyCrop(
  from: Samples,
  sample: number,
  patch: readonly number[],
  crop: Crop,
  to: Float32Array,
  at: number,
): void {
  const { size, channels, data } = from;
  const image = sizeOf(size);
  const rank = size.length;
  let target = at;
  const copy = (axis: number, source: number) => {
    const n = patch[axis]!;
    const first = crop.first[axis]!;
    if (axis === rank - 1) {
      const row = to.subarray(target, target + n);
      row.set(data.subarray(source + first, source + first + n));
      if (crop.flips[axis]) row.reverse();
      target += n;
      return;
    }
    const step = sizeOf(size.slice(axis + 1));
    for (let i = 0; i < n; i++) copy(axis + 1, source + (first + (crop.flips[axis] ? n - 1 - i : i)) * step);
  };
  for (let c = 0; c < channels; c++) copy(0, (sample * channels + c) * image);
}
