/** Patch2Self: the classical self-supervised denoiser of diffusion MRI, in closed form. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { flags, floats, newImage, requireSameShape, run } from "../image/input.ts";
import type { OperationOptions } from "../native/job.ts";
import { unweighted } from "./gradients.ts";

export interface Patch2SelfOptions extends OperationOptions {
  /** s/mm², one per volume: weighted and unweighted volumes are denoised apart. */
  bvals: readonly number[];
  /** Denoise unweighted volumes too, where there are at least two; default true. */
  unweighted?: boolean | undefined;
  /** Voxels that the regression learns from, [slice, row, column]; all by default. Every voxel is denoised. */
  mask?: ArrayLike | undefined;
}

/**
 * Every volume of a diffusion scan [volume, slice, row, column] as the linear regression of all others predicts it, voxel by voxel, with an
 * intercept: what DIPY calls the OLS model with patch radius 0, exact, from one matrix inverse instead of one regression per volume.
 * Values are not shifted or clipped afterwards. Groups of a single volume are copied. Fewer than ten weighted volumes predict each
 * other badly.
 * S. Fadnavis, J. Batson, E. Garyfallidis, "Patch2Self", NeurIPS 2020. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN in the scan).
 */
export async function patch2self(dwi: ArrayLike, options: Patch2SelfOptions): Promise<Volume> {
  const input = await floats(dwi, "dwi", options, [4]);
  const [volumes, ...space] = dwi.shape as [number, number, number, number];
  const { bvals } = options;
  if (!Array.isArray(bvals) || bvals.length !== volumes || !bvals.every((b) => b >= 0))
    throw sinoError("ERR_SINO_SHAPE", `Expected ${volumes} b-values from 0 up for bvals but received ${show(bvals)}.`);
  const whole = { data: input, shape: space };
  if (options.mask) requireSameShape(options.mask, "mask", whole, "a volume of dwi");
  const where = options.mask && (await flags(options.mask, "mask", options));
  const groups = Float64Array.from(bvals, (b) => (b > unweighted ? 1 : (options.unweighted ?? true) ? 0 : -1));
  const result = newImage(dwi.shape);
  const voxels = space.reduce((product, n) => product * n, 1);
  await run("patch2self", { volumes, voxels, input, ...(where && { where }), groups, output: result.data }, options);
  return result;
}
