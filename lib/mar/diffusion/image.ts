/**
 * Dual-domain diffusion from images alone, through the virtual scan of lib/mar/image.ts: the metal and a margin become water, rays
 * through them are completed, and only the change is applied.
 */
import { type ArrayLike, sizeOf, type Volume, volume } from "../../core/arrays.ts";
import { toAttenuation, toHounsfield } from "../../image/hounsfield.ts";
import { requireOneOf } from "../../image/input.ts";
import { combine, select } from "../../image/pixels.ts";
import type { OperationOptions } from "../../native/job.ts";
import { project } from "../../tomography/project.ts";
import { type CorrectedImages, type CorrectImagesOptions, correctImages } from "../image.ts";
import { segmentMetal } from "../metal.ts";
import { metalTrace } from "../sinogram.ts";
import { type ChainOptions, type ChainSlice, chainPlan, chainSettings } from "./chain.ts";
import { runChains } from "./lanes.ts";
import type { DiffusionPrior } from "./prior.ts";
import type { DiffusionSlice } from "./sinogram.ts";

export interface DiffusionImagesOptions
  extends Omit<CorrectImagesOptions, "method" | "out">,
    Omit<ChainOptions, "guarded"> {
  /** What the chain begins with; default "nmar". */
  start?: "nmar" | "noise" | undefined;
}

export interface DiffusionImagesResult extends CorrectedImages {
  /** A slice that failed is bit for bit the input. */
  slices: DiffusionSlice[];
}

/**
 * Corrects HU images [row, column] or [slice, row, column]. Slices without metal, and the metal itself, stay bit for bit.
 * Throws what `correctImages` and `diffusionMar` throw.
 *
 * @example
 * await using prior = await openPrior(await loadTrained("models/ct-prior"), { size: [512, 512] });
 * const { hu } = await diffusionImages(clinical, prior, { pixelMm: 0.7, seed: 7 });
 */
export async function diffusionImages(
  images: ArrayLike,
  prior: DiffusionPrior,
  options: DiffusionImagesOptions,
): Promise<DiffusionImagesResult> {
  const { start = "nmar", signal, device, onProgress } = options;
  requireOneOf(start, "start", ["nmar", "noise"]);
  // the rays beside the trace are an image's, with its streaks: they judge nobody
  const settings = { ...chainSettings(prior, options), guarded: false };
  const job: OperationOptions = { signal, device };
  const nmar = await correctImages(images, { ...options, onProgress: undefined, method: "nmar" });
  const { geometry, muWater, metalPixels } = nmar;
  const clinical = await combine([[1, images]], job);
  const { support } =
    options.found ?? (await segmentMetal(clinical, { ...options, onProgress: undefined, metalHu: nmar.metalHu }));
  const size = sizeOf(geometry.image.shape);
  const at = <T extends Float32Array | Uint8Array>(data: T, number: number) => ({
    data: data.subarray(number * size, (number + 1) * size),
    shape: [...geometry.image.shape],
  });
  const filled = async (data: Float32Array, number: number) =>
    toAttenuation(await select(at(support.data, number), 0, at(data, number), job), muWater, job);
  const sliceOf = async (number: number): Promise<ChainSlice> => {
    const [anchor, corrected] = [await filled(clinical.data, number), await filled(nmar.hu.data, number)];
    const metal = at(support.data, number);
    return {
      number,
      target: await project(anchor, geometry, job),
      anchor,
      trace: await metalTrace(metal, geometry, job),
      metal,
      start: start === "nmar" ? corrected : undefined,
      before: start === "nmar" ? corrected : anchor,
      refinements: 0,
    };
  };
  const hu = clinical.data.slice();
  const put = async (number: number, image: Volume) => {
    const corrected = await toHounsfield(image, muWater, job);
    // the metal, and the ring around it, which became water in the projections, as NMAR puts them back
    const whole = await select(at(support.data, number), at(nmar.hu.data, number), corrected, job);
    hu.set(whole.data, number * size);
  };
  const plan = await chainPlan(geometry, job);
  try {
    const numbers = metalPixels.flatMap((count, number) => (count > 0 ? [number] : []));
    const chain = { prior, settings, geometry, plan, muWater };
    const failed = await runChains(chain, { numbers, sliceOf, put }, { ...job, onProgress });
    return {
      ...nmar,
      hu: volume(hu, images.shape),
      changed: metalPixels.map((count, number) => count > 0 && !failed.has(number)),
      slices: metalPixels.map((count, number) => ({
        outcome: count === 0 ? "none" : failed.has(number) ? "failed" : "corrected",
        ...(failed.has(number) && { reason: failed.get(number)! }),
      })),
    };
  } finally {
    plan.dispose();
  }
}
