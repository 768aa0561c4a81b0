/** One DICOM series to its derived series without metal streaks, 0001.dcm and so on. */
import { join } from "node:path";
import { sizeOf, volume } from "../core/arrays.ts";
import { readSeries } from "../data/dicom/read.ts";
import { selectSlices } from "../data/dicom/select.ts";
import { writeDerivedSeries } from "../data/dicom/write.ts";
import { derivationOf } from "../mar/derivation.ts";
import { correctImages, correctionBytes } from "../mar/image.ts";
import type { Share } from "./gate.ts";
import type { PlannedJob, SeriesExtent } from "./job.ts";
import { memoryFor } from "./memory.ts";
import type { Work } from "./work.ts";

/** Stages of reading, files on their way to the disk, and small memory that waits for the collector. */
const passingBytes = 32 << 20;

/** Bytes that a series takes: HU before and after with its masks; in turn, what the correction works in. */
export function seriesBytes({ shape, pixelMm }: SeriesExtent): Share {
  const { result, working } = correctionBytes(shape, pixelMm);
  return { own: 4 * sizeOf(shape) + result + passingBytes, inTurn: working };
}

type Source = Pick<PlannedJob, "input" | "folders" | "series">;

/** Where to look for a job's series: its files, or a folder. */
function placesOf({ input, folders }: Source): string | string[] {
  return folders ? [...folders].flatMap(([folder, names]) => names.map((name) => join(folder, name))) : input;
}

/** The files of a job's series, damaged ones and other series left out. */
export async function seriesFiles(
  job: Source,
  signal?: AbortSignal,
): Promise<{ files: string[]; extent: SeriesExtent }> {
  const { series } = job;
  const { slices } = await selectSlices(placesOf(job), { seriesUid: series, signal });
  const { rows, columns, pixelSpacing } = slices[0]!;
  const extent: SeriesExtent = { shape: [slices.length, rows, columns], pixelMm: pixelSpacing };
  return { files: slices.map(({ file }) => file), extent };
}

export const correctSeries: Work = async (job, context) => {
  const { signal, device } = context;
  const { method = "nmar", metalHu, minimumPixels = 3, passes = 2, muWater } = job.options;
  const { files, extent } = job.extent ? { files: placesOf(job), extent: job.extent } : await seriesFiles(job, signal);
  await context.reserve(seriesBytes(extent));
  const source = await context.timed("reading", () =>
    readSeries(files, { seriesUid: job.series, signal, buffer: memoryFor("source", sizeOf(extent.shape)) }),
  );
  const out = volume(memoryFor("corrected", source.volume.size), source.volume.shape);
  const pixelMm = source.slices[0]!.pixelSpacing;
  const corrected = await context.computing(() =>
    correctImages(source.volume, { method, metalHu, minimumPixels, passes, muWater, pixelMm, out, signal, device }),
  );
  const { changed, geometry } = corrected;
  const foundHu = corrected.metalHu;
  const metalSlices = changed.filter(Boolean).length;
  const warnings = [...source.warnings];
  if (metalSlices === 0) warnings.push(`No metal was found at or above ${foundHu} HU, so nothing is changed.`);
  const derivation = derivationOf({ method, metalHu: foundHu, minimumPixels, passes, muWater: corrected.muWater });
  await context.commit(async (folder) => {
    const derived = await writeDerivedSeries(source, corrected.hu, { out: folder, changed, ...derivation, signal });
    if (derived.clippedPixels > 0)
      warnings.push(
        `${derived.clippedPixels} pixels lie outside what 16 bits hold at the source's rescale; they were clipped.`,
      );
    return {
      inputFiles: source.slices.map(({ file }) => file),
      slices: source.slices.length,
      warnings,
      details: {
        sourceSeriesUid: source.seriesUid,
        seriesUid: derived.seriesUid,
        ...derivation.configuration,
        unit: "HU",
        metalPixels: corrected.metalPixels,
        clippedPixels: derived.clippedPixels,
        virtualScan: { sod: geometry.sod, sdd: geometry.sdd, bins: geometry.bins, views: geometry.angles.length },
      },
    };
  });
};
