/** What the detector makes of rays: means of intensity, crosstalk and scatter, photon counts with the noise of electronics, less dose. */
import { type ArrayLike, checkArray, sizeOf, type Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { runJob } from "../native/job.ts";
import { packed } from "../native/pack.ts";
import { type OutputOptions, output } from "../tomography/batch.ts";
import { checkSeed, type RandomOptions } from "./noise.ts";

/**
 * The mean intensity of several rays per bin, as a line integral: p = −ln(mean e^{−p}) over up to 64 arrays [..., bins·parts] and the
 * `parts` neighbours of each bin. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function meanIntensity(
  rays: readonly ArrayLike[],
  options: OperationOptions & OutputOptions & { parts?: number } = {},
): Promise<Volume<Float32Array>> {
  const { parts = 1 } = options;
  const shape = rays[0]?.shape ?? [];
  const bins = (shape.at(-1) ?? 0) / parts;
  if (rays.length === 0 || !Number.isInteger(bins) || bins < 1)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected line integrals [..., bins × ${parts}] but received shape ${show([...shape])}.`,
    );
  const inputs: Record<string, Float32Array> = {};
  for (const [i, array] of rays.entries()) {
    checkArray(array, `rays[${i}]`);
    if (array.shape.length !== shape.length || array.shape.some((n, axis) => n !== shape[axis]))
      throw sinoError(
        "ERR_SINO_SHAPE",
        `Expected all rays in shape ${show([...shape])} but number ${i} has ${show([...array.shape])}.`,
      );
    inputs[`input${i}`] = await packed(array, options);
  }
  const result = output([...shape.slice(0, -1), bins], options.out);
  const lines = sizeOf(shape.slice(0, -1));
  await runJob(
    "meanIntensity",
    { device: options.device ?? "auto", lines, bins, parts, inputs: rays.length, ...inputs, output: result.data },
    options,
  );
  return result;
}

export interface DetectorResponseOptions extends OperationOptions, OutputOptions {
  /** Weights of the neighbours, an odd number of them, the bin itself in the middle; default [1]. */
  kernel?: globalThis.ArrayLike<number> | undefined;
  /** Scatter that is the same everywhere, as a share of the unattenuated beam; default 0. */
  floor?: number | undefined;
  /** Line integrals of the beam without the object, one per bin, which are subtracted. */
  air?: Float32Array | undefined;
}

/**
 * What bins report that share their intensity: q_k = −ln(Σ_j h_j·e^{−p_{k+j}} + floor) − air_k, of [..., bins].
 * Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function detectorResponse(
  lineIntegrals: ArrayLike,
  options: DetectorResponseOptions = {},
): Promise<Volume<Float32Array>> {
  checkArray(lineIntegrals, "lineIntegrals");
  const { shape } = lineIntegrals;
  const input = await packed(lineIntegrals, options);
  const result = output(shape, options.out);
  await runJob(
    "detectorResponse",
    {
      device: options.device ?? "auto",
      lines: sizeOf(shape.slice(0, -1)),
      bins: shape.at(-1) ?? 1,
      kernel: Float64Array.from(options.kernel ?? [1]),
      floor: options.floor ?? 0,
      ...(options.air ? { air: options.air } : {}),
      input,
      output: result.data,
    },
    options,
  );
  return result;
}

export interface DetectedPhotonsOptions extends RandomOptions {
  /** Photons per ray without an object (I0). */
  photons: number;
  /** Scattered photons added to every ray's mean and not subtracted again; default 0. */
  scatter?: number | undefined;
  /** Standard deviation of the electronics, in photons; default 0. */
  electronicNoise?: number | undefined;
  /** What a bow-tie takes from the beam, as line integrals, one per bin: I0·e^{−air} photons arrive. */
  air?: Float32Array | undefined;
}

function doseArguments(lineIntegrals: ArrayLike, input: Float32Array, options: DetectedPhotonsOptions) {
  const { shape } = lineIntegrals;
  return {
    device: options.device ?? "auto",
    seed: checkSeed(options.seed),
    stream: options.stream ?? 0,
    first: options.first ?? 0,
    bins: shape.at(-1) ?? 1,
    count: sizeOf(shape),
    photons: options.photons,
    electronic: options.electronicNoise ?? 0,
    ...(options.air ? { air: options.air } : {}),
    input,
  };
}

/**
 * Counts photons [..., bins] as `photonNoise` does, with the noise of the detector's electronics and a bow-tie:
 * N ~ Poisson(I0_k·e^{−p} + scatter) + σ·z, result −ln(max(N, 1)/I0_k). Throws ERR_SINO_OUT_OF_RANGE, ERR_SINO_SHAPE.
 */
export async function detectedPhotons(
  lineIntegrals: ArrayLike,
  options: DetectedPhotonsOptions,
): Promise<Volume<Float32Array>> {
  checkArray(lineIntegrals, "lineIntegrals");
  const input = await packed(lineIntegrals, options);
  const result = output(lineIntegrals.shape, options.out);
  const scatter = options.scatter ?? 0;
  await runJob(
    "detectedPhotons",
    { ...doseArguments(lineIntegrals, input, options), scatter, output: result.data },
    options,
  );
  return result;
}

export interface LowerDoseOptions extends Omit<DetectedPhotonsOptions, "scatter"> {
  /** Of the dose, above 0 and up to 1. */
  fraction: number;
}

/**
 * A scan at a fraction of the dose, from one that has its full dose's noise already: adds the missing noise only (L. Yu et al.,
 * J. Comput. Assist. Tomogr. 36, 2012). Line integrals [..., bins] before any water correction; `photons` and
 * `electronicNoise` are those of the full dose. Throws ERR_SINO_OUT_OF_RANGE, ERR_SINO_SHAPE.
 *
 * @example
 * const quarter = await lowerDose(sinogram, { photons: 2e5, electronicNoise: 3, fraction: 0.25, seed: 1 });
 */
export async function lowerDose(lineIntegrals: ArrayLike, options: LowerDoseOptions): Promise<Volume<Float32Array>> {
  checkArray(lineIntegrals, "lineIntegrals");
  const input = await packed(lineIntegrals, options);
  const result = output(lineIntegrals.shape, options.out);
  const { fraction } = options;
  await runJob(
    "lowerDose",
    { ...doseArguments(lineIntegrals, input, options), fraction, output: result.data },
    options,
  );
  return result;
}
