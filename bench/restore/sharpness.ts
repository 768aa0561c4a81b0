/**
 * How sharp enlarged slices are, and whether values shift: widths of the strongest edges, energy at frequencies that the coarse pixels do not
 * have, bias by what the coarse pixels show.
 */
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { edgeProfile, noisePowerSpectrum } from "../../lib/metrics/index.ts";

/** A square of a slice: its first pixel. */
export interface Place {
  readonly slice: number;
  readonly row: number;
  readonly column: number;
}

/** Sides of the squares that edges are looked at in, and how far to either side. */
const [side, reach] = [21, 6];

function squareOf({ data, shape }: Volume, { slice, row, column }: Place): Volume<Float32Array> {
  const [, rows, columns] = shape as [number, number, number];
  const square = new Float32Array(side * side);
  for (let r = 0; r < side; r++) {
    const at = (slice * rows + row + r) * columns + column;
    square.set(data.subarray(at, at + side), r * side);
  }
  return volume(square, [side, side]);
}

/** Squares around the steepest places of every slice (after a Gaussian of one pixel), `perSlice` at most, which do not overlap. */
export async function strongEdges(sharp: Volume, perSlice = 40): Promise<Place[]> {
  const [slices, rows, columns] = sharp.shape as [number, number, number];
  const { data } = await gaussian(sharp, { sigma: 1 });
  const half = side >> 1;
  const places: Place[] = [];
  for (let slice = 0; slice < slices; slice++) {
    const found: { slope: number; row: number; column: number }[] = [];
    for (let row = half; row < rows - half; row++)
      for (let column = half; column < columns - half; column++) {
        const i = (slice * rows + row) * columns + column;
        const slope = Math.hypot(data[i + 1]! - data[i - 1]!, data[i + columns]! - data[i - columns]!);
        found.push({ slope, row: row - half, column: column - half });
      }
    found.sort((a, b) => b.slope - a.slope);
    const taken: Place[] = [];
    for (const { row, column } of found) {
      if (taken.length === perSlice) break;
      const isFree = taken.every((t) => Math.abs(t.row - row) >= side || Math.abs(t.column - column) >= side);
      if (isFree) taken.push({ slice, row, column });
    }
    places.push(...taken);
  }
  return places;
}

/** Pixels from 10 to 90 % of the step of each edge; NaN where there is no single one. */
export async function edgeWidths(images: Volume, places: readonly Place[]): Promise<number[]> {
  const widths: number[] = [];
  for (const place of places) {
    const { riseMm } = await edgeProfile(squareOf(images, place), { reach }).catch(() => ({ riseMm: Number.NaN }));
    widths.push(riseMm > 0.2 && riseMm < reach ? riseMm : Number.NaN);
  }
  return widths;
}

export function median(list: readonly number[]): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/** Squares that overlap by half, their mean taken off, under a Hann window: what ends at their borders would look like detail. */
function windowed({ data, shape }: Volume, size: number): Volume<Float32Array> {
  const [slices, rows, columns] = shape as [number, number, number];
  const hann = Array.from({ length: size }, (_, k) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (k + 0.5)) / size));
  const squares: Float32Array[] = [];
  for (let slice = 0; slice < slices; slice++)
    for (let row = 0; row + size <= rows; row += size / 2)
      for (let column = 0; column + size <= columns; column += size / 2) {
        const at = (i: number) => (slice * rows + row + Math.floor(i / size)) * columns + column + (i % size);
        const square = Float32Array.from({ length: size * size }, (_, i) => data[at(i)]!);
        const mean = square.reduce((a, b) => a + b, 0) / square.length;
        squares.push(square.map((v, i) => (v - mean) * hann[Math.floor(i / size)]! * hann[i % size]!));
      }
  const result = new Float32Array(squares.length * size * size);
  for (const [k, square] of squares.entries()) result.set(square, k * size * size);
  return volume(result, [squares.length, size, size]);
}

/** Energy at frequencies from `from` cycles per pixel on, in any direction, of every square. */
export async function fineEnergies(images: Volume, from: number): Promise<number[]> {
  const size = 64;
  const squares = windowed(images, size);
  const signed = (k: number) => (2 * k < size ? k : k - size) / size;
  const energies: number[] = [];
  for (let i = 0; i < squares.shape[0]!; i++) {
    const square = volume(squares.data.slice(i * size * size, (i + 1) * size * size), [size, size]);
    const { data } = (await noisePowerSpectrum(square, { size, trend: "mean" })).power;
    const isFine = (k: number) => Math.hypot(signed(Math.floor(k / size)), signed(k % size)) >= from;
    energies.push(data.reduce((sum, p, k) => sum + (isFine(k) ? p : 0), 0));
  }
  return energies;
}

/** Mean of image − truth where the interpolated coarse image lies between two values; of a bin that no pixel falls into, NaN. */
export function biasBetween(
  image: Volume,
  truth: Volume,
  seen: Volume,
  [low, high]: readonly [number, number],
): number {
  let [sum, count] = [0, 0];
  seen.data.forEach((v, i) => {
    if (v < low || v >= high) return;
    sum += image.data[i]! - truth.data[i]!;
    count++;
  });
  return sum / count;
}
