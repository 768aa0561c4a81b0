/** Images to compare: one array file, a DICOM series, or a folder of either kind, as one batch of slices with names. */
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { TypedArray, Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { type LoadedArray, parseArraySpec, readArray, toFloat32 } from "../data/array-files.ts";
import { listSeries, readSeries } from "../data/dicom/index.ts";
import { allocate } from "../native/job.ts";
import { counted, type Run, requirePlanes, stem } from "./command.ts";

export interface ImageSet {
  spec: string;
  /** [slice, row, column], or [row, column] of a single file that says so. */
  images: Volume<TypedArray>;
  /** Of the files of a folder, without extension, sorted; a file per slice or several slices. */
  names?: string[];
  /** Where the files say it. */
  isHu: boolean;
  pixelMm?: [number, number];
  /** From slice to slice. */
  sliceMm?: number;
}

export interface ImageSetOptions {
  /** 16-bit PNG hold HU + 32768. */
  deepLesion: boolean;
}

/** Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_SHAPE where the images of a folder differ in size. */
export async function loadImageSet(spec: string, options: ImageSetOptions, run: Run): Promise<ImageSet> {
  run.signal.throwIfAborted();
  const found = await stat(spec).catch(() => undefined);
  if (found?.isDirectory()) {
    const files = await arrayFiles(spec);
    return files.length > 0 ? fileSet(spec, files, options, run) : dicomSet(spec, run);
  }
  if (/\.dcm$/i.test(spec) || (found && !isArraySpec(spec))) return dicomSet(spec, run);
  const loaded = await readArray(spec, options);
  return { spec, images: requirePlanes(loaded, "an image [row, column]"), ...about(loaded, options) };
}

function isArraySpec(name: string): boolean {
  try {
    return parseArraySpec(name) !== undefined;
  } catch {
    return false; // no extension that we know
  }
}

/** Images of a folder, not of folders below; records and pictures of reports are none. */
async function arrayFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error) => {
    throw ioError("read", folder, error);
  });
  const isReport = names.includes("report.html");
  const isPicture = (name: string) => isReport && /^(before|after|difference)\.png$/.test(name);
  return names.filter((name) => isArraySpec(name) && !name.startsWith(".") && !isPicture(name)).sort();
}

function about({ meta }: LoadedArray, { deepLesion }: ImageSetOptions): Pick<ImageSet, "isHu" | "pixelMm" | "sliceMm"> {
  const [row, column] = meta.spacing?.slice(-2) ?? [];
  const slice = meta.spacing?.at(-3);
  return {
    isHu: meta.format === "png" && deepLesion,
    ...(row && column && { pixelMm: [row, column] }),
    ...(slice && { sliceMm: slice }),
  };
}

async function dicomSet(spec: string, { signal }: Run): Promise<ImageSet> {
  const series = (await listSeries(spec, { signal })).filter(
    ({ modality, isLocalizer }) => modality === "CT" && !isLocalizer,
  );
  if (series.length !== 1)
    throw sinoError(
      "ERR_SINO_IO_FORMAT",
      series.length === 0
        ? `${spec} holds neither array files nor a CT series.`
        : `${spec} holds ${series.length} CT series; name the folder of one of them.`,
      { details: { path: spec, series: series.map(({ seriesUid }) => seriesUid) } },
    );
  const { volume, spacingMm } = await readSeries(series[0]!.files, { seriesUid: series[0]!.seriesUid, signal });
  return { spec, images: volume, isHu: true, pixelMm: [spacingMm.row, spacingMm.column] };
}

async function fileSet(spec: string, files: string[], options: ImageSetOptions, run: Run): Promise<ImageSet> {
  const parts: Volume[] = [];
  let known: Pick<ImageSet, "isHu" | "pixelMm" | "sliceMm"> = { isHu: false };
  for (const file of files) {
    run.signal.throwIfAborted();
    const loaded = await readArray(join(spec, file), options);
    parts.push(toFloat32(requirePlanes(loaded, "an image [row, column]")));
    known = about(loaded, options);
    const [first, here] = [parts[0]!.shape.slice(-2), parts.at(-1)!.shape.slice(-2)];
    if (first.join() !== here.join())
      throw sinoError(
        "ERR_SINO_SHAPE",
        `Expected images of one size in ${spec} but ${files[0]} has ${show(first)} and ${file} ${show(here)}.`,
        { details: { path: spec } },
      );
  }
  return { spec, images: stacked(parts), names: files.map(stem), ...known };
}

function stacked(parts: readonly Volume[]): Volume {
  const slices = parts.reduce((sum, { shape }) => sum + (shape.length === 3 ? shape[0]! : 1), 0);
  const [rows, columns] = parts[0]!.shape.slice(-2) as [number, number];
  const data = allocate(slices * rows * columns);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { ...parts[0]!, data, shape: [slices, rows, columns], stride: [rows * columns, columns, 1], offset: 0 };
}

/** Throws ERR_SINO_IO_FORMAT where an image of one folder has no partner in the other. */
export function requirePartners(images: ImageSet, reference: ImageSet): void {
  const [a, b] = [images.names, reference.names];
  if (!a || !b || (a.length === 1 && b.length === 1)) return;
  const missing = (from: string[], others: string[]) => from.filter((name) => !others.includes(name));
  for (const [lonely, where] of [
    [missing(a, b), reference.spec],
    [missing(b, a), images.spec],
  ] as const)
    if (lonely.length > 0)
      throw sinoError(
        "ERR_SINO_IO_FORMAT",
        `Expected a partner of the same name for every image, but ${basename(where)} has none for ${listed(lonely)}.`,
        { details: { path: where, missing: lonely } },
      );
}

const listed = (names: readonly string[]): string =>
  names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${counted(names.length - 3, "other")}` : names.join(", ");
