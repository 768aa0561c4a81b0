/** Connected parts of a mask. */
import { type ArrayLike, volume } from "../core/arrays.ts";
import type { OperationOptions } from "../native/job.ts";
import {
  flags,
  integers,
  type Labels,
  type Mask,
  newMask,
  planesOf,
  requireNumber,
  requireOneOf,
  run,
} from "./input.ts";

export interface ComponentsOptions extends OperationOptions {
  /** Neighbours that connect: 4 or 8 (default) within every slice; 6, 18 or 26 through the slices of a volume. */
  connectivity?: 4 | 8 | 6 | 18 | 26 | undefined;
}

export interface FillHolesOptions extends OperationOptions {
  /** 2 (default): holes of every slice; 3: cavities of a volume [slice, row, column]. */
  dimensions?: 2 | 3 | undefined;
}

export interface Components {
  /** int32 of the mask's shape: 0 outside the mask, then 1, 2, … in the order of each part's first pixel, on from slice to slice. */
  labels: Labels;
  count: number;
  /** Pixels of part k + 1 at index k. */
  sizes: Int32Array<ArrayBuffer>;
}

/** Numbers the connected parts of a mask. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE. */
export async function connectedComponents(mask: ArrayLike, options: ComponentsOptions = {}): Promise<Components> {
  const prepared = await prepare(mask, options);
  const labels = volume(integers(prepared.mask.length), mask.shape);
  const { count } = (await run("labelComponents", { ...prepared, labels: labels.data }, options)) as { count: number };
  const sizes = integers(count);
  const parameters = { pixels: labels.data.length, labels: labels.data, count, sizes };
  await run("componentSizes", parameters, { device: options.device, signal: options.signal });
  return { labels, count, sizes };
}

/** The mask (0 or 1) without parts of fewer than `minimumPixels` pixels. */
export async function removeSmallComponents(
  mask: ArrayLike,
  minimumPixels: number,
  options: ComponentsOptions = {},
): Promise<Mask> {
  requireNumber(minimumPixels, "minimumPixels", "a whole number ≥ 0", (n) => Number.isSafeInteger(n) && n >= 0);
  const prepared = await prepare(mask, options);
  const result = newMask(mask.shape);
  await run("keepComponents", { ...prepared, least: minimumPixels, result: result.data }, options);
  return result;
}

/** The mask (0 or 1) with everything set that cannot be reached from the border over 4 (in 3-D 6) neighbours. */
export async function fillHoles(mask: ArrayLike, options: FillHolesOptions = {}): Promise<Mask> {
  const dimensions = options.dimensions ?? 2;
  requireOneOf(dimensions, "dimensions", [2, 3]);
  const prepared = await prepare(mask, { ...options, connectivity: dimensions === 3 ? 6 : 4 });
  const result = newMask(mask.shape);
  await run("fillHoles", { ...prepared, result: result.data }, options);
  return result;
}

async function prepare(mask: ArrayLike, options: ComponentsOptions) {
  const connectivity = options.connectivity ?? 8;
  requireOneOf(connectivity, "connectivity", [4, 8, 6, 18, 26]);
  const isPlanar = connectivity === 4 || connectivity === 8;
  const data = await flags(mask, "mask", options, isPlanar ? [2, 3] : [3]);
  return { ...planesOf(mask.shape), connectivity, mask: data };
}
