/** Where the metal is, by a network trained on masks, kept within what a threshold makes plausible. */
import { type ArrayLike, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { copyInTurns } from "../core/turns.ts";
import { connectedComponents } from "../image/components.ts";
import { floats, integers, type Mask, newImage, newMask, planesOf, run } from "../image/input.ts";
import { clip, combine, countNonFinite, requireFinite, select, statistics, threshold } from "../image/pixels.ts";
import { type ApplyOptions, applyTrained } from "../models/apply.ts";
import type { Trained } from "../models/trained.ts";
import type { JobOptions, OperationOptions } from "../native/job.ts";
import { cleanedMetal, type Metal, type MetalOptions, segmentMetal } from "./metal.ts";

export interface MetalNetworkOptions
  extends MetalOptions,
    Pick<JobOptions, "onProgress">,
    Pick<ApplyOptions, "threads" | "sessions" | "tile"> {
  /** From which probability on a pixel is metal; default 0.5. */
  probability?: number | undefined;
  /** Parts of the mask none of whose pixels reaches so many HU are dropped; default 1500. */
  leastHu?: number | undefined;
  /** How many times the thresholded area of a slice its mask may have; default 4. Masks of up to 40 pixels are never too large. */
  mostArea?: number | undefined;
}

export interface NetworkMetal extends Metal {
  /** Whose mask each slice has: the threshold's where the network's was too large. */
  by: ("network" | "threshold")[];
  /** A sentence where slices have the threshold's. */
  warnings: string[];
}

/** So few pixels are taken from the network even where nothing reaches the threshold. */
const alwaysPlausible = 40;

/** Throws ERR_SINO_MODEL for anything but a network that makes one mask of one slice. */
function requireMetalNetwork({ network, isSegmentation }: Trained): void {
  const outs = "outChannels" in network ? (network.outChannels ?? 1) : network.inChannels;
  const isPlanar = network.kind !== "unet" || network.dimensions !== 3;
  if (isSegmentation && isPlanar && network.inChannels === 1 && outs === 1) return;
  const what = isSegmentation ? `${network.inChannels} channels in and ${outs} out` : "another task";
  throw sinoError(
    "ERR_SINO_MODEL",
    `Expected a network of the task segmentation that makes one mask of one slice but received one of ${what}.`,
  );
}

/** The mask of one slice without parts that stay below a level everywhere. */
async function brightParts(mask: Mask, hu: ArrayLike, level: number, options: OperationOptions): Promise<Mask> {
  const { labels, count } = await connectedComponents(mask, options);
  const numbers = await combine([[1, labels]], options);
  const atBright = integers(labels.data.length);
  atBright.set((await select(await threshold(hu, level, options), numbers, 0, options)).data);
  const bright = integers(count);
  await run("componentSizes", { pixels: atBright.length, labels: atBright, count, sizes: bright }, options);
  let kept = mask;
  for (const [k, pixels] of bright.entries()) {
    if (pixels > 0) continue;
    const from = await threshold(numbers, k + 1, options);
    const rest = await threshold(numbers, k + 2, options);
    kept = await threshold(await select(from, await select(rest, kept, 0, options), kept, options), 0.5, options);
  }
  return kept;
}

/**
 * Metal in HU images [row, column] or [slice, row, column] by a network of the task segmentation that was trained on HU
 * (models/metal). What it sees is clipped to the range of its card. Its mask is cleaned as the threshold's is; parts that stay
 * below `leastHu` are dropped, and a slice whose mask is much larger than the threshold's takes that instead and says so in `warnings`.
 * Slices that stay below `leastHu` are not looked at. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE (also NaN),
 * ERR_SINO_MODEL (another kind of network, or one that answers with NaN), and what `openModel` throws; aborts with `signal.reason`.
 *
 * @example
 * const { metal, support } = await segmentMetalByNetwork(hu, await loadTrained("models/metal"));
 */
export async function segmentMetalByNetwork(
  hu: ArrayLike,
  trained: Trained,
  options: MetalNetworkOptions = {},
): Promise<NetworkMetal> {
  const { probability = 0.5, leastHu = 1500, mostArea = 4, signal, device, onProgress } = options;
  const { threads, sessions, tile } = options;
  const passed = { signal, device };
  requireMetalNetwork(trained);
  const input = await floats(hu, "images", passed, [2, 3]);
  await requireFinite(volume(input, hu.shape), "images", passed);
  const plain = await segmentMetal(volume(input, hu.shape), { ...options, onProgress: undefined });
  const { slices, rows, columns } = planesOf(hu.shape);
  const [size, shape] = [rows * columns, [rows, columns]];
  const slice = (s: number) => volume(input.subarray(s * size, (s + 1) * size), shape);

  const candidates: number[] = [];
  for (let s = 0; s < slices; s++) if ((await statistics(slice(s), passed)).maximum >= leastHu) candidates.push(s);
  const mask = newMask(hu.shape);
  if (candidates.length > 0) {
    const seen = newImage([candidates.length, ...shape]);
    for (const [i, s] of candidates.entries())
      await copyInTurns(slice(s).data, seen.data.subarray(i * size, (i + 1) * size), signal);
    const applied = await applyTrained(trained, await clip(seen, ...rangeOf(trained), passed), {
      ...{ signal, onProgress, threads, sessions, tile },
    });
    if ((await countNonFinite(applied, passed)) > 0)
      throw sinoError("ERR_SINO_MODEL", "The network for metal answered with NaN: its weights are damaged.");
    const inside = await threshold(applied, probability, passed);
    for (const [i, s] of candidates.entries()) {
      const own = volume(inside.data.subarray(i * size, (i + 1) * size), shape);
      mask.data.set((await brightParts(own, slice(s), leastHu, passed)).data, s * size);
    }
  }

  const limits = plain.pixels.map((pixels) => Math.max(alwaysPlausible, mostArea * pixels));
  const areas = new Float64Array(slices);
  await run("countSet", { slices, pixels: size, masks: mask.data, counts: areas }, passed);
  const by = limits.map((limit, s) => (areas[s]! > limit ? ("threshold" as const) : ("network" as const)));
  for (const [s, whose] of by.entries())
    if (whose === "threshold") mask.data.set(plain.metal.data.subarray(s * size, (s + 1) * size), s * size);
  const others = by.flatMap((whose, s) => (whose === "threshold" ? [s] : []));
  const warnings =
    others.length === 0
      ? []
      : [
          `The network's metal is more than ${mostArea} times what reaches ${Math.round(plain.metalHu)} HU in slice ${others.slice(0, 8).join(", ")}${others.length > 8 ? " and others" : ""}; the threshold's is used there.`,
        ];
  return { ...(await cleanedMetal(mask, options)), metalHu: plain.metalHu, by, warnings };
}

/** Between which HU the network's images lie. */
function rangeOf({ range = [-1, 1], scale: { offset, factor } }: Trained): [number, number] {
  return [range[0] / factor + offset, range[1] / factor + offset];
}
