/** Volumes of a scan as padded 2-D slices, the samples of a network, and back. */
import type { Volume } from "../core/arrays.ts";
import { sizeOf } from "../core/arrays.ts";
import { newImage } from "../image/input.ts";
import type { Shell } from "./gradients.ts";

/** Slices [n, C, rows, columns] of a common size, a multiple of `grain` each way; the border is repeated. */
export interface SliceSize {
  readonly rows: number;
  readonly columns: number;
  readonly paddedRows: number;
  readonly paddedColumns: number;
}

export function paddedSize(shape: readonly number[], grain: number): SliceSize {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const up = (n: number) => Math.ceil(n / grain) * grain;
  return { rows, columns, paddedRows: up(rows), paddedColumns: up(columns) };
}

/** Copies image `index` of `from` [image, row, column] to element `at` of `to`, padded. */
export function padSlice(from: Float32Array, index: number, size: SliceSize, to: Float32Array, at: number): void {
  const { rows, columns, paddedRows, paddedColumns } = size;
  for (let r = 0; r < paddedRows; r++) {
    const start = index * rows * columns + Math.min(r, rows - 1) * columns;
    const target = at + r * paddedColumns;
    to.set(from.subarray(start, start + columns), target);
    to.fill(from[start + columns - 1]!, target + columns, target + paddedColumns);
  }
}

/** The other way: the middle of a padded slice at `at` of `from` becomes image `index` of `to`. */
export function cropSlice(from: Float32Array, at: number, size: SliceSize, to: Float32Array, index: number): void {
  const { rows, columns, paddedColumns } = size;
  for (let r = 0; r < rows; r++) {
    const start = at + r * paddedColumns;
    to.set(from.subarray(start, start + columns), (index * rows + r) * columns);
  }
}

/** One volume of a scan [volume, slice, row, column], in place. */
export function volumeData({ data, shape }: Volume, index: number): Float32Array {
  const voxels = sizeOf(shape.slice(1));
  return data.subarray(index * voxels, (index + 1) * voxels);
}

/** The volumes of a shell as an array of their own. */
export function shellVolumes(dwi: Volume, { volumes }: Shell): Volume {
  const voxels = sizeOf(dwi.shape.slice(1));
  const chosen = newImage([volumes.length, ...dwi.shape.slice(1)]);
  volumes.forEach((index, i) => {
    chosen.data.set(volumeData(dwi, index), i * voxels);
  });
  return chosen;
}
