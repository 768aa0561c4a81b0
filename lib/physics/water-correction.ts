/** Water beam-hardening correction: the polynomial that makes polychromatic line integrals of water proportional to length. */
import type { ArrayLike as NumericArray, Volume } from "../core/arrays.ts";
import { checkArray, sizeOf } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { runJob } from "../native/job.ts";
import { packed } from "../native/pack.ts";
import { type OutputOptions, output } from "../tomography/batch.ts";
import { fieldReferenceKeV } from "./constants.ts";
import { attenuationRatios, linearAttenuation, materialOf } from "./materials.ts";
import { kVp120, type Spectrum } from "./spectrum.ts";

/** The cubic of the field's pairs: 120 kVp, 70 keV, water up to 50 cm. `fitWaterCorrection(kVp120)` gives the same. */
export const fieldWaterCorrection: readonly number[] = [0.80370341, 0.02301414, -0.0008444];

export interface FitOptions {
  /** Degree of the polynomial, 1 to 8; default 3. */
  order?: number;
  /** Longest path through water, mm; default 500. */
  longestMm?: number;
  stepMm?: number;
  referenceKeV?: number;
}

/** −ln of the share of photons that a line integral of water (at the reference energy) lets through. */
function measuredWater(spectrum: Spectrum, ratios: Float64Array, path: number): number {
  return -Math.log(spectrum.photons.reduce((sum, photons, e) => sum + photons * Math.exp(-path * ratios[e]!), 0));
}

/** Least squares by modified Gram–Schmidt: the columns are powers of one variable and nearly parallel. */
function leastSquares(columns: Float64Array[], target: Float64Array): number[] {
  const n = columns.length;
  const q = [...columns.map((column) => Float64Array.from(column)), Float64Array.from(target)];
  const r = q.map(() => new Float64Array(n));
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  for (let k = 0; k < n; k++) {
    const length = Math.sqrt(dot(q[k]!, q[k]!));
    r[k]![k] = length;
    q[k] = q[k]!.map((value) => value / length);
    for (let j = k + 1; j <= n; j++) {
      const projection = dot(q[k]!, q[j]!);
      r[j]![k] = projection;
      q[j] = q[j]!.map((value, i) => value - projection * q[k]![i]!);
    }
  }
  const c = new Array<number>(n).fill(0);
  for (let k = n - 1; k >= 0; k--) {
    let value = r[n]![k]!;
    for (let j = k + 1; j < n; j++) value -= r[j]![k]! * c[j]!;
    c[k] = value / r[k]![k]!;
  }
  return c;
}

/**
 * Coefficients c of Σ c_k·p^k, k = 1…order, that best turns measured line integrals of water, p, into those at the
 * reference energy, over paths of 0 to `longestMm`. Throws ERR_SINO_OUT_OF_RANGE.
 */
export function fitWaterCorrection(spectrum: Spectrum = kVp120, options: FitOptions = {}): number[] {
  const { order = 3, longestMm = 500, stepMm = 0.5, referenceKeV = fieldReferenceKeV } = options;
  if (!Number.isInteger(order) || order < 1 || order > 8)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected an order from 1 to 8 but received ${order}.`);
  const steps = Math.round(longestMm / stepMm);
  if (!(steps >= order && steps <= 1e6))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected up to a million steps of stepMm in longestMm, at least order.`);
  const water = materialOf("water");
  const ratios = attenuationRatios(water, spectrum, referenceKeV);
  const perMm = linearAttenuation(water, referenceKeV);
  const target = Float64Array.from({ length: steps + 1 }, (_, i) => perMm * stepMm * i);
  const measured = target.map((path) => measuredWater(spectrum, ratios, path));
  const columns = Array.from({ length: order }, (_, k) => measured.map((p) => p ** (k + 1)));
  return leastSquares(columns, target);
}

/**
 * Applies Σ c_k·p^k (k from 1) to every line integral; default the field's cubic.
 * Throws ERR_SINO_ARG_TYPE, ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function correctWater(
  lineIntegrals: NumericArray,
  coefficients: ArrayLike<number> = fieldWaterCorrection,
  options: OperationOptions & OutputOptions = {},
): Promise<Volume<Float32Array>> {
  checkArray(lineIntegrals, "lineIntegrals");
  const input = await packed(lineIntegrals, options);
  const result = output(lineIntegrals.shape, options.out);
  await runJob(
    "waterCorrection",
    {
      device: options.device ?? "auto",
      count: sizeOf(lineIntegrals.shape),
      coefficients: Float64Array.from(coefficients),
      input,
      output: result.data,
    },
    options,
  );
  return result;
}
