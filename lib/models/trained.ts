/** Applying what `sinogram train` made to images of any size: in batches of tiles, several sessions at a time. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { fileDigest } from "../core/digest.ts";
import { sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { readSafetensors } from "../data/safetensors.ts";
import type { Prediction } from "../diffusion/prediction.ts";
import type { ScheduleKind } from "../diffusion/schedule.ts";
import type { Calibration } from "../graph/index.ts";
import { floats } from "../image/input.ts";
import type { JobOptions } from "../native/job.ts";
import { type NetworkDescription, networkModel, parseNetwork, type Weights } from "../networks/index.ts";
import { type Conditions, conditionsOf } from "./conditions.ts";
import { type ModelOptions, type OnnxModel, openModel } from "./model.ts";
import { copyIn, copyOut, mirrored, type Tile, tilingOf } from "./tiles.ts";

export interface Trained {
  readonly network: NetworkDescription;
  readonly weights: Weights;
  readonly scale: { readonly offset: number; readonly factor: number };
  /** Between which values the network's images lie, after scaling; default [−1, 1]. */
  readonly range?: readonly [low: number, high: number] | undefined;
  /** Rows and columns that it was trained on. */
  readonly size?: readonly number[] | undefined;
  /** What its conditions are called. */
  readonly conditions?: ConditionNames | undefined;
  /** How strongly its conditions are told where nobody says otherwise; default 1. */
  readonly guidance?: number | undefined;
  /** What its images go through next, see `openStages`; default nothing. */
  readonly stages?: readonly StageCard[] | undefined;
  /** Convolutions to compute in 8 bits, as `quantizeTrained` found them; default none. */
  readonly calibration?: Calibration | undefined;
  /** It was trained on masks: `applyTrained` gives the probability that a pixel is inside. */
  readonly isSegmentation?: boolean | undefined;
  /** Where it was trained to find noise: how much there was, and what it was asked. */
  readonly diffusion?:
    | {
        readonly kind: ScheduleKind;
        readonly steps: number;
        readonly prediction: Prediction;
        readonly shift?: number | undefined;
      }
    | undefined;
}

/**
 * A model that enlarges images, or one that finds noise and redraws them at a strength from 0 to 1, in so many steps (20). Either after a
 * Gaussian of the deviation `smooth` in pixels, which takes away the grid of a network that works on squares of pixels.
 */
export interface StageCard {
  readonly model: string;
  readonly strength?: number | undefined;
  readonly steps?: number | undefined;
  readonly smooth?: number | undefined;
}

/**
 * A list names a network's classes, in their order; each object one of its values, which it sees as (value − offset) · factor and learned
 * within a range.
 */
export type ConditionNames = Readonly<Record<string, readonly string[] | ConditionScale>>;

export interface ConditionScale {
  readonly offset?: number | undefined;
  readonly factor?: number | undefined;
  readonly range?: readonly [low: number, high: number] | undefined;
}

export const precisions = ["float32", "int8"] as const;
export type Precision = (typeof precisions)[number];

interface Card {
  conditions?: ConditionNames;
  guidance?: number;
  stages?: unknown;
  int8?: { calibration?: Calibration };
  network?: unknown;
  weightsSha256?: string;
  input?: { shape?: number[] };
  training?: {
    task?: string;
    data?: { offset?: number; factor?: number; range?: readonly [number, number] };
    diffusion?: { kind?: ScheduleKind; steps?: number; prediction?: Prediction; shift?: number };
  };
}

/**
 * Reads a folder that `sinogram train` wrote. With the precision "int8" it is one that `sinogram quantize` wrote. Throws ERR_SINO_IO,
 * ERR_SINO_IO_FORMAT, ERR_SINO_MODEL (weights of another card, or no calibration).
 */
export async function loadTrained(
  folder: string,
  { precision = "float32" }: { precision?: Precision | undefined } = {},
): Promise<Trained> {
  const path = join(folder, "model.json");
  const text = await readFile(path, "utf8").catch((cause) => {
    throw ioError("read", path, cause);
  });
  const file = join(folder, "weights.safetensors");
  const { tensors } = await readSafetensors(file);
  let card: Card;
  try {
    card = JSON.parse(text);
  } catch (cause) {
    throw sinoError("ERR_SINO_IO_FORMAT", `${path} is not JSON: ${(cause as Error).message}.`, { cause });
  }
  const { sha256 } = await fileDigest(file);
  if (card.weightsSha256 !== undefined && card.weightsSha256 !== sha256)
    throw sinoError(
      "ERR_SINO_MODEL",
      `${file} is not what ${path} describes: its SHA-256 is ${sha256}. Copy both again.`,
      {
        details: { expected: card.weightsSha256, sha256 },
      },
    );
  const calibration = precision === "int8" ? card.int8?.calibration : undefined;
  if (precision === "int8" && !calibration)
    throw sinoError(
      "ERR_SINO_MODEL",
      `${path} has no calibration for 8 bits. Make one with sinogram quantize, or use the precision float32.`,
    );
  const { task, data, diffusion } = card.training ?? {};
  const { offset = 0, factor = 1 } = data ?? {};
  const { kind = "cosine", steps = 1000, prediction = "epsilon", shift } = diffusion ?? {};
  const [low, high] = data?.range ?? [offset - 1 / factor, offset + 1 / factor];
  return {
    range: [(low - offset) * factor, (high - offset) * factor],
    size: card.input?.shape?.slice(2),
    ...(calibration && { calibration }),
    ...(card.conditions && { conditions: card.conditions }),
    ...(typeof card.guidance === "number" && { guidance: card.guidance }),
    ...(card.stages !== undefined && { stages: stageCards(card.stages, path) }),
    ...(task === "segmentation" && { isSegmentation: true }),
    ...(task === "diffusion" && { diffusion: { kind, steps, prediction, shift } }),
    network: parseNetwork(card.network, path),
    weights: new Map([...tensors].map(([name, { data }]) => [name, data])),
    scale: { offset, factor },
  };
}

/** `"stages": ["super-resolve-4", { "model": "ct-prior", "strength": 0.05 }]`. Throws ERR_SINO_IO_FORMAT. */
function stageCards(given: unknown, path: string): StageCard[] {
  const wrong = (what: unknown) =>
    sinoError(
      "ERR_SINO_IO_FORMAT",
      `${path} expected "stages" to list names of models or { "model", "strength", "steps", "smooth" } but has ${JSON.stringify(what)}.`,
    );
  if (!Array.isArray(given)) throw wrong(given);
  return given.map((stage: unknown) => {
    const card = (typeof stage === "string" ? { model: stage } : stage) as StageCard | null;
    const numbers = [card?.strength, card?.steps, card?.smooth];
    if (typeof card?.model !== "string" || numbers.some((v) => v !== undefined && typeof v !== "number"))
      throw wrong(stage);
    return card;
  });
}

export interface ApplyOptions extends ModelOptions, JobOptions, Conditions {
  /** Largest side that the network sees at once; default 512. */
  readonly tile?: number | undefined;
  /** Seen around each tile and thrown away; default 32. */
  readonly margin?: number | undefined;
  /** The network's channels are a slice and those around it, mirrored at the ends; default false. */
  readonly neighbours?: boolean | undefined;
  /** Tiles per run; default 4. */
  readonly batch?: number | undefined;
}

/** What the sides of a network's images must be multiples of. */
export function grainOf(d: NetworkDescription): number {
  if (d.kind === "unet") return (d.unshuffle ?? 1) * 2 ** (d.channels.length - 1);
  return d.kind === "n2n-unet" ? 2 ** (d.levels ?? 5) : 1;
}

/** What a network takes and gives: axes and channels. Throws ERR_SINO_UNSUPPORTED for what is not images of one size. */
function channelsOf(network: NetworkDescription): { axes: number; ins: number; outs: number } {
  const isPlain = network.kind !== "unet" || !(network.time || network.context);
  if (!isPlain || /srresnet|discriminator|patchgan/.test(network.kind))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      "Expected a network that makes images of images of the same size; run it by openModel.",
    );
  const axes = network.kind === "unet" ? (network.dimensions ?? 2) : 2;
  const outs = "outChannels" in network ? (network.outChannels ?? 1) : network.inChannels;
  return { axes, ins: network.inChannels, outs };
}

/**
 * Applies a trained network to images of any size in the units it was trained on, in tiles. Images are [n, row, column] or one
 * [row, column]; of a network of several channels [n, C, row, column], or with `neighbours` [n, row, column], each slice with those around
 * it; of a network of volumes [n, slice, row, column] or one volume, with C before the slices. The result has the same axes, with channels
 * where the network gives several; of a network of the task segmentation they are probabilities. A network with classes or values is told those of each image by `classes` and `values`. Throws
 * ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (a class or value that it cannot have), ERR_SINO_UNSUPPORTED (networks with other inputs, or whose
 * output is of another size), and what `openModel` throws; aborts with `signal.reason`.
 *
 * @example
 * const clean = await applyTrained(await loadTrained("run"), noisy, { sessions: 2 });
 */
export async function applyTrained(trained: Trained, images: ArrayLike, options: ApplyOptions = {}): Promise<Volume> {
  const { network, weights, scale, calibration, isSegmentation: isProbability } = trained;
  const { tile = 512, margin = 32, batch = 4, neighbours = false, signal, onProgress } = options;
  const { axes, ins, outs } = channelsOf(network);
  const given = images.shape;
  const own = ins > 1 && !neighbours ? 1 : 0;
  if (given.length < axes + own || given.length > axes + own + 1 || (own && given.at(-axes - 1) !== ins))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected [n, ${own ? `${ins}, ` : ""}${axes === 3 ? "slice, " : ""}row, column] or one of them but received [${given.join(", ")}].${own ? " Slices of a volume can be given with neighbours: true." : ""}`,
    );
  if (neighbours && (axes !== 2 || ins % 2 === 0))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a network of slices and an odd number of channels for neighbours but it has ${axes} axes and ${ins} channels.`,
    );
  const shape = given.slice(-axes);
  const plane = sizeOf(shape);
  const data = await floats(images, "images", options);
  const count = data.length / plane / (own ? ins : 1);
  const conditions = conditionsOf(network, options, count);
  const { size, tiles } = tilingOf(shape, { tile, margin, grain: grainOf(network) });
  const jobs = Array.from({ length: count }, (_, n) => tiles.map((t) => ({ n, tile: t }))).flat();
  const perRun = Math.min(batch, jobs.length);
  const model = await openModel(
    networkModel(network, weights, { batch: perRun, size }, { scale, calibration, isProbability }),
    options,
  );
  const result = new Float32Array(count * outs * plane);
  // which plane of the images an input channel is
  const source = (n: number, c: number) => (neighbours ? mirrored(n + c - (ins >> 1), count) : n * ins + c);
  try {
    let next = 0;
    let done = 0;
    const lane = async () => {
      while (next < jobs.length) {
        signal?.throwIfAborted();
        const some = jobs.slice(next, next + perRun);
        next += perRun;
        await runTiles(model, some, perRun, { data, result, plane, shape, size, ins, outs, source, conditions });
        done += some.length;
        onProgress?.({ phase: "apply", done, total: jobs.length });
      }
    };
    await Promise.all(Array.from({ length: model.sessions }, lane));
  } finally {
    await model.dispose();
  }
  const lead = given.slice(0, given.length - axes - own);
  return volume(result, [...lead, ...(outs > 1 ? [outs] : []), ...shape]);
}

interface Planes {
  readonly data: Float32Array;
  readonly result: Float32Array;
  readonly plane: number;
  readonly shape: readonly number[];
  readonly size: readonly number[];
  readonly ins: number;
  readonly outs: number;
  readonly source: (n: number, channel: number) => number;
  readonly conditions: ReturnType<typeof conditionsOf>;
}

async function runTiles(
  model: OnnxModel,
  jobs: readonly { n: number; tile: Tile }[],
  perRun: number,
  { data, result, plane, shape, size, ins, outs, source, conditions }: Planes,
): Promise<void> {
  const area = sizeOf(size);
  const x = new Float32Array(perRun * ins * area);
  const part = (from: Float32Array, i: number, length: number) => from.subarray(i * length, (i + 1) * length);
  jobs.forEach(({ n, tile }, i) => {
    for (let c = 0; c < ins; c++)
      copyIn(part(data, source(n, c), plane), shape, tile, size, part(x, i * ins + c, area));
  });
  // the last run may have fewer: the rest of it is thrown away
  const images = Array.from({ length: perRun }, (_, i) => (jobs[i] ?? jobs[0]!).n);
  const { y } = await model.run({ x: { data: x, shape: [perRun, ins, ...size] }, ...conditions(images) });
  const values = y!.data as Float32Array;
  jobs.forEach(({ n, tile }, i) => {
    for (let c = 0; c < outs; c++)
      copyOut(part(values, i * outs + c, area), tile, size, part(result, n * outs + c, plane), shape);
  });
}
