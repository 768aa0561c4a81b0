/** Evaluation by named protocols, so that numbers are only ever compared with numbers made the same way. */
import type { ArrayLike } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { muWater70keV } from "../physics/constants.ts";
import {
  type CompareOptions,
  type Differences,
  decibels,
  decimatedPair,
  differences,
  type Pair,
  pairOf,
  referenceSpan,
  ssimOfPair,
  windowedPair,
} from "./compare.ts";
import { downsampling } from "./metrics.ts";
import { msSsimOfPair, requireScales } from "./ms-ssim.ts";

interface Protocol {
  description: string;
  /** 1/mm */
  windowMu: readonly [number, number];
  levels: number;
  /** Masked pixels are set to 0 in both images and counted. */
  maskCounts: boolean;
  downsample: boolean;
}

export const protocols = {
  syndeeplesion: {
    description:
      "attenuation clipped to 0–0.05 1/mm, 8 bits, metal set to 0, PSNR over all pixels, SSIM after Wang's down-sampling",
    windowMu: [0, 0.05],
    levels: 255,
    maskCounts: true,
    downsample: true,
  },
} as const satisfies Record<string, Protocol>;
export type ProtocolName = keyof typeof protocols;

export interface EvaluateOptions extends CompareOptions {
  /** Named protocol; excludes `window`. */
  protocol?: ProtocolName | undefined;
  /** [low, high] in the images' unit: values are clipped to it, PSNR and SSIM take its width as range. Default: the reference's span. */
  window?: readonly [number, number] | undefined;
  /** Unit of both images: attenuation in 1/mm, or HU; default "mu". */
  unit?: "mu" | "hu" | undefined;
  /** Attenuation of water, 1/mm, for figures in HU; default 0.0192. */
  muWater?: number | undefined;
  /** Also SSIM over five scales, within the same window; slices of 176 × 176 pixels or more; default false. */
  msSsim?: boolean | undefined;
}

export interface Metrics {
  /** dB; Infinity where equal. */
  psnr: number;
  ssim: number;
  /** Where it was asked for. */
  msSsim?: number;
  /** Errors over the pixels outside the mask, not clipped, in the images' unit … */
  rmse: number;
  mae: number;
  bias: number;
  maxError: number;
  /** … and in HU. */
  rmseHu: number;
  maeHu: number;
  biasHu: number;
}

export interface Evaluation extends Metrics {
  protocol: ProtocolName | "window";
  /** In the images' unit. */
  window: readonly [number, number];
  unit: "mu" | "hu";
  muWater: number;
  /** One entry per slice; the figures above are their means. */
  slices: Metrics[];
}

function protocolNamed(options: EvaluateOptions): Protocol | undefined {
  const { protocol, window } = options;
  if (protocol === undefined) return undefined;
  if (!Object.hasOwn(protocols, protocol))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a protocol named ${Object.keys(protocols).join(", ")} but received ${show(protocol)}.`,
    );
  if (window)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Protocol ${protocol} has its own window: give one or the other.`);
  return protocols[protocol];
}

function checkedWindow(window: readonly number[]): [number, number] {
  const [low, high] = window;
  if (window.length !== 2 || !Number.isFinite(low) || !Number.isFinite(high) || !(low! < high!))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a window [low, high] but received ${show(window)}.`);
  return [low!, high!];
}

type Similarity = Pick<Metrics, "psnr" | "ssim" | "msSsim">;

async function similarity(pair: Pair, protocol: Protocol | undefined, options: EvaluateOptions): Promise<Similarity[]> {
  const counted = protocol?.maskCounts ? { ...pair, mask: undefined } : pair;
  const squared = await differences(counted, options);
  const factor = protocol?.downsample ? downsampling(pair.rows, pair.columns) : 1;
  const structural = await ssimOfPair(await decimatedPair(pair, factor, options), 1, options);
  const scales = options.msSsim ? await msSsimOfPair(pair, 1, options) : undefined;
  return squared.map(({ mse }, slice) => ({
    psnr: decibels(1, mse),
    ssim: structural[slice]!,
    ...(scales && { msSsim: scales[slice]! }),
  }));
}

function metricsOf(found: Differences, similar: Similarity, huPerUnit: number): Metrics {
  const rmse = Math.sqrt(found.mse);
  return {
    ...similar,
    rmse,
    mae: found.mae,
    bias: found.bias,
    maxError: found.largest,
    rmseHu: rmse * huPerUnit,
    maeHu: found.mae * huPerUnit,
    biasHu: found.bias * huPerUnit,
  };
}

function meanOf(slices: readonly Metrics[]): Metrics {
  const mean = (name: keyof Metrics) => slices.reduce((sum, slice) => sum + slice[name]!, 0) / slices.length;
  const names = Object.keys(slices[0]!) as (keyof Metrics)[];
  return Object.fromEntries(names.map((name) => [name, mean(name)])) as unknown as Metrics;
}

/**
 * Compares images with their reference: PSNR, SSIM, and errors in the images' unit and in HU. Masked pixels (metal) are left
 * out of the errors and of PSNR, and set to 0 in both images for SSIM, unless the protocol says otherwise.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE (also for NaN in the images).
 *
 * @example
 * const { psnr, ssim } = await evaluate(corrected, truth, { mask: metal, protocol: "syndeeplesion" });
 */
export async function evaluate(
  images: ArrayLike,
  reference: ArrayLike,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { unit = "mu", muWater = muWater70keV } = options;
  if (unit !== "mu" && unit !== "hu")
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected unit "mu" or "hu" but received ${show(unit)}.`);
  const protocol = protocolNamed(options);
  const toUnit = (mu: number) => (unit === "mu" ? mu : 1000 * (mu / muWater - 1));
  const pair = await pairOf(images, reference, options);
  if (options.msSsim) requireScales(pair);
  const found = await differences(pair, options);
  const [low, high] = protocol?.windowMu.map(toUnit) ?? options.window ?? referenceSpan(found);
  const window = checkedWindow([low!, high!]);
  const similar = await similarity(await windowedPair(pair, window, protocol?.levels ?? 0, options), protocol, options);
  const slices = found.map((d, slice) => metricsOf(d, similar[slice]!, unit === "mu" ? 1000 / muWater : 1));
  return { protocol: options.protocol ?? "window", window, unit, muWater, ...meanOf(slices), slices };
}
