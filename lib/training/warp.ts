/**
 * Crops turned by any angle and enlarged: more pixels are read than the network sees, and the step's model samples them at the points of a
 * turned grid, inputs and targets at the same ones.
 */
import { add, gridSample, mul, reshape, split, type Tensor } from "../graph/index.ts";
import type { Crop } from "./samples.ts";

/** How a patch lies in the pixels that are read for it: its middle among them, how it is turned and enlarged. */
export interface Pose {
  /** From the outer edges of the first pixels, in pixels. */
  readonly middle: readonly number[];
  readonly radians: number;
  readonly zoom: number;
}

/** What has to be read around a patch so that it can be turned and enlarged: all corners lie within, as far as images reach. */
export function seenAround(
  patch: readonly number[],
  size: readonly number[],
  { rotate = 0, zoom = [1, 1] }: { rotate?: number | undefined; zoom?: readonly [number, number] | undefined },
): number[] {
  const reach = (n: number) => (rotate > 0 ? Math.hypot(...patch) : n) / Math.min(...zoom);
  return patch.map((n, i) => Math.min(size[i]!, Math.max(n, Math.ceil(reach(n)) + 2)));
}

/** The crop of `seen` pixels around a patch, as far inside the image as it has to be, and where the patch's middle lies in it. */
export function widened(
  crop: Crop,
  patch: readonly number[],
  seen: readonly number[],
  size: readonly number[],
): { crop: Crop; middle: number[] } {
  const first = crop.first.map((at, i) => {
    const margin = (seen[i]! - patch[i]!) >> 1;
    return Math.min(Math.max(at - margin, 0), size[i]! - seen[i]!);
  });
  const middle = crop.first.map((at, i) => {
    const inside = at - first[i]! + patch[i]! / 2;
    return crop.flips[i] ? seen[i]! - inside : inside;
  });
  return { crop: { first, flips: crop.flips }, middle };
}

/**
 * A pose as the 3 × 2 matrix that takes (u, v, 1), columns and rows from the patch's middle, to where in the pixels read they are found:
 * column and row from −1 to 1.
 */
export function poseMatrix({ middle, radians, zoom }: Pose, seen: readonly number[]): number[] {
  const [h, w] = seen as [number, number];
  const [cos, sin] = [Math.cos(radians) / zoom, Math.sin(radians) / zoom];
  const [row, column] = middle as [number, number];
  return [2 * cos, 2 * sin, -2 * sin, 2 * cos, 2 * column - w, 2 * row - h].map((v, i) => v / (i % 2 === 0 ? w : h));
}

/**
 * Patches of [N, C, …] at the poses [N, 3, 2]. `patch` counts pixels of the input; images have `times` as many. Linear interpolation, or
 * the nearest pixel; mirrored beyond the edges.
 */
export function warped(x: Tensor, pose: Tensor, patch: readonly number[], times: number, isMask = false): Tensor {
  const [rows, columns] = patch.map((n) => n * times) as [number, number];
  const from = (i: number, n: number) => (i + 0.5 - n / 2) / times;
  const points = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => [from(c, columns), from(r, rows)]),
  );
  const [u, v] = split(x.graph.constant(points.flat(2), [1, rows * columns, 2]), [1, 1], 2) as [Tensor, Tensor];
  const [byColumn, byRow, middle] = split(pose, [1, 1, 1], 1) as [Tensor, Tensor, Tensor];
  const grid = add(add(mul(u, byColumn), mul(v, byRow)), middle);
  return gridSample(x, reshape(grid, [x.shape[0]!, rows, columns, 2]), isMask ? "nearest" : "linear");
}
