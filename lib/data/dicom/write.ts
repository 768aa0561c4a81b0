/** A derived series on disk: the source files again, with new pixels and new identity, every other byte as it was. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, realpath, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { checkArray, isContiguous, type Volume } from "../../core/arrays.ts";
import { show, sinoError } from "../../core/errors.ts";
import { ioError, putFolder } from "../../core/files.ts";
import { storeSlices } from "../../native/ops.ts";
import { type Derivation, type DerivedPixels, derivedFile } from "./derive.ts";
import { explicitDataSet } from "./explicit.ts";
import { formatError } from "./failures.ts";
import { storedPixels } from "./pixels.ts";
import { type OnProgress, progressReporter } from "./progress.ts";
import type { CtSeries } from "./read.ts";
import type { CtSlice } from "./slice.ts";
import { tags } from "./tags.ts";
import { canonicalJson, derivedUid } from "./uid.ts";

export interface WriteDerivedOptions extends Derivation {
  /** The folder to make. It must not exist or be empty, unless `overwrite`. */
  readonly out: string;
  /** Slices where this is false keep their stored pixels exactly; default all changed. */
  readonly changed?: readonly boolean[] | undefined;
  /** Replace the numbered .dcm files of an earlier run in `out`; other files there stay. */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface DerivedSeries {
  /** Absolute paths in slice order: 0001.dcm, 0002.dcm, … */
  readonly files: string[];
  readonly seriesUid: string;
  /** Pixels whose HU the stored 16 bits cannot hold. */
  readonly clippedPixels: number;
}

const filesAtATime = Math.max(2, Math.min(8, availableParallelism()));
const ourFile = /^\d{4,}\.dcm$/;

/**
 * Writes `hu` ([slice, row, column], as `series.volume`) as a derived series of `series`: Explicit VR Little Endian, HU stored by
 * each source slice's own slope and intercept, in 16 bits, clipped at their limits and counted. UIDs follow from the source and `configuration`, no
 * clock is read: the same call writes the same bytes. The source files are read again and must still be there.
 * The folder appears complete or not at all. Throws ERR_SINO_IO (a full disk, a folder in use), ERR_SINO_IO_FORMAT,
 * ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, or `signal.reason`.
 */
export async function writeDerivedSeries(
  series: Pick<CtSeries, "slices" | "seriesUid">,
  hu: Volume,
  options: WriteDerivedOptions,
): Promise<DerivedSeries> {
  checkArguments(series, hu, options);
  options.signal?.throwIfAborted();
  const out = resolve(options.out);
  await checkTarget(out, series.slices, options.overwrite ?? false);
  const temporary = join(dirname(out), `.${basename(out)}.${randomBytes(6).toString("hex")}.tmp`);
  const width = Math.max(4, String(series.slices.length).length);
  const names = series.slices.map((_, i) => `${String(i + 1).padStart(width, "0")}.dcm`);
  try {
    await mkdir(dirname(out), { recursive: true });
    await mkdir(temporary);
    const clippedPixels = await writeSlices(series.slices, hu, names, temporary, options);
    await putFolder(temporary, out, ourFile);
    return {
      files: names.map((name) => join(out, name)),
      seriesUid: derivedUid(series.seriesUid, options.configuration),
      clippedPixels,
    };
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw ioError("write", out, error);
  }
}

function checkArguments({ slices }: Pick<CtSeries, "slices">, hu: Volume, options: WriteDerivedOptions): void {
  checkArray(hu, "hu", [3]);
  const first = slices[0];
  const expected = [slices.length, first?.rows ?? 0, first?.columns ?? 0];
  if (slices.length === 0 || hu.shape.some((n, axis) => n !== expected[axis]))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected hu of the series' shape ${show(expected)} but received ${show(hu.shape)}.`,
      {
        details: { expected, shape: hu.shape },
      },
    );
  if (!(hu.data instanceof Float32Array) || !isContiguous(hu))
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected hu as contiguous float32 but received ${show(hu.data)}.`);
  const { changed, description, derivation, configuration, out } = options;
  if (changed && changed.length !== slices.length)
    throw sinoError("ERR_SINO_SHAPE", `Expected ${slices.length} entries in changed but received ${changed.length}.`);
  if (typeof out !== "string" || out === "")
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected a folder for out but received ${show(out)}.`);
  checkText(description, "description", 40);
  checkText(derivation, "derivation", 1024);
  if (typeof configuration !== "object" || configuration === null)
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected an object for configuration but received ${show(configuration)}.`);
  canonicalJson(configuration);
}

/** These texts stand in files of any character set: plain ASCII reads the same in all of them. */
function checkText(text: unknown, name: string, longest: number): void {
  if (typeof text !== "string" || !/^[\x20-\x5b\x5d-\x7e]+$/.test(text) || text.length > longest)
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected 1 to ${longest} ASCII characters without backslash for ${name} but received ${show(text)}.`,
    );
}

async function checkTarget(out: string, slices: readonly CtSlice[], overwrite: boolean): Promise<void> {
  let found: string[];
  try {
    found = await readdir(out);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw ioError("write", out, error);
  }
  if (found.length > 0 && !overwrite)
    throw sinoError(
      "ERR_SINO_IO",
      `Cannot write ${out}: the folder is not empty. Choose another one, or ask to overwrite.`,
      {
        details: { path: out },
      },
    );
  const target = await realpath(out);
  const folders = new Set(slices.map((slice) => dirname(slice.file)));
  for (const folder of folders)
    if ((await realpath(folder).catch(() => folder)) === target)
      throw sinoError("ERR_SINO_IO", `Cannot write ${out}: the source series lies there. Choose another folder.`, {
        details: { path: out },
      });
}

/** Several files at a time; resolves to the number of clipped pixels. */
async function writeSlices(
  slices: readonly CtSlice[],
  hu: Volume,
  names: readonly string[],
  folder: string,
  options: WriteDerivedOptions,
): Promise<number> {
  const { changed, signal, onProgress } = options;
  const report = progressReporter(onProgress, "write", slices.length);
  const state = { next: 0, done: 0, clipped: 0, failed: false };
  const work = async () => {
    while (state.next < slices.length && !state.failed) {
      signal?.throwIfAborted();
      const i = state.next++;
      const slice = slices[i]!;
      const pixels = changed?.[i] === false ? undefined : sliceOf(hu, i);
      const clipped = await writeSlice(slice, pixels, join(folder, names[i]!), options);
      state.clipped += clipped;
      report(++state.done);
    }
  };
  const workers = Array.from({ length: Math.min(filesAtATime, slices.length) }, () =>
    work().catch((error) => {
      state.failed = true;
      throw error;
    }),
  );
  const results = await Promise.allSettled(workers); // all have let go of the folder before it is removed
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return state.clipped;
}

function sliceOf(hu: Volume, index: number): Float32Array<ArrayBuffer> {
  const size = hu.shape[1]! * hu.shape[2]!;
  return hu.data.subarray(hu.offset + index * size, hu.offset + (index + 1) * size);
}

async function writeSlice(
  slice: CtSlice,
  hu: Float32Array<ArrayBuffer> | undefined,
  path: string,
  options: WriteDerivedOptions,
): Promise<number> {
  const bytes = await readFile(slice.file).catch((error) => {
    throw ioError("read", slice.file, error);
  });
  const source = explicitDataSet(slice.file, bytes, slice.transferSyntax);
  if (source.dataSet.string(tags.sopInstanceUid)?.trim() !== slice.sopInstanceUid)
    throw formatError(slice.file, "the file is not the one that the series was read from any more.");
  const { pixels, clipped } = hu
    ? await stored(slice, hu)
    : { pixels: { bytes: await storedPixels(slice) } satisfies DerivedPixels, clipped: 0 };
  await writeSynced(path, derivedFile(source, slice, pixels, options));
  return clipped;
}

/** HU to 16 bits with the sign of the source; where values do not fit, with the other sign if that loses fewer. */
async function stored(
  slice: CtSlice,
  hu: Float32Array<ArrayBuffer>,
): Promise<{ pixels: DerivedPixels; clipped: number }> {
  const slopes = Float64Array.of(slice.slope);
  const intercepts = Float64Array.of(slice.intercept);
  const store = async (signed: boolean) => ({
    signed,
    ...(await storeSlices(hu, slopes, intercepts, { signed, bitsStored: 16 })),
  });
  let best = await store(slice.signed);
  if (best.clipped > 0) {
    const other = await store(!slice.signed);
    if (other.clipped < best.clipped) best = other;
  }
  const { buffer, byteOffset, byteLength } = best.stored;
  return {
    pixels: { bytes: new Uint8Array(buffer, byteOffset, byteLength), encoding: { signed: best.signed } },
    clipped: best.clipped,
  };
}

async function writeSynced(path: string, chunks: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, "wx");
  try {
    const whole = Buffer.concat(chunks);
    for (let at = 0; at < whole.length; ) at += (await file.write(whole, at)).bytesWritten;
    await file.sync();
  } finally {
    await file.close();
  }
}
