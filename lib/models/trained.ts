/** Applying what `sinogram train` made to images of any size: in batches of tiles, several sessions at a time. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileDigest } from "../batch/digest.ts";
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { readSafetensors } from "../data/safetensors.ts";
import type { Prediction } from "../diffusion/prediction.ts";
import type { ScheduleKind } from "../diffusion/schedule.ts";
import { floats } from "../image/input.ts";
import type { JobOptions } from "../native/job.ts";
import { type NetworkDescription, networkModel, parseNetwork, type Weights } from "../networks/index.ts";
import { type ModelOptions, type OnnxModel, openModel } from "./model.ts";
import { copyIn, copyOut, type Tile, tilingOf } from "./tiles.ts";

export interface Trained {
  readonly network: NetworkDescription;
  readonly weights: Weights;
  readonly scale: { readonly offset: number; readonly factor: number };
  /** Between which values the network's images lie, after scaling; default [−1, 1]. */
  readonly range?: readonly [low: number, high: number] | undefined;
  /** Rows and columns that it was trained on. */
  readonly size?: readonly number[] | undefined;
  /** Where it was trained to find noise: how much there was, and what it was asked. */
  readonly diffusion?:
    | { readonly kind: ScheduleKind; readonly steps: number; readonly prediction: Prediction }
    | undefined;
}

interface Card {
  network?: unknown;
  weightsSha256?: string;
  input?: { shape?: number[] };
  training?: {
    task?: string;
    data?: { offset?: number; factor?: number; range?: readonly [number, number] };
    diffusion?: { kind?: ScheduleKind; steps?: number; prediction?: Prediction };
  };
}

/** Reads a folder that `sinogram train` wrote. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_MODEL (weights of another card). */
export async function loadTrained(folder: string): Promise<Trained> {
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
  const { task, data, diffusion } = card.training ?? {};
  const { offset = 0, factor = 1 } = data ?? {};
  const { kind = "cosine", steps = 1000, prediction = "epsilon" } = diffusion ?? {};
  const [low, high] = data?.range ?? [offset - 1 / factor, offset + 1 / factor];
  return {
    range: [(low - offset) * factor, (high - offset) * factor],
    size: card.input?.shape?.slice(2),
    ...(task === "diffusion" && { diffusion: { kind, steps, prediction } }),
    network: parseNetwork(card.network, path),
    weights: new Map([...tensors].map(([name, { data }]) => [name, data])),
    scale: { offset, factor },
  };
}

export interface ApplyOptions extends ModelOptions, JobOptions {
  /** Largest side that the network sees at once; default 512. */
  readonly tile?: number | undefined;
  /** Seen around each tile and thrown away; default 32. */
  readonly margin?: number | undefined;
  /** Tiles per run; default 4. */
  readonly batch?: number | undefined;
}

/** What the sides of a network's images must be multiples of. */
function grainOf(d: NetworkDescription): number {
  if (d.kind === "unet") return (d.unshuffle ?? 1) * 2 ** (d.channels.length - 1);
  return d.kind === "n2n-unet" ? 2 ** (d.levels ?? 5) : 1;
}

/**
 * Applies a trained network to images [n, row, column] or one [row, column], of one channel, in the units it was trained
 * on. Throws ERR_SINO_SHAPE, ERR_SINO_UNSUPPORTED (networks with other inputs, or whose output is of another size), and
 * what `openModel` throws; aborts with `signal.reason`.
 *
 * @example
 * const clean = await applyTrained(await loadTrained("run"), noisy, { sessions: 2 });
 */
export async function applyTrained(trained: Trained, images: ArrayLike, options: ApplyOptions = {}): Promise<Volume> {
  const { network, weights, scale } = trained;
  const { tile = 512, margin = 32, batch = 4, sessions = 1, signal, onProgress } = options;
  const isPlain = network.kind !== "unet" || !(network.time || network.classes || network.values || network.context);
  const outChannels = "outChannels" in network ? (network.outChannels ?? 1) : 1;
  if (!isPlain || network.inChannels !== 1 || outChannels !== 1 || /srresnet|discriminator|patchgan/.test(network.kind))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      "Expected a network that makes one image of one image; run it by openModel.",
    );
  if (images.shape.length < 2 || images.shape.length > 3)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected [n, row, column] or [row, column] but received [${images.shape.join(", ")}].`,
    );
  const data = await floats(images, "images", options);
  const [rows, columns] = images.shape.slice(-2) as [number, number];
  const plane = rows * columns;
  const count = sizeOf(images.shape) / plane;
  const { size, tiles } = tilingOf([rows, columns], { tile, margin, grain: grainOf(network) });
  const jobs = Array.from({ length: count }, (_, n) => tiles.map((t) => ({ n, tile: t }))).flat();
  const perRun = Math.min(batch, jobs.length);
  const model = await openModel(networkModel(network, weights, { batch: perRun, size }, { scale }), options);
  const result = new Float32Array(data.length);
  try {
    let next = 0;
    let done = 0;
    const lane = async () => {
      while (next < jobs.length) {
        signal?.throwIfAborted();
        const some = jobs.slice(next, next + perRun);
        next += perRun;
        await runTiles(model, some, perRun, { data, result, plane, image: [rows, columns], size });
        done += some.length;
        onProgress?.({ phase: "apply", done, total: jobs.length });
      }
    };
    await Promise.all(Array.from({ length: sessions }, lane));
  } finally {
    await model.dispose();
  }
  return volume(result, images.shape);
}

interface Planes {
  readonly data: Float32Array;
  readonly result: Float32Array;
  readonly plane: number;
  readonly image: readonly [number, number];
  readonly size: readonly [number, number];
}

async function runTiles(
  model: OnnxModel,
  jobs: readonly { n: number; tile: Tile }[],
  perRun: number,
  { data, result, plane, image, size }: Planes,
): Promise<void> {
  const area = sizeOf(size);
  const x = new Float32Array(perRun * area);
  jobs.forEach(({ n, tile }, i) => {
    copyIn(data.subarray(n * plane, (n + 1) * plane), image, tile, size, x.subarray(i * area, (i + 1) * area));
  });
  const { y } = await model.run({ x: { data: x, shape: [perRun, 1, ...size] } });
  const values = y!.data as Float32Array;
  jobs.forEach(({ n, tile }, i) => {
    const plate = result.subarray(n * plane, (n + 1) * plane);
    copyOut(values.subarray(i * area, (i + 1) * area), tile, size, plate, image[1]);
  });
}
