/** What `sinogram train` made: a network, its weights, and what its card says of them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileDigest } from "../core/digest.ts";
import { sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { readSafetensors } from "../data/safetensors.ts";
import type { Prediction } from "../diffusion/prediction.ts";
import type { ScheduleKind } from "../diffusion/schedule.ts";
import type { Calibration } from "../graph/index.ts";
import { type NetworkDescription, parseNetwork, type Weights } from "../networks/index.ts";

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
        /** What it finds is not an image but what one adds to its condition, times this. */
        readonly residual?: number | undefined;
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
    diffusion?: Partial<NonNullable<Trained["diffusion"]>>;
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
  const { kind = "cosine", steps = 1000, prediction = "epsilon", shift, residual } = diffusion ?? {};
  const [low, high] = data?.range ?? [offset - 1 / factor, offset + 1 / factor];
  return {
    range: [(low - offset) * factor, (high - offset) * factor],
    size: card.input?.shape?.slice(2),
    ...(calibration && { calibration }),
    ...(card.conditions && { conditions: card.conditions }),
    ...(typeof card.guidance === "number" && { guidance: card.guidance }),
    ...(card.stages !== undefined && { stages: stageCards(card.stages, path) }),
    ...(task === "segmentation" && { isSegmentation: true }),
    ...(task === "diffusion" && { diffusion: { kind, steps, prediction, shift, residual } }),
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

/** What the sides of a network's images must be multiples of. */
export function grainOf(d: NetworkDescription): number {
  if (d.kind === "unet") return (d.unshuffle ?? 1) * 2 ** (d.channels.length - 1);
  return d.kind === "n2n-unet" ? 2 ** (d.levels ?? 5) : 1;
}

/** Whether a network draws images given others, which it sees in further channels behind the noise. */
export const isConditional = ({ network, diffusion }: Trained): boolean =>
  diffusion !== undefined && network.kind === "unet" && network.inChannels > network.outChannels;
