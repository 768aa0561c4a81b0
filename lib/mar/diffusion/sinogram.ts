/**
 * Dual-domain diffusion from measured sinograms: NMAR, polychromatic inversion or nothing to start from, then a chain (chain.ts) in which
 * a network that knows images without metal says what the rays behind metal should have been.
 */
import { type ArrayLike, sizeOf, type Volume, volume } from "../../core/arrays.ts";
import { show, sinoError } from "../../core/errors.ts";
import { flags, type Mask, requireNumber, requireOneOf } from "../../image/input.ts";
import { requireFinite } from "../../image/pixels.ts";
import type { OperationOptions } from "../../native/job.ts";
import { muWater70keV } from "../../physics/constants.ts";
import { batchOf, sinogramShape } from "../../tomography/batch.ts";
import { type Geometry, requireGeometry } from "../../tomography/geometry.ts";
import type { SliceVerdict } from "../guard.ts";
import { type MarPhysics, marPhysics } from "../physics.ts";
import { type ChainOptions, chainPlan, chainSettings } from "./chain.ts";
import { type DiffusionOutcome, runChains } from "./lanes.ts";
import type { DiffusionPrior } from "./prior.ts";
import { type DiffusionStart, diffusionStarts, startOf } from "./starts.ts";

export interface DiffusionMarOptions extends ChainOptions, OperationOptions {
  /** Mask of the metal, shaped like the images; found in them where it is not given. */
  metalMask?: ArrayLike | undefined;
  /** What the chain begins with; default "nmar". */
  start?: DiffusionStart | undefined;
  /** What is known of the measurement; start "polychromatic" takes all of it, the others its photons; default `marPhysics("auto")`. */
  physics?: MarPhysics | undefined;
  /** µ of water in 1/mm; default 0.0192, or that of the physics. */
  muWater?: number | undefined;
}

export interface DiffusionSlice {
  outcome: DiffusionOutcome;
  /** Of a failed slice: at which step, and how many values. */
  reason?: string;
  /** Of the polychromatic start. */
  verdict?: SliceVerdict;
}

export interface DiffusionMarResult {
  /** 1/mm; metal is not put back (see reinsertMetal). A slice that failed is what its chain started from. */
  images: Volume;
  /** Where metal was taken to be. */
  metal: Mask;
  slices: DiffusionSlice[];
  muWater: number;
}

/**
 * Images of water-corrected sinograms [views, bins] or [slices, views, bins], dimensionless, with the rays behind metal completed by a
 * diffusion prior. A slice depends on seed and number alone. Start "noise", 100 steps and fill "replace" are the method of X. Liu et al.,
 * DuDoDp, IEEE TMI 2024. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE (also for NaN in a sinogram, and more steps than
 * the prior was trained with), and what the prior throws; aborts with `signal.reason`.
 *
 * @example
 * await using prior = await openPrior(await loadTrained("models/ct-prior"), { size: [416, 416] });
 * const { images } = await diffusionMar(sinogram, geometry, prior, { start: "polychromatic", seed: 7 });
 */
export async function diffusionMar(
  sinograms: ArrayLike,
  geometry: Geometry,
  prior: DiffusionPrior,
  options: DiffusionMarOptions = {},
): Promise<DiffusionMarResult> {
  requireGeometry(geometry);
  const { start = "nmar", metalMask, signal, device, physics = marPhysics() } = options;
  const { muWater = start === "polychromatic" ? physics.muWater : muWater70keV } = options;
  requireOneOf(start, "start", diffusionStarts);
  requireNumber(muWater, "muWater", "an attenuation in 1/mm, about 0.02", (mu) => mu > 0 && mu <= 0.1);
  const settings = chainSettings(prior, options);
  const job = { signal, device };
  const shape = sinogramShape(geometry);
  const { data, slices, lead } = await batchOf(sinograms, "sinograms", shape, "views × bins", job);
  const measured = volume(data as Float32Array<ArrayBuffer>, [slices, ...shape]);
  await requireFinite(measured, "sinograms", job);
  const imageShape = [...lead, ...geometry.image.shape];
  if (metalMask && metalMask.shape.join() !== imageShape.join())
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected metalMask of shape ${show(imageShape)}, one mask per image, but received ${show([...metalMask.shape])}.`,
    );
  const plan = await chainPlan(geometry, job);
  try {
    const flagged = metalMask && volume(await flags(metalMask, "metalMask", job), [slices, ...geometry.image.shape]);
    const known = { metalMask: flagged as Mask | undefined, physics, muWater };
    const started = await startOf(start, measured, { geometry, plan, job, ...known });
    const { images, metal, pixels, verdicts, sliceOf } = started;
    const size = sizeOf(geometry.image.shape);
    const numbers = pixels.flatMap((count, number) => (count > 0 ? [number] : []));
    const put = (number: number, image: Volume) => images.data.set(image.data, number * size);
    const chain = { prior, settings, geometry, plan, muWater };
    const failed = await runChains(chain, { numbers, sliceOf, put }, options);
    return {
      images: volume(images.data, imageShape),
      metal: volume(metal.data, imageShape) as Mask,
      slices: pixels.map((count, number) => ({
        outcome: count === 0 ? "none" : failed.has(number) ? "failed" : "corrected",
        ...(failed.has(number) && { reason: failed.get(number)! }),
        ...(verdicts && { verdict: verdicts[number]! }),
      })),
      muWater,
    };
  } finally {
    plan.dispose();
  }
}
