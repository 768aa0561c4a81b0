/**
 * What the contenders work on, as files they all read: a phantom of six Gaussians (pixel averages and exact line integrals are
 * known), masks, a DICOM series. Slice s of a batch is the phantom times 1 + s/100, so that mixed-up slices are noticed.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { sizeOf, volume } from "../../lib/core/arrays.ts";
import { writeNpy } from "../../lib/data/npy.ts";
import { lineOf, pixelCentre } from "../../test/oracle/rays.ts";
import { ramp, writeCtSeries } from "../../test/support/dicom.ts";
import { randomSource } from "../../test/support/random.ts";
import { geometryOf, type Scan } from "./scans.ts";

/** value, sigma, x, y; lengths as fractions of half the image's side. */
const gaussians = [
  [1, 0.14, 0, 0],
  [0.6, 0.07, 0.35, 0.2],
  [-0.5, 0.06, -0.3, 0.25],
  [0.8, 0.053, -0.2, -0.4],
  [0.4, 0.047, 0.3, -0.35],
  [-0.3, 0.095, 0.1, 0.45],
] as const;

const factor = (slice: number) => 1 + slice / 100;

/** The phantom averaged over every pixel, zero outside the inscribed circle. */
export function phantomImage(scan: Scan): Float32Array<ArrayBuffer> {
  const geometry = geometryOf(scan);
  const { size } = scan;
  const half = size / 2;
  const xs = Array.from({ length: size }, (_, c) => pixelCentre(geometry, 0, c)[0]);
  const ys = Array.from({ length: size }, (_, r) => pixelCentre(geometry, r, 0)[1]);
  const image = new Float32Array(size * size);
  for (const [value, sigma, x, y] of gaussians) {
    const along = (at: number) => pixelAverage(at, sigma * half);
    const gx = xs.map((at) => along(at - x * half));
    const gy = ys.map((at) => along(at - y * half));
    for (let r = 0; r < size; r++) for (let c = 0; c < size; c++) image[r * size + c]! += value * gy[r]! * gx[c]!;
  }
  for (let r = 0; r < size; r++)
    for (let c = 0; c < size; c++) if (Math.hypot(xs[c]!, ys[r]!) > half - 1) image[r * size + c] = 0;
  return image;
}

/** Mean of exp(−t²/2σ²) over the pixel of 1 mm around `at`, by 32 midpoints. */
function pixelAverage(at: number, sigma: number): number {
  const points = 32;
  let sum = 0;
  for (let i = 0; i < points; i++) sum += Math.exp(-((at + (i + 0.5) / points - 0.5) ** 2) / (2 * sigma * sigma));
  return sum / points;
}

/** Its exact line integrals. */
export function phantomSinogram(scan: Scan): Float32Array<ArrayBuffer> {
  const geometry = geometryOf(scan);
  const { bins, angles } = scan;
  const half = scan.size / 2;
  const sinogram = new Float32Array(angles.length * bins);
  for (let v = 0; v < angles.length; v++)
    for (let k = 0; k < bins; k++) {
      const { px, py, vx, vy } = lineOf(geometry, v, k);
      for (const [value, sigma, x, y] of gaussians) {
        const d = (px - x * half) * vy - (py - y * half) * vx;
        const s = sigma * half;
        sinogram[v * bins + k]! += value * s * Math.sqrt(2 * Math.PI) * Math.exp((-d * d) / (2 * s * s));
      }
    }
  return sinogram;
}

function batched(one: Float32Array, slices: number): Float32Array<ArrayBuffer> {
  const all = new Float32Array(one.length * slices);
  for (let s = 0; s < slices; s++) for (let i = 0; i < one.length; i++) all[s * one.length + i] = one[i]! * factor(s);
  return all;
}

/** Distance-transform masks: 0 in some balls (`sparse`), or 0 at every second pixel or so (`dense`). */
export function mask(shape: readonly number[], kind: "sparse" | "dense"): Uint8Array<ArrayBuffer> {
  const next = randomSource(1);
  if (kind === "dense") return Uint8Array.from({ length: sizeOf(shape) }, () => (next() < 0.5 ? 0 : 1));
  const values = new Uint8Array(sizeOf(shape)).fill(1);
  for (let ball = 0; ball < (shape.length === 2 ? 5 : 8); ball++) {
    const centre = shape.map((n) => next() * n);
    const radius = 3 + next() * 12;
    for (let i = 0; i < values.length; i++) {
      let rest = i;
      let squares = 0;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        squares += ((rest % shape[axis]!) - centre[axis]!) ** 2;
        rest = Math.floor(rest / shape[axis]!);
      }
      if (squares <= radius * radius) values[i] = 0;
    }
  }
  return values;
}

/** 1 inside a few balls, 0 elsewhere: the distance inside metal. */
export const inverted = (values: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(values, (m) => 1 - m);

/** Writes inputs into a folder, each once. */
export class Inputs {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  images(scan: Scan, slices: number): Promise<string> {
    const name = `image-${scan.size}-${scan.axis}-x${slices}`;
    return this.#file(name, [slices, scan.size, scan.size], () => batched(phantomImage(scan), slices));
  }

  sinograms(scan: Scan, slices: number): Promise<string> {
    const name = `sinogram-${scan.beam}-${scan.size}-${scan.angles.length}-${scan.bins}-${scan.axis}-x${slices}`;
    return this.#file(name, [slices, scan.angles.length, scan.bins], () => batched(phantomSinogram(scan), slices));
  }

  mask(shape: readonly number[], kind: "sparse" | "dense" | "inside"): Promise<string> {
    const name = `mask-${kind}-${shape.join("x")}`;
    return this.#file(name, shape, () => (kind === "inside" ? inverted(mask(shape, "sparse")) : mask(shape, kind)));
  }

  /** As many elements per file as a scanner writes: the head is half of the work. */
  series(slices: number, size: number): string {
    const folder = join(this.folder, `series-${slices}-${size}`);
    if (existsSync(folder)) return folder;
    const privates = Array.from({ length: 100 }, (_, i) => [0x00191000 + i, "DS", `${i}.5`] as const);
    writeCtSeries(folder, slices, (i) => ({
      rows: size,
      columns: size,
      pixels: ramp(size, size, i + 1),
      intercept: -1024,
      extra: [[0x00190010, "LO", "SINO_BENCH"], ...privates],
    }));
    return folder;
  }

  async #file(name: string, shape: readonly number[], make: () => Float32Array | Uint8Array): Promise<string> {
    const path = join(this.folder, `${name}.npy`);
    if (!existsSync(path)) await writeNpy(path, volume(make(), shape));
    return path;
  }
}
