/** Denoising by name: the classics with one strength, and trained networks. */
import { type ArrayLike, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { bilateral, blockMatching, median, nonLocalMeans, totalVariation } from "../image/denoise.ts";
import { type DimensionOptions, sliceDistance } from "../image/dimensions.ts";
import { gaussian } from "../image/gaussian.ts";
import { floats, requireNumber, requireOneOf } from "../image/input.ts";
import { clip, combine, requireFinite, select, threshold } from "../image/pixels.ts";
import { applyTrained, type DrawOptions, type RestorationModel } from "../models/index.ts";
import type { JobOptions, OperationOptions } from "../native/job.ts";

export const classicalDenoisers = ["nlm", "bm3d", "tv", "bilateral", "median", "gaussian"] as const;
export type ClassicalDenoiser = (typeof classicalDenoisers)[number];

export interface DenoiseOptions extends OperationOptions, JobOptions {
  /** 1, the default, is each method's own; larger takes away more. */
  strength?: number | undefined;
}

export interface ClassicalDenoiseOptions extends DenoiseOptions, DimensionOptions {
  method: ClassicalDenoiser;
  /** Standard deviation of the noise, in the images' unit; default what `noiseLevel` says of each slice. */
  sigma?: number | undefined;
}

/** Those that can take [slice, row, column] as one volume. */
export const volumeDenoisers = ["nlm", "tv", "bilateral", "gaussian"] as const satisfies readonly ClassicalDenoiser[];

/**
 * Slices [row, column] or [slice, row, column] through a classical denoiser, one by one or (nlm, tv, bilateral, gaussian) as a volume. Strength times the noise is what nlm, bm3d, tv and bilateral
 * take away; the median's radius and the Gaussian's deviation are strength in pixels.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE (NaN too), ERR_SINO_UNSUPPORTED (bm3d and median of volumes).
 */
export async function denoise(images: ArrayLike, options: ClassicalDenoiseOptions): Promise<Volume> {
  const { method, sigma, device, signal } = options;
  const strength = checkedStrength(options.strength);
  requireOneOf(method, "method", [...classicalDenoisers]);
  await requireFinite(images, "images", { signal });
  const job = { device, signal };
  const apart = sliceDistance(images, options);
  if (apart !== undefined && !volumeDenoisers.includes(method as never))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `${method} takes slices one by one: choose ${volumeDenoisers.join(", ")} for a volume, or leave out dimensions 3.`,
    );
  const { dimensions, sampling } = options;
  const level = { ...job, dimensions, sampling, ...(sigma !== undefined && { sigma }) };
  switch (method) {
    case "nlm":
      return nonLocalMeans(images, { ...level, strength: 0.8 * strength });
    case "tv":
      return totalVariation(images, { ...level, strength });
    case "bilateral":
      return bilateral(images, { ...level, strength: 2 * strength });
    case "bm3d":
      return blockMatching(images, { ...job, ...(sigma !== undefined && { sigma: sigma * strength }) });
    case "median":
      return median(images, { ...job, radius: Math.max(1, Math.round(strength)) });
    case "gaussian":
      return gaussian(images, { ...job, sigma: apart ? [strength / apart, strength, strength] : strength });
  }
}

function checkedStrength(strength = 1): number {
  requireNumber(strength, "strength", "a number above 0", (s) => s > 0 && s < Infinity);
  return strength;
}

/** Beyond these a CT network has seen nothing: it is shown the nearer end, and its change is added to what was there. */
export const seenHu = [-1024, 3071] as const;
/** Padding lies below; between it and what a network has seen, noise of air, to which the change is added too. */
const paddingHu = -1500;

/**
 * Slices through a trained denoiser, in tiles, in the unit that it was trained on: images + strength · (network(images) − images). For HU,
 * padding below −1500 stays as it is. `steps`, `seed` and `draws` are for networks that draw (`applyTrained`). Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN), ERR_SINO_MODEL (a model of another size), and
 * what `applyTrained` throws.
 */
export async function denoiseByNetwork(
  images: ArrayLike,
  model: RestorationModel,
  options: DenoiseOptions & DrawOptions & { threads?: number | undefined } = {},
): Promise<Volume> {
  const { device, signal, onProgress, threads, steps, seed, draws } = options;
  const strength = checkedStrength(options.strength);
  if (model.factor !== 1)
    throw sinoError("ERR_SINO_MODEL", `${model.name} makes images ${model.factor} times as large: use super-resolve.`);
  await requireFinite(images, "images", { signal });
  const job = { device, signal };
  const isHu = model.unit === "HU";
  const seen = isHu ? await clip(images, ...seenHu, job) : volume(await floats(images, "images", job), images.shape);
  const drawing = { steps, seed, draws };
  const clean = await applyTrained(model.trained, seen, { ...drawing, signal, onProgress, threads, margin: 96 });
  const changed = await combine(
    [
      [1, images],
      [strength, clean],
      [-strength, seen],
    ],
    job,
  );
  if (!isHu) return changed;
  return select(await threshold(images, paddingHu, job), changed, images, job);
}
