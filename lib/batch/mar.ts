/** One DICOM series to its derived series without metal streaks, 0001.dcm and so on. */
import { join } from "node:path";
import { readSeries } from "../data/dicom/read.ts";
import { selectSlices } from "../data/dicom/select.ts";
import { writeDerivedSeries } from "../data/dicom/write.ts";
import { derivationOf } from "../mar/derivation.ts";
import { correctImages } from "../mar/image.ts";
import type { PlannedJob } from "./job.ts";
import type { Work } from "./work.ts";

/** HU, corrected HU, masks, per voxel; and what the native code works in for 16 slices at a time. */
export const bytesPerVoxel = 12;
export const workingBytes = 256 << 20;

/** Memory of the series before, used again: filling new memory takes longer than reading a series. */
let buffer: Float32Array<ArrayBuffer> | undefined;

function bufferFor(length: number): Float32Array<ArrayBuffer> {
  if (!buffer || buffer.length < length || buffer.length > 2 * length) {
    buffer = undefined;
    buffer = new Float32Array(length);
  }
  return buffer;
}

type Source = Pick<PlannedJob, "input" | "folders" | "series">;

/** Where to look for a job's series: its files, or a folder. */
function placesOf({ input, folders }: Source): string | string[] {
  return folders ? [...folders].flatMap(([folder, names]) => names.map((name) => join(folder, name))) : input;
}

/** The files of a job's series, damaged ones and other series left out. */
export async function seriesFiles(job: Source, signal?: AbortSignal): Promise<{ files: string[]; voxels: number }> {
  const { series } = job;
  const { slices } = await selectSlices(placesOf(job), { seriesUid: series, signal });
  const { rows, columns } = slices[0]!;
  return { files: slices.map(({ file }) => file), voxels: slices.length * rows * columns };
}

export const correctSeries: Work = async (job, context) => {
  const { signal, device } = context;
  const { method = "nmar", metalHu = 2500, minimumPixels = 3, passes = 2, muWater } = job.options;
  const found = job.bytes === undefined || !job.slices ? await seriesFiles(job, signal) : undefined;
  await context.reserve(job.bytes ?? found!.voxels * bytesPerVoxel + workingBytes);
  const files = found?.files ?? placesOf(job);
  const length = found?.voxels ?? Math.floor((job.bytes! - workingBytes) / bytesPerVoxel);
  const source = await context.timed("reading", () =>
    readSeries(files, { seriesUid: job.series, signal, buffer: bufferFor(length) }),
  );
  const pixelMm = source.slices[0]!.pixelSpacing;
  const corrected = await context.computing(() =>
    correctImages(source.volume, { method, metalHu, minimumPixels, passes, muWater, pixelMm, signal, device }),
  );
  const { changed, geometry } = corrected;
  const metalSlices = changed.filter(Boolean).length;
  const warnings = [...source.warnings];
  if (metalSlices === 0) warnings.push(`No metal was found at or above ${metalHu} HU, so nothing is changed.`);
  const derivation = derivationOf({ method, metalHu, minimumPixels, passes, muWater: corrected.muWater });
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
