/** `--method diffusion`: the network, and what is said of its slices. */
import { join } from "node:path";
import type { ArrayLike } from "../core/arrays.ts";
import { sizeOf } from "../core/arrays.ts";
import { fileDigest } from "../core/digest.ts";
import {
  type ChainOptions,
  chainDefaults,
  type DiffusionImagesResult,
  type DiffusionSlice,
  diffusionImages,
  type OpenPrior,
  openPrior,
} from "../mar/diffusion/index.ts";
import type { CorrectImagesOptions } from "../mar/image.ts";
import { modelFolder } from "../models/shipped.ts";
import { loadTrained } from "../models/trained.ts";
import { counted, type Run } from "./command.ts";
import { exitCodes } from "./failure.ts";
import type { MarOptions } from "./mar.ts";

/** The prior that comes with the package. */
const priorName = "ct-prior";

export function chainOf({ anatomy, steps, strength, sampler, weightMask, fusion, seed }: MarOptions): ChainOptions {
  return { anatomy, steps, strength, sampler, weightMask, fusion, seed };
}

/** All that the result follows from, for records and the identity of derived series. */
export async function diffusionDetails(given: MarOptions) {
  const chosen = Object.entries(chainOf(given)).filter(([, value]) => value !== undefined);
  const known: ChainOptions = { ...chainDefaults, ...Object.fromEntries(chosen) };
  const { guarded: _, anatomy, strength, ...rest } = known;
  const start = given.start ?? "nmar";
  const { model = priorName, precision } = given;
  const network = (await fileDigest(join(await modelFolder(model), "weights.safetensors"))).sha256;
  return {
    start,
    ...(start !== "noise" && (strength === undefined ? { anatomy } : { strength })),
    ...rest,
    network,
    ...(precision === "int8" && { precision }),
  };
}

/** The prior of `--model` for these images; it is disposed of when `use` is done. */
export async function withPrior<T>(
  given: MarOptions,
  size: readonly number[],
  slices: number,
  run: Run,
  use: (prior: OpenPrior) => Promise<T>,
): Promise<T> {
  const { model = priorName, precision } = given;
  const trained = await loadTrained(await modelFolder(model), { precision });
  const [rows, columns] = size as [number, number];
  const prior = await openPrior(trained, { size: [rows, columns], slices, threads: run.options.threads });
  try {
    return await use(prior);
  } finally {
    await prior.dispose();
  }
}

/** HU images by diffusion. */
export function diffuseImages(
  images: ArrayLike,
  given: MarOptions,
  options: Omit<CorrectImagesOptions, "method" | "out">,
  run: Run,
): Promise<DiffusionImagesResult> {
  const { start } = given;
  const chain = { ...chainOf(given), start: start === "polychromatic" ? undefined : start };
  const size = images.shape.slice(-2);
  return withPrior(given, size, sizeOf(images.shape.slice(0, -2)), run, async (prior) => {
    const result = await diffusionImages(images, prior, { ...options, ...chain });
    warnOfFailures(result.slices, "as it was", run);
    return result;
  });
}

/** Some items failed, where slices did. */
export const exitOf = (slices: readonly DiffusionSlice[] | undefined): number =>
  slices?.some(({ outcome }) => outcome === "failed") ? exitCodes.some : exitCodes.ok;

export function warnOfFailures(slices: readonly DiffusionSlice[], left: string, run: Run): void {
  const failed = slices.filter(({ outcome }) => outcome === "failed");
  if (failed.length > 0)
    run.console.warn(`The network failed on ${counted(failed.length, "slice")}, left ${left}. ${failed[0]!.reason}`);
}
