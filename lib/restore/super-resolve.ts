/** Images of more pixels over the same extent: interpolated, and by trained networks that sharpen what was interpolated. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { requireNumber } from "../image/input.ts";
import { combine, requireFinite, statistics } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import { rmse } from "../metrics/index.ts";
import { applyTrained, type RestorationModel } from "../models/index.ts";
import type { JobOptions, OperationOptions } from "../native/job.ts";
import { coarserPixels } from "./degrade.ts";

export interface EnlargeOptions extends OperationOptions, JobOptions {
  /** How many times as many rows and columns; default 2. */
  factor?: number | undefined;
  /** "cubic" is Catmull-Rom; default "lanczos". */
  method?: "lanczos" | "cubic" | undefined;
}

/** Slices [row, column] or [slice, row, column], interpolated. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN too). */
export async function enlarge(images: ArrayLike, options: EnlargeOptions = {}): Promise<Volume> {
  const { factor = 2, method = "lanczos", device, signal } = options;
  requireNumber(factor, "factor", "a whole number from 2 to 8", (f) => Number.isInteger(f) && f >= 2 && f <= 8);
  await requireFinite(images, "images", { signal });
  const [rows, columns] = images.shape.slice(-2) as [number, number];
  return resample(images, { method, device, signal, shape: [rows * factor, columns * factor] });
}

/**
 * Slices enlarged by a trained network: interpolated (Catmull-Rom), brought to mean 0 and deviation 1 over all of them, and then
 * sharpened, in tiles; then made consistent, where the model's card asks for it. In the images' unit. Throws ERR_SINO_MODEL (a network that enlarges nothing), ERR_SINO_OUT_OF_RANGE (NaN), and
 * what `applyTrained` throws.
 */
export async function superResolve(
  images: ArrayLike,
  model: RestorationModel,
  options: JobOptions & OperationOptions & { threads?: number | undefined } = {},
): Promise<Volume> {
  const { device, signal, onProgress, threads } = options;
  const { factor, name, isConsistent } = model;
  if (factor === 1) throw sinoError("ERR_SINO_MODEL", `${name} keeps the size of images: use it with denoise.`);
  const job = { device, signal };
  const large = await enlarge(images, { ...job, factor, method: "cubic" });
  const { mean } = await statistics(images, job);
  const deviation = await deviationOf(images, mean, job);
  const seen = await combine([[1 / deviation, large]], { ...job, offset: -mean / deviation });
  const sharp = await applyTrained(model.trained, seen, { signal, onProgress, threads, margin: 32, tile: 1024 });
  const result = await combine([[deviation, sharp]], { ...job, offset: mean });
  return isConsistent ? consistentWith(images, result, { ...job, factor }) : result;
}

/**
 * Enlarged slices after one step of back-projection (M. Irani, S. Peleg, CVGIP: Graphical Models and Image Processing 53, 1991): made coarser
 * (`coarserPixels`), what they lack of the images they were made of is enlarged (Catmull-Rom) and added. So values cannot drift, and
 * what a network adds is left where pixels could not show it. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE.
 */
async function consistentWith(
  images: ArrayLike,
  large: ArrayLike,
  { factor, ...job }: OperationOptions & { factor: number },
): Promise<Volume> {
  const shown = await coarserPixels(large, { ...job, factor });
  const lacking = await combine(
    [
      [1, images],
      [-1, shown],
    ],
    job,
  );
  return combine(
    [
      [1, large],
      [1, await enlarge(lacking, { ...job, factor, method: "cubic" })],
    ],
    job,
  );
}

/** Standard deviation of all pixels; 1 of constant images. */
export async function deviationOf(images: ArrayLike, mean: number, job: OperationOptions): Promise<number> {
  const flat = await combine([[0, images]], { ...job, offset: mean });
  const perSlice = await rmse(images, flat, { signal: job.signal });
  const square = perSlice.reduce((sum, r) => sum + r * r, 0) / perSlice.length;
  return square > 0 ? Math.sqrt(square) : 1;
}

/** Images at mean 0 and deviation 1 over all of them, as networks that enlarge see them. */
export async function standardized(images: ArrayLike, job: OperationOptions): Promise<Volume> {
  const { mean } = await statistics(images, job);
  const deviation = await deviationOf(images, mean, job);
  return combine([[1 / deviation, images]], { ...job, offset: -mean / deviation });
}
