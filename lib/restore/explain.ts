/**
 * What in an image makes a network change it, by the network's own gradients, and whether the result shows structure that the image does not
 * support (support.ts).
 */
import { sizeOf, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { newImage, planesOf } from "../image/input.ts";
import { combine, statistics } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import { openModel, type RestorationModel } from "../models/index.ts";
import { copyIn, copyOut, type Tile } from "../models/tiles.ts";
import { grainOf } from "../models/trained.ts";
import type { JobOptions, OperationOptions } from "../native/job.ts";
import { explanationModel } from "../networks/index.ts";
import { sliceOf } from "./quiet.ts";
import { type Support, type SupportOptions, unsupportedStructure } from "./support.ts";

/** Pixels around a place whose change is explained, and pixels that are looked at for it. */
const regionSide = 32;
const windowSide = 256;

export interface ChangeMaps {
  /** Of one slice [row, column], 0 to 1: Grad-CAM, where the innermost activations that bring the change about are high. */
  attention: Volume;
  /** By how much the change in the region moves per unit of a pixel: |∂ Σ|change| / ∂ pixel|. 0 beyond the window that was looked at. */
  influence: Volume;
}

export interface ExplainOptions extends OperationOptions, JobOptions {
  threads?: number | undefined;
}

/**
 * Explains what a restoration network changes around a place of slices [slice, row, column] or of one [row, column], as the network sees them:
 * in the model's unit; for a model that enlarges, the interpolated slices. Throws ERR_SINO_UNSUPPORTED (a network of several channels or of
 * volumes), what `openModel` throws; aborts with `signal.reason`.
 */
export async function explainChange(
  images: Volume,
  model: RestorationModel,
  [slice, row, column]: readonly [slice: number, row: number, column: number],
  options: ExplainOptions = {},
): Promise<ChangeMaps> {
  const { network, weights, scale } = model.trained;
  const { device, signal, threads } = options;
  const job = { device, signal };
  if (network.inChannels !== 1 || (network.kind === "unet" && (network.dimensions === 3 || network.time)))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `Expected a network of slices of one channel to explain, but ${model.name} is not.`,
    );
  const { rows, columns } = planesOf(images.shape);
  const shape = [rows, columns];
  const image = sliceOf(images, slice);
  const grain = grainOf(network);
  const size = shape.map((n) => Math.ceil(Math.min(n, windowSide) / grain) * grain);
  const first = [row, column].map((at, i) => Math.max(0, Math.min(shape[i]! - size[i]!, at - (size[i]! >> 1))));
  const lengths = shape.map((n, i) => Math.min(size[i]!, n - first[i]!));
  const tile: Tile = { first, from: first, lengths };
  const seen = new Float32Array(sizeOf(size));
  copyIn(image.data, shape, tile, size, seen);
  const region = regionIn(size, [row - first[0]!, column - first[1]!]);
  const open = await openModel(explanationModel(network, weights, { batch: 1, size }, { scale }), {
    provider: "cpu",
    threads,
  });
  try {
    const full = [1, 1, ...size];
    const maps = await open.run({ x: { data: seen, shape: full }, region: { data: region, shape: full } });
    const { data, shape: innerShape } = maps["attention"]!;
    const coarse = volume(data as Float32Array<ArrayBuffer>, innerShape.slice(-2));
    const fine = await resample(coarse, { ...job, shape: size as [number, number], method: "linear" });
    const { maximum } = await statistics(fine, job);
    const shares = await combine([[maximum > 0 ? 1 / maximum : 0, fine]], job);
    const placed = (values: Float32Array): Volume => {
      const whole = newImage(shape);
      copyOut(values, tile, size, whole.data, shape);
      return whole;
    };
    return { attention: placed(shares.data), influence: placed(maps["influence"]!.data as Float32Array) };
  } finally {
    await open.dispose();
  }
}

/** 1 in a square around a place, as far as it lies in the window. */
function regionIn(size: readonly number[], at: readonly number[]): Float32Array {
  const [columns, region] = [size[1]!, new Float32Array(sizeOf(size))];
  const [top, left] = at.map((n) => Math.max(0, n - (regionSide >> 1))) as [number, number];
  const right = Math.min(columns, left + regionSide);
  for (let r = top; r < Math.min(size[0]!, top + regionSide); r++)
    region.fill(1, r * columns + left, r * columns + right);
  return region;
}

export interface Explanation extends ChangeMaps {
  support: Support;
  /** The score in words. */
  sentence: string;
}

/**
 * Checks a network's result against what it was made of (`unsupportedStructure`), and explains the change at the place that is supported
 * least. Throws what both throw.
 */
export async function explainRestoration(
  before: Volume,
  after: Volume,
  model: RestorationModel,
  options: SupportOptions & { seen?: Volume | undefined } = {},
): Promise<Explanation> {
  const { factor } = model;
  const support = await unsupportedStructure(before, after, { factor, ...options });
  const maps = await explainChange(options.seen ?? before, model, support.place, options);
  return { ...maps, support, sentence: wordsOf(support) };
}

function wordsOf({ score, share, place: [slice, row, column] }: Support): string {
  const where = `slice ${slice + 1}, row ${row}, column ${column}`;
  if (score <= 1)
    return `All structure of the result is supported by the input: the least supported place, ${where}, reaches ${score.toFixed(2)} of what noise and edges allow.`;
  const percent = 100 * share < 0.01 ? "less than 0.01" : (100 * share).toFixed(2);
  return `The result shows structure that the input does not support, strongest at ${where}: ${score.toFixed(1)} times what noise and edges allow (${percent} % of the pixels exceed it). Look there before you trust it.`;
}
