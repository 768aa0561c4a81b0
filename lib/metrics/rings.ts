/** Errors near metal and far from it. */
import type { ArrayLike } from "../core/arrays.ts";
import { distanceTransform } from "../image/distance.ts";
import { flags, type Mask, newMask, requireNumber } from "../image/input.ts";
import { select, threshold } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";
import { muWater70keV } from "../physics/constants.ts";
import { differences, type Pair, pairOf } from "./compare.ts";

export interface RingOptions extends OperationOptions {
  /** Metal: [rows, columns] for all slices, or one per slice. Its pixels are left out. */
  mask: ArrayLike;
  /** Pixels up to here from metal are near; default 20. */
  nearPixels?: number | undefined;
  /** Only where the reference is within these HU. */
  tissue?: readonly [number, number] | undefined;
  /** Unit of both images; default "mu". */
  unit?: "mu" | "hu" | undefined;
  /** Attenuation of water, 1/mm; default 0.0192. */
  muWater?: number | undefined;
}

/** Root mean squared errors, HU, over all slices together; NaN where there are no such pixels. */
export interface Rings {
  nearPixels: number;
  near: number;
  far: number;
  nearCount: number;
  farCount: number;
}

/**
 * Errors of images [rows, columns] or [slices, rows, columns] up to `nearPixels` from metal and beyond, slice by slice in two dimensions.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE (also for NaN in the images).
 *
 * @example
 * const { near, far } = await ringErrors(corrected, truth, { mask: metal, tissue: [-200, 200] });
 */
export async function ringErrors(images: ArrayLike, reference: ArrayLike, options: RingOptions): Promise<Rings> {
  const { mask, nearPixels = 20, tissue, unit = "mu", muWater = muWater70keV, signal, device } = options;
  const passed = { signal, device };
  requireNumber(nearPixels, "nearPixels", "a positive number of pixels", (n) => n > 0 && Number.isFinite(n));
  const pair = await pairOf(images, reference, { ...passed, mask });
  const metal = mask.shape.length === reference.shape.length ? mask : await repeated(mask, pair.slices, passed);
  const outside = await threshold(await select(metal, 0, 1, passed), 0.5, passed);
  const { distances } = await distanceTransform(outside, passed);
  const isFar = await threshold(distances, nearPixels * (1 + 1e-6), passed);
  const other = tissue ? await otherTissue(reference, tissue, unit, muWater, passed) : undefined;
  const left = async (ring: Mask): Promise<Uint8Array> => {
    const kept = await select(outside, ring, 0, passed); // 1 where the ring is, outside metal
    const counted = other ? await select(other, 0, kept, passed) : kept;
    return (await threshold(counted, 0.5, { ...passed, above: false })).data;
  };
  const isNear = await threshold(distances, nearPixels * (1 + 1e-6), { ...passed, above: false });
  const huPerUnit = unit === "mu" ? 1000 / muWater : 1;
  const maskSlices = metal.shape.length === 3 ? pair.slices : 1;
  const of = async (ring: Mask) => pooled({ ...pair, mask: await left(ring), maskSlices }, huPerUnit, passed);
  const [near, far] = [await of(isNear), await of(isFar)];
  return { nearPixels, near: near.rmse, far: far.rmse, nearCount: near.count, farCount: far.count };
}

/** One mask for every slice. */
async function repeated(mask: ArrayLike, slices: number, options: OperationOptions): Promise<Mask> {
  const one = await flags(mask, "mask", options, [2]);
  const all = newMask([slices, ...mask.shape]);
  for (let slice = 0; slice < slices; slice++) all.data.set(one, slice * one.length);
  return all;
}

/** 1 where the reference is outside these HU. */
async function otherTissue(
  reference: ArrayLike,
  [low, high]: readonly [number, number],
  unit: "mu" | "hu",
  muWater: number,
  options: OperationOptions,
): Promise<Mask> {
  const of = (hu: number) => (unit === "hu" ? hu : muWater * (1 + hu / 1000));
  const below = await threshold(reference, of(low), { ...options, above: false });
  const above = await threshold(reference, of(high), options);
  return threshold(await select(below, 1, above, options), 0.5, options);
}

async function pooled(pair: Pair, huPerUnit: number, options: OperationOptions) {
  const found = await differences(pair, options, { mayBeEmpty: true });
  const count = found.reduce((sum, slice) => sum + slice.count, 0);
  const squares = found.reduce((sum, slice) => sum + (slice.count > 0 ? slice.mse * slice.count : 0), 0);
  return { rmse: huPerUnit * Math.sqrt(squares / count), count };
}
