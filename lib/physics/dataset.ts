/**
 * Thousands of simulated scans in a folder: one .npz per slice, `dataset.json` that says what they are made from, `manifest.ndjson` with
 * a line per slice. Slices appear whole or not at all; what is there is left out when the same call is made again with `resume`.
 *
 *     DIR/dataset.json      geometry, physics, seed, sources, names of the arrays
 *     DIR/slices/000042.npz sinogram, image; with metal cleanSinogram, trace, mask; with a fraction of the dose fullDoseSinogram
 *     DIR/manifest.ndjson   written when all is done; until then lines are added to journal.ndjson
 */
import { createHash } from "node:crypto";
import { appendFile, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ArrayLike, checkArray, type TypedArray, volume } from "../core/arrays.ts";
import { fileDigest } from "../core/digest.ts";
import { show, sinoError } from "../core/errors.ts";
import { ioError, makeFolder, writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import { writeNpz } from "../data/npz.ts";
import { select, statistics, threshold } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import type { OperationOptions } from "../native/job.ts";
import { packed } from "../native/pack.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { geometryToJson } from "../tomography/geometry-file.ts";
import type { ImageUnit } from "./forward.ts";
import { checkSeed } from "./noise.ts";
import { jsonHash, type Physics, physicsHash, physicsToJson } from "./physics.ts";
import { type SimulatedScan, simulateScan } from "./scan.ts";

/** Slices that are read together, when the first of them is needed: an array file, a series. */
export interface DatasetSource {
  /** For manifests: a path, with the series where there are several. */
  name: string;
  slices: number;
  /** [slice, row, column] or [row, column]. */
  read(): Promise<ArrayLike>;
}

export interface SimulateDatasetOptions extends OperationOptions {
  /** Where to write; new or empty, or with `resume` begun by the same call. */
  folder: string;
  geometry: Geometry;
  physics: Physics;
  seed: number;
  /** Metal, [rows, columns] or [masks, rows, columns]: slice i gets mask i modulo their number. On the grid of the slices or of the geometry. */
  metalMask?: ArrayLike | undefined;
  unit?: ImageUnit | undefined;
  /** Go on with what an interrupted call left; default false. */
  resume?: boolean | undefined;
  /** Slices simulated in one call; default 4. */
  slicesAtOnce?: number | undefined;
}

export interface ManifestLine {
  index: number;
  /** Below the folder. */
  file: string;
  bytes: number;
  sha256: string;
  source: string;
  /** Within the source. */
  slice: number;
  /** Index of the metal mask and its pixels. */
  mask?: { index: number; pixels: number };
  seed: number;
  geometry: string;
  physics: string;
}

export interface DatasetReport {
  folder: string;
  slices: number;
  /** Of them, those that were there already. */
  resumed: number;
  geometry: string;
  physics: string;
}

const datasetPath = (folder: string) => join(folder, "dataset.json");
const manifestPath = (folder: string) => join(folder, "manifest.ndjson");
const journalPath = (folder: string) => join(folder, "journal.ndjson");
const fileOf = (index: number) => `slices/${String(index).padStart(6, "0")}.npz`;

/** Lines of a manifest or journal by index; a last line that was torn off proves nothing. */
async function readLines(path: string): Promise<ManifestLine[]> {
  const text = await readFile(path, "utf8").catch((error) => {
    if (error.code === "ENOENT") return "";
    throw ioError("read", path, error);
  });
  return text.split("\n").flatMap((line) => {
    try {
      return line ? [JSON.parse(line) as ManifestLine] : [];
    } catch {
      return [];
    }
  });
}

/** The first field in which two descriptions differ. */
function difference(a: Record<string, unknown>, b: Record<string, unknown>): string | undefined {
  return Object.keys({ ...a, ...b }).find((key) => jsonHash([a[key] ?? null]) !== jsonHash([b[key] ?? null]));
}

/** Begins a folder, or finds what it has. Throws ERR_SINO_IO where it holds anything else. */
async function openFolder(folder: string, description: Record<string, unknown>, resume: boolean) {
  const names = await readdir(folder).catch((error) => {
    if (error.code === "ENOENT") return [] as string[];
    throw ioError("read", folder, error);
  });
  const refuse = (why: string) =>
    sinoError("ERR_SINO_IO", `Cannot write ${folder}: ${why}`, { details: { path: folder } });
  const done = new Map<number, ManifestLine>();
  const text = await readFile(datasetPath(folder), "utf8").catch(() => undefined);
  if (text === undefined) {
    if (names.some((name) => !name.startsWith(".")))
      throw refuse("the folder is not empty and holds no dataset. Choose another one.");
    await makeFolder(join(folder, "slices"));
    await writeFileAtomic(
      datasetPath(folder),
      `${JSON.stringify({ software: "sinogram", version, ...description }, null, 2)}\n`,
    );
    return done;
  }
  if (!resume)
    throw refuse("a dataset is there already. Add --resume (resume: true) to go on with it, or choose another folder.");
  let earlier: Record<string, unknown>;
  try {
    const { software: _software, version: _version, ...rest } = JSON.parse(text) as Record<string, unknown>;
    earlier = rest;
  } catch (error) {
    throw sinoError("ERR_SINO_IO_FORMAT", `${datasetPath(folder)} is damaged: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  const field = difference(earlier, description);
  if (field)
    throw refuse(
      `its dataset was begun with another ${field}. Repeat the call that began it, or choose another folder.`,
    );
  for (const line of [...(await readLines(manifestPath(folder))), ...(await readLines(journalPath(folder)))]) {
    const found = await stat(join(folder, line.file)).catch(() => undefined);
    if (found?.size === line.bytes) done.set(line.index, line);
  }
  return done;
}

/** The mask as [mask, row, column] on the grid of the image, or finer; one of another grid is resampled at half level. */
async function masksOnGrid(mask: ArrayLike, [rows, columns]: readonly [number, number], job: OperationOptions) {
  checkArray(mask, "metalMask", [2, 3]);
  const [height, width] = mask.shape.slice(-2) as [number, number];
  const fits = height % rows === 0 && height / rows === width / columns;
  const on = fits
    ? mask
    : await threshold(
        await resample(await select(mask, 1, 0, job), { ...job, shape: [rows, columns], method: "linear" }),
        0.5,
        job,
      );
  const flat = await threshold(await select(on, 1, 0, job), 0.5, job);
  const shape = flat.shape.slice(-2) as [number, number];
  const size = shape[0] * shape[1];
  return Array.from({ length: flat.data.length / size }, (_, i) =>
    volume(flat.data.subarray(i * size, (i + 1) * size), shape),
  );
}

/** Slices first … first + count of a source, as float32 on the geometry's grid. */
async function slicesOf(images: ArrayLike, first: number, count: number, geometry: Geometry, job: OperationOptions) {
  const [rows, columns] = images.shape.slice(-2) as [number, number];
  const stride = images.stride ?? (images.shape.length === 3 ? [rows * columns, columns, 1] : [columns, 1]);
  const [step, ...inner] = images.shape.length === 3 ? stride : [0, ...stride];
  const part = {
    data: images.data as TypedArray,
    shape: [count, rows, columns],
    stride: [step!, ...inner],
    offset: (images.offset ?? 0) + first * step!,
  };
  const taken = { data: await packed(part, job), shape: part.shape };
  const [wanted, across] = geometry.image.shape;
  if (rows === wanted && columns === across) return taken;
  const method = rows > wanted && columns > across ? "area" : "linear";
  return resample(taken, { ...job, shape: geometry.image.shape, method });
}

/** Arrays of slice i of a scan of several. */
function arraysOf(scan: SimulatedScan, i: number, mask: ArrayLike | undefined): Record<string, ArrayLike> {
  const { sinogram, cleanSinogram, fullDoseSinogram, trace, image } = scan;
  const one = (all: ArrayLike): ArrayLike => {
    const size = all.shape[1]! * all.shape[2]!;
    return { data: all.data.subarray(i * size, (i + 1) * size), shape: all.shape.slice(1) };
  };
  return {
    sinogram: one(sinogram),
    ...(cleanSinogram ? { cleanSinogram: one(cleanSinogram) } : {}),
    ...(fullDoseSinogram ? { fullDoseSinogram: one(fullDoseSinogram) } : {}),
    ...(trace ? { trace: one(trace) } : {}),
    image: one(image),
    ...(mask ? { mask } : {}),
  };
}

/** Several masks of one shape as one array. */
function stacked(masks: readonly ArrayLike[]): ArrayLike {
  const size = masks[0]!.data.length;
  const data = new Uint8Array(masks.length * size);
  for (const [i, mask] of masks.entries()) data.set(mask.data, i * size);
  return { data, shape: [masks.length, ...masks[0]!.shape] };
}

/**
 * Simulates every slice of the sources into a folder. Slice i of all draws the noise that `simulateScan` draws for `firstSlice: i`, so
 * results depend on the call alone and not on interruptions. Slices of another grid than the geometry's are resampled (averaged where they
 * are larger). Throws what simulateScan throws; ERR_SINO_IO for a folder that holds something else; `signal.reason`.
 *
 * @example
 * const sources = [{ name: "series", slices: hu.shape[0]!, read: async () => hu }];
 * await simulateDataset(sources, { folder: "pairs", geometry, physics, metalMask, seed: 1, resume: true });
 */
export async function simulateDataset(
  sources: readonly DatasetSource[],
  options: SimulateDatasetOptions,
): Promise<DatasetReport> {
  const {
    folder,
    geometry,
    physics,
    unit = "hu",
    resume = false,
    slicesAtOnce = 4,
    signal,
    onProgress,
    device,
  } = options;
  const job = { signal, device };
  const seed = checkSeed(options.seed);
  if (!Number.isSafeInteger(slicesAtOnce) || slicesAtOnce < 1)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a positive integer for slicesAtOnce but received ${show(slicesAtOnce)}.`,
    );
  const masks = options.metalMask ? await masksOnGrid(options.metalMask, geometry.image.shape, job) : [];
  const pixels: number[] = [];
  for (const mask of masks) pixels.push((await statistics(await select(mask, 1, 0, job), job)).sum);
  if (masks.length > 0 && !pixels.some((count) => count > 0))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      "The metal mask has no pixel that is not 0: there is no metal. Leave it out.",
    );
  const hashes = { geometry: jsonHash(geometryToJson(geometry)), physics: physicsHash(physics) };
  const masksHash = createHash("sha256");
  for (const mask of masks) masksHash.update(mask.data);
  const total = sources.reduce((sum, { slices }) => sum + slices, 0);
  const done = await openFolder(
    folder,
    {
      slices: total,
      seed,
      unit,
      hashes,
      ...(masks.length > 0 ? { masks: { count: masks.length, sha256: masksHash.digest("hex") } } : {}),
      sources: sources.map(({ name, slices }) => ({ name, slices })),
      physics: physicsToJson(physics),
      geometry: geometryToJson(geometry),
    },
    resume,
  );
  const resumed = done.size;
  onProgress?.({ phase: "simulate", done: resumed, total });

  let before = 0;
  for (const source of sources) {
    const isDone = (k: number) => done.has(before + k);
    let images: ArrayLike | undefined;
    // groups begin where they begin without an interruption too, so that their results have the same bits
    for (let first = 0; first < source.slices; first += slicesAtOnce) {
      signal?.throwIfAborted();
      const count = Math.min(slicesAtOnce, source.slices - first);
      const indices = Array.from({ length: count }, (_, i) => before + first + i);
      if (indices.every((_, i) => isDone(first + i))) continue;
      images ??= await source.read();
      requireSlices(images, source);
      const chosen = indices.flatMap((index) => (masks.length > 0 ? [masks[index % masks.length]!] : []));
      const scan = await simulateScan(await slicesOf(images, first, count, geometry, job), {
        ...job,
        geometry,
        physics,
        seed,
        unit,
        firstSlice: before + first,
        ...(chosen.length > 0 ? { metalMask: masks.length === 1 ? chosen[0]! : stacked(chosen) } : {}),
      });
      for (const [i, index] of indices.entries()) {
        if (done.has(index)) continue;
        const file = fileOf(index);
        await writeNpz(join(folder, file), arraysOf(scan, i, chosen[i]));
        const line: ManifestLine = {
          index,
          file,
          ...(await fileDigest(join(folder, file))),
          source: source.name,
          slice: first + i,
          ...(masks.length > 0 ? { mask: { index: index % masks.length, pixels: pixels[index % masks.length]! } } : {}),
          seed,
          ...hashes,
        };
        await appendFile(journalPath(folder), `${JSON.stringify(line)}\n`).catch((error) => {
          throw ioError("write", journalPath(folder), error);
        });
        done.set(index, line);
        onProgress?.({ phase: "simulate", done: done.size, total });
      }
    }
    before += source.slices;
  }
  const lines = [...done.values()].sort((a, b) => a.index - b.index).map((line) => JSON.stringify(line));
  await writeFileAtomic(manifestPath(folder), `${lines.join("\n")}\n`);
  await rm(journalPath(folder), { force: true });
  return { folder, slices: total, resumed, ...hashes };
}

function requireSlices({ shape }: ArrayLike, { name, slices }: DatasetSource): void {
  const found = shape.length === 2 ? 1 : shape.length === 3 ? shape[0] : undefined;
  if (found !== slices)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected ${slices} slices [slice, row, column] in ${name} but found an array of shape ${show([...shape])}.`,
    );
}
