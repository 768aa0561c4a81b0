/** How far two masks agree: Dice, and the Hausdorff distance of their surfaces. */
import type { ArrayLike } from "../core/arrays.ts";
import { type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { type DistanceOptions, distanceTransform } from "../image/distance.ts";
import { flags, newMask, requireNumber, requireSameShape, run } from "../image/input.ts";
import { select, threshold } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";

export interface OverlapOptions extends OperationOptions {
  /** 2 (default): every slice by itself; 3: the volume [slice, row, column] as one. */
  dimensions?: 2 | 3 | undefined;
}

export interface HausdorffOptions extends OverlapOptions, Pick<DistanceOptions, "sampling"> {
  /** Share of the distances that count, above 0 up to 1; default 0.95. 1 is the Hausdorff distance itself. */
  percentile?: number | undefined;
}

interface Masks {
  a: Volume<Uint8Array>;
  b: Volume<Uint8Array>;
  /** Parts that are compared by themselves, and pixels of each. */
  parts: number;
  pixels: number;
}

async function masksOf(a: ArrayLike, b: ArrayLike, options: OverlapOptions): Promise<Masks> {
  const { dimensions = 2 } = options;
  if (dimensions !== 2 && dimensions !== 3)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected 2 or 3 for dimensions but received ${show(dimensions)}.`);
  const ranks = dimensions === 3 ? [3] : [2, 3];
  const [first, second] = [await flags(a, "a", options, ranks), await flags(b, "b", options, ranks)];
  requireSameShape(b, "b", a, "a");
  const parts = dimensions === 3 || a.shape.length === 2 ? 1 : a.shape[0]!;
  return {
    a: volume(first, a.shape),
    b: volume(second, a.shape),
    parts,
    pixels: parts === 0 ? 0 : first.length / parts,
  };
}

async function counts(mask: Uint8Array, parts: number, pixels: number): Promise<Float64Array> {
  const found = new Float64Array(parts);
  await run("countSet", { slices: parts, pixels, masks: mask, counts: found }, {});
  return found;
}

/**
 * Dice's coefficient 2·|A ∩ B|/(|A| + |B|) of masks [row, column] or [slice, row, column] (not zero: set), per slice or of the volume;
 * NaN where both are empty. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE.
 */
export async function dice(a: ArrayLike, b: ArrayLike, options: OverlapOptions = {}): Promise<Float64Array> {
  const masks = await masksOf(a, b, options);
  const { parts, pixels } = masks;
  const both = await flags(await select(masks.a, masks.b, 0, options), "both", options);
  const [inA, inB, inBoth] = [
    await counts(masks.a.data, parts, pixels),
    await counts(masks.b.data, parts, pixels),
    await counts(both, parts, pixels),
  ];
  return inBoth.map((n, part) => (2 * n) / (inA[part]! + inB[part]!));
}

/** Set pixels with an unset neighbour across a face. */
async function surfaceOf(mask: Volume<Uint8Array>, options: OverlapOptions): Promise<Volume<Uint8Array>> {
  const { dimensions } = options;
  const { distances } = await distanceTransform(mask, { ...options, dimensions, sampling: 1 });
  const near = await threshold(distances, 1.25, { above: false });
  const surface = newMask(mask.shape);
  const both = await select(mask, near, 0, {});
  await run("nonZero", { count: both.data.length, input: both.data, mask: surface.data }, {});
  return surface;
}

/** The percentile of `distances` where `where` is set, between ranks as NumPy has it; NaN where nothing is set. */
async function percentileOf(distances: Float32Array, where: Uint8Array, share: number): Promise<number> {
  const count = distances.length;
  const result = new Float64Array(4);
  const ranked = async (...ranks: number[]) =>
    run(
      "quantiles",
      {
        count,
        input: distances,
        where,
        magnitudes: false,
        ranks: Float64Array.from(ranks),
        result: result.subarray(0, ranks.length + 2),
      },
      {},
    );
  await ranked(0);
  const last = result[1]! - 1;
  if (last < 0) return Number.NaN;
  if (last === 0) return result[0]!;
  const place = share * last;
  const below = Math.floor(place);
  // half a rank more, so that rounding does not fall back to the one before
  await ranked(Math.min(1, (below + 0.5) / last), Math.min(1, (below + 1.5) / last));
  return result[0]! + (place - below) * (result[1]! - result[0]!);
}

/**
 * The Hausdorff distance between the surfaces of two masks, or what 95 % (`percentile`) of the distances do not exceed, the larger of
 * both directions; in the unit of `sampling` (pixels by default). Surfaces are set pixels beside unset ones; the border of the image is
 * none. NaN where one of them has no surface. On the exact distance transform.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 *
 * @example
 * const [h95] = await hausdorff(segmented, truth, { dimensions: 3, sampling: [3, 0.8, 0.8] });
 */
export async function hausdorff(a: ArrayLike, b: ArrayLike, options: HausdorffOptions = {}): Promise<Float64Array> {
  const { percentile = 0.95 } = options;
  requireNumber(percentile, "percentile", "a number above 0, at most 1", (p) => p > 0 && p <= 1);
  const masks = await masksOf(a, b, options);
  const surfaces = [await surfaceOf(masks.a, options), await surfaceOf(masks.b, options)] as const;
  const distanceTo = async (surface: Volume<Uint8Array>) => {
    const others = await threshold(surface, 0.5, { above: false });
    return (await distanceTransform(others, options)).distances.data;
  };
  const [toA, toB] = [await distanceTo(surfaces[0]), await distanceTo(surfaces[1])];
  const result = new Float64Array(masks.parts);
  for (let part = 0; part < masks.parts; part++) {
    const of = <T extends Float32Array | Uint8Array>(array: T) =>
      array.subarray(part * masks.pixels, (part + 1) * masks.pixels) as T;
    const directed = [
      await percentileOf(of(toB), of(surfaces[0].data), percentile),
      await percentileOf(of(toA), of(surfaces[1].data), percentile),
    ];
    result[part] = Math.max(...directed);
  }
  return result;
}
