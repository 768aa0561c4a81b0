/**
 * A report of what a correction did to images: one HTML file that needs nothing else, and pictures of the slice with the
 * most metal. Figures per slice and the windowing of pictures are native; the page draws the embedded HU itself.
 */
import type { ArrayLike } from "../core/arrays.ts";
import { flags, planesOf } from "../image/input.ts";
import { differences, pairOf } from "../metrics/compare.ts";
import type { OperationOptions } from "../native/job.ts";
import { runJob } from "../native/job.ts";
import { embedSlices } from "./embed.ts";
import { type PageSlice, pageChunks } from "./page.ts";
import { differencePng, windowPng } from "./pictures.ts";

export interface ReportTable {
  caption: string;
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

export interface ReportInput {
  title: string;
  /** Images in HU, [row, column] or [slice, row, column], all of one shape; the first is what the others are compared with. */
  layers: readonly { name: string; hu: ArrayLike }[];
  /** Which layer the figures and pictures compare with the first; default 1. */
  after?: number;
  /** Of the same shape; not zero on metal. */
  metal?: ArrayLike;
  /** Row spacing, column spacing. */
  pixelMm: readonly [number, number];
  /** Of the values; default HU. Others are embedded as whole numbers too: scale them so that this is enough. */
  unit?: string;
  /** Buttons of the viewer, centre and width; the first one is shown. Default: the usual ones of CT. */
  windows?: readonly (readonly [name: string, centre: number, width: number])[];
  /** Of the computation. */
  seconds?: number;
  facts: readonly (readonly [label: string, value: string])[];
  notes: readonly string[];
  warnings?: readonly string[];
  tables?: readonly ReportTable[];
  /** Most slices that are embedded; default 60. */
  maximumSlices?: number;
  /** Per slice: those with the largest are embedded; default those with the most metal. */
  importance?: readonly number[];
  /** What `importance` is, in words; default "with the largest errors". */
  shown?: string;
}

/** What writeReport writes. */
export const reportFiles = ["report.html", "before.png", "after.png", "difference.png"] as const;

/** Puts one file of the report in its place. */
export type WriteFile = (name: string, ...chunks: (Uint8Array | string)[]) => Promise<void>;

/** Of the pictures: soft tissue wide enough to show streaks. */
const pictureWindow = [-160, 240] as const;

/**
 * Writes report.html and the pictures before.png, after.png and difference.png of the slice with the most metal by `write`.
 * Throws ERR_SINO_SHAPE where layers differ in shape, ERR_SINO_OUT_OF_RANGE for NaN, and what `write` throws.
 */
export async function writeReport(input: ReportInput, options: OperationOptions, write: WriteFile): Promise<void> {
  const worst = await writePage(input, options, write);
  const [before, after] = [input.layers[0]!.hu, input.layers[input.after ?? 1]!.hu];
  await write("before.png", await windowPng(before, worst, pictureWindow, options));
  await write("after.png", await windowPng(after, worst, pictureWindow, options));
  await write("difference.png", await differencePng(after, before, worst, options));
}

/** Writes report.html only; gives the slice with the most metal. */
export async function writePage(input: ReportInput, options: OperationOptions, write: WriteFile): Promise<number> {
  const { layers, metal, maximumSlices = 60, seconds, importance } = input;
  const [before, after] = [layers[0]!.hu, layers[input.after ?? 1]!.hu];
  const { slices: count, rows, columns } = planesOf(before.shape);
  const metalPixels = metal ? await countPerSlice(metal, count, options) : new Float64Array(count);
  const changes = await differences(await pairOf(after, before, options), options);
  const weights = importance ?? metalPixels;
  const chosen = chooseSlices(weights, maximumSlices);
  const affected = metalPixels.filter((pixels) => pixels > 0).length;
  const perSlice = seconds === undefined ? undefined : seconds / Math.max(1, affected);
  const slices: PageSlice[] = changes.map(({ mae, largest }, slice) => ({
    slice,
    embedded: chosen.indexOf(slice),
    metalPixels: metalPixels[slice]!,
    meanChange: mae,
    largestChange: largest,
    ...(perSlice === undefined ? {} : { seconds: metalPixels[slice]! > 0 ? perSlice : 0 }),
  }));
  const worst = chosen.reduce((a, b) => (weights[b]! > weights[a]! ? b : a), chosen[0]!);
  const embedded = await embedSlices(input, chosen, options);
  const model = { rows, columns, slices, start: chosen.indexOf(worst), affected };
  await write("report.html", ...pageChunks(input, model, embedded));
  return worst;
}

async function countPerSlice(metal: ArrayLike, slices: number, options: OperationOptions): Promise<Float64Array> {
  const masks = await flags(metal, "metal", options);
  const counts = new Float64Array(slices);
  await runJob("countSet", { slices, pixels: masks.length / slices, masks, counts }, options);
  return counts;
}

/** Slices with metal, those with most of it where there are too many; the middle one where there are none. In order. */
export function chooseSlices(metalPixels: Float64Array | readonly number[], most: number): number[] {
  const withMetal = Array.from(metalPixels, (pixels, slice) => ({ pixels, slice })).filter(({ pixels }) => pixels > 0);
  if (withMetal.length === 0) return [metalPixels.length >> 1];
  return withMetal
    .sort((a, b) => b.pixels - a.pixels || a.slice - b.slice)
    .slice(0, most)
    .map(({ slice }) => slice)
    .sort((a, b) => a - b);
}
