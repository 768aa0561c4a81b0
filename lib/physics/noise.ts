/** Seeded randomness: photon counting noise and normal noise, the same numbers for any number of threads. */
import { type ArrayLike, checkArray, sizeOf, type Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { runJob } from "../native/job.ts";
import { packed } from "../native/pack.ts";
import { type OutputOptions, output } from "../tomography/batch.ts";

export interface RandomOptions extends OperationOptions, OutputOptions {
  /** Whole number from 0 to 2^53 − 1. The same seed gives the same numbers. */
  seed: number;
  /** Keeps apart several uses of one seed; whole number below 2^32, default 0. */
  stream?: number;
  /** Number of the first element within the stream, so that a set in pieces equals the set at once; default 0. */
  first?: number;
}

export interface PhotonNoiseOptions extends RandomOptions {
  /** Photons per ray without an object (I0). */
  photons: number;
  /** Scattered photons added to every ray's mean and not subtracted again; default 0. */
  scatter?: number;
}

export function checkSeed(seed: unknown): number {
  if (typeof seed !== "number" || !Number.isSafeInteger(seed) || seed < 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a whole number from 0 to 2^53 − 1 for seed but received ${show(seed)}.`,
    );
  return seed;
}

/**
 * Counts photons: N ~ Poisson(round(I0·e^{−p}) + scatter), result −ln(max(N, 1)/I0). Element i depends on seed, stream and
 * first + i only. Throws ERR_SINO_OUT_OF_RANGE, ERR_SINO_SHAPE.
 */
export async function photonNoise(
  lineIntegrals: ArrayLike,
  options: PhotonNoiseOptions,
): Promise<Volume<Float32Array>> {
  checkArray(lineIntegrals, "lineIntegrals");
  const seed = checkSeed(options.seed);
  const input = await packed(lineIntegrals, options);
  const result = output(lineIntegrals.shape, options.out);
  await runJob(
    "photonNoise",
    {
      device: options.device ?? "auto",
      seed,
      stream: options.stream ?? 0,
      first: options.first ?? 0,
      count: sizeOf(lineIntegrals.shape),
      photons: options.photons,
      scatter: options.scatter ?? 0,
      input,
      output: result.data,
    },
    options,
  );
  return result;
}

/** Normal noise, mean 0 and variance 1. `first` must be a multiple of 4. Throws ERR_SINO_OUT_OF_RANGE. */
export async function normalNoise(shape: readonly number[], options: RandomOptions): Promise<Volume<Float32Array>> {
  const seed = checkSeed(options.seed);
  const result = output(shape, options.out);
  await runJob(
    "normalNoise",
    {
      device: options.device ?? "auto",
      seed,
      stream: options.stream ?? 0,
      first: options.first ?? 0,
      count: sizeOf(shape),
      output: result.data,
    },
    options,
  );
  return result;
}
