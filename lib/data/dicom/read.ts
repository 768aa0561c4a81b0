/** A DICOM series as a float32 volume in HU, with everything needed to write a derived series of it. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Volume, volume } from "../../core/arrays.ts";
import { show, sinoError } from "../../core/errors.ts";
import { allocate } from "../../native/job.ts";
import { rescaleSlices } from "../../native/ops.ts";
import { arrange, type SeriesGeometry } from "./geometry.ts";
import { readStored } from "./pixels.ts";
import { type OnProgress, progressReporter } from "./progress.ts";
import { selectSlices } from "./select.ts";
import { type CtSlice, storedBytes } from "./slice.ts";

export interface ReadSeriesOptions {
  /** Which series, where the path holds several. */
  seriesUid?: string | undefined;
  /** Read images that are not CT too; a missing rescale then counts as slope 1, intercept 0. */
  anyModality?: boolean | undefined;
  /** Where to put the HU: reused memory, which saves a third of the time. At least as long as the volume, which becomes a view of it. */
  buffer?: Float32Array<ArrayBuffer> | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

export interface CtSeries extends Omit<SeriesGeometry, "warnings"> {
  /**
   * HU as [slice, row, column], slices in increasing position along the normal. Padding keeps its value (−1500, −2000,
   * −3024, … HU by vendor; see paddingHu): whoever computes with HU takes everything below −1024 as air.
   */
  readonly volume: Volume;
  readonly seriesUid: string;
  readonly studyUid: string;
  readonly frameOfReferenceUid: string | undefined;
  readonly modality: string;
  readonly description: string;
  readonly seriesNumber: number | undefined;
  readonly kvp: number | undefined;
  /** What a user should know: tilt, uneven gaps, doubled slices, files left out. Sentences. */
  readonly warnings: readonly string[];
}

/** Bytes of stored pixels that are read, then rescaled while the next ones are read; small enough to stay in cache. */
const stageBytes = 4 << 20;
/** Milliseconds of blocking reads between two turns of the event loop. */
const turnMs = 4;

/** HU of the padding pixels of a slice; undefined where the file names none. */
export function paddingHu(slice: CtSlice): number | undefined {
  return slice.padding === undefined ? undefined : slice.padding * slice.slope + slice.intercept;
}

/**
 * Reads one CT series: a folder (searched with its subfolders), one file, or a list of files. Slices may differ in transfer
 * syntax, rescale and bit depth. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT for damaged or unsuitable files, ERR_SINO_SHAPE for
 * mixed sizes, ERR_SINO_OUT_OF_RANGE where `seriesUid` is needed or not there, ERR_SINO_UNSUPPORTED, or `signal.reason`.
 *
 *     const { volume, spacingMm, warnings } = await readSeries("scans/0042");
 */
export async function readSeries(path: string | readonly string[], options: ReadSeriesOptions = {}): Promise<CtSeries> {
  const { buffer, signal, onProgress } = options;
  signal?.throwIfAborted();
  const { slices, warnings } = await selectSlices(path, options);
  const geometry = arrange(slices);
  const first = geometry.slices[0]!;
  const hu = await readVolume(geometry.slices, buffer, signal, onProgress);
  return {
    ...geometry,
    volume: volume(hu, [slices.length, first.rows, first.columns]),
    seriesUid: first.seriesUid,
    studyUid: first.studyUid,
    frameOfReferenceUid: first.frameOfReferenceUid,
    modality: first.modality,
    description: first.description,
    seriesNumber: first.seriesNumber,
    kvp: first.kvp,
    warnings: [...warnings, ...geometry.warnings],
  };
}

/** Consecutive slices stored alike, few enough to share one stage. */
function batches(slices: readonly CtSlice[]): CtSlice[][] {
  const kind = (s: CtSlice) => `${s.bitsAllocated} ${s.bitsStored} ${s.signed}`;
  const result: CtSlice[][] = [];
  for (const slice of slices) {
    const batch = result.at(-1);
    if (batch && kind(batch[0]!) === kind(slice) && (batch.length + 1) * storedBytes(slice) <= stageBytes)
      batch.push(slice);
    else result.push([slice]);
  }
  return result;
}

/** Two stages take turns: while one is rescaled by the native threads, the next batch is read into the other. */
async function readVolume(
  slices: readonly CtSlice[],
  buffer: Float32Array<ArrayBuffer> | undefined,
  signal: AbortSignal | undefined,
  onProgress: OnProgress | undefined,
): Promise<Float32Array<ArrayBuffer>> {
  const pixels = slices[0]!.rows * slices[0]!.columns;
  const hu = buffer ? within(buffer, slices.length * pixels) : allocate(slices.length * pixels);
  const report = progressReporter(onProgress, "read", slices.length);
  const size = Math.max(stageBytes, ...slices.map(storedBytes));
  const stages = [
    new ArrayBuffer(Math.min(size, slices.length * pixels * 4)),
    new ArrayBuffer(Math.min(size, slices.length * pixels * 4)),
  ];
  let rescaling: Promise<unknown> = Promise.resolve();
  let done = 0;
  try {
    for (const [turn, batch] of batches(slices).entries()) {
      const stage = stages[turn % 2]!;
      await readBatch(batch, stage, signal);
      await rescaling;
      rescaling = rescale(batch, stage, hu.subarray(done * pixels, (done + batch.length) * pixels), signal);
      rescaling.catch(() => undefined); // awaited below, whatever happens between
      done += batch.length;
      if (done < slices.length) report(done);
    }
    await rescaling;
    report(done);
    return hu;
  } finally {
    await rescaling.catch(() => undefined); // the native job borrows the stage and the volume
  }
}

function within(buffer: unknown, length: number): Float32Array<ArrayBuffer> {
  if (!(buffer instanceof Float32Array) || buffer.length < length)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a Float32Array of at least ${length} elements for buffer but received ${show(buffer)}.`,
      { details: { needed: length } },
    );
  return (buffer as Float32Array<ArrayBuffer>).subarray(0, length);
}

async function readBatch(batch: readonly CtSlice[], stage: ArrayBuffer, signal?: AbortSignal): Promise<void> {
  let turn = performance.now();
  const decoding: Promise<void>[] = [];
  for (const [i, slice] of batch.entries()) {
    const bytes = storedBytes(slice);
    const pending = readStored(slice, new Uint8Array(stage, i * bytes, bytes));
    pending?.catch(() => undefined); // awaited below, whatever the next slices do
    if (pending) decoding.push(pending);
    if (performance.now() - turn < turnMs) continue;
    await nextTurn();
    signal?.throwIfAborted();
    turn = performance.now();
  }
  await Promise.all(decoding);
  await nextTurn();
  signal?.throwIfAborted();
}

function rescale(
  batch: readonly CtSlice[],
  stage: ArrayBuffer,
  out: Float32Array<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<unknown> {
  const slopes = Float64Array.from(batch, (s) => s.slope);
  const intercepts = Float64Array.from(batch, (s) => s.intercept);
  const { bitsStored } = batch[0]!;
  return rescaleSlices(storedView(batch[0]!, stage, out.length), slopes, intercepts, { bitsStored, out, signal });
}

function storedView({ bitsAllocated, signed }: CtSlice, stage: ArrayBuffer, length: number) {
  if (bitsAllocated === 8) return signed ? new Int8Array(stage, 0, length) : new Uint8Array(stage, 0, length);
  if (bitsAllocated === 16) return signed ? new Int16Array(stage, 0, length) : new Uint16Array(stage, 0, length);
  return signed ? new Int32Array(stage, 0, length) : new Uint32Array(stage, 0, length);
}
