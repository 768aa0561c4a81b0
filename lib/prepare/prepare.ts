/**
 * Slices of many patients as arrays to train on: windowed, without metal, of one size, split by patient, one .npy per
 * split and a manifest. Series are read a few slices at a time, array files whole.
 *
 *     DIR/train.npy, validation.npy, test.npy   [n, size, size], HU as int16, or float32 in [−1, 1] where `scaled`
 *     DIR/manifest.json                         what they are made from, what was left out and why, licence, SHA-256
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { fileDigest, sha256 } from "../core/digest.ts";
import { show, sinoError } from "../core/errors.ts";
import { makeFolder, writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import { NpyAppender } from "../data/npy.ts";
import { removeSmallComponents } from "../image/components.ts";
import { floats } from "../image/input.ts";
import { combine, countNonFinite, statistics, threshold } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import type { OperationOptions } from "../native/job.ts";
import { storeSlices } from "../native/ops.ts";
import { findSources, type SliceSource, type SourceOptions } from "./sources.ts";
import { checkShares, pseudonym, type SplitName, splitNames, splitOf } from "./split.ts";

export interface PrepareOptions extends OperationOptions, SourceOptions {
  /** Where to write: a new or empty folder. */
  folder: string;
  /** Rows and columns of the slices; default as they are, which must then be the same for all. */
  size?: number | undefined;
  /** HU are clipped to this; it becomes [−1, 1]. Default [−1000, 2000]. */
  window?: readonly [low: number, high: number] | undefined;
  /** Write [−1, 1] instead of HU; default false. */
  scaled?: boolean | undefined;
  /** From which HU on a pixel is metal; default 2500. */
  metalHu?: number | undefined;
  /** A slice with a part of so many pixels of metal is left out; default 12. */
  metalPixels?: number | undefined;
  /** Shares of train, validation and test; default what DeepLesion's CSV says, else [0.9, 0.05, 0.05]. */
  shares?: readonly [number, number, number] | undefined;
  /** Of the split; default 0. */
  seed?: number | undefined;
  /** Under what terms the slices may be used, for the manifest. */
  licence?: string | undefined;
}

export interface PreparedSource {
  readonly name: string;
  /** A hash that stands for the patient. */
  readonly patient: string;
  readonly split: SplitName;
  /** SHA-256 of its files' SHA-256. */
  readonly sha256: string;
  readonly slices: number;
  /** Its first slice in the split's file, and how many are there. */
  readonly first: number;
  readonly kept: number;
  /** Slices left out for their metal, and because next to nothing is on them. */
  readonly metal: readonly number[];
  readonly empty: readonly number[];
}

export interface PrepareReport {
  readonly folder: string;
  readonly slices: number;
  readonly kept: number;
  readonly metal: number;
  readonly empty: number;
  readonly splits: Readonly<Partial<Record<SplitName, number>>>;
}

/** A slice with a smaller share of its pixels above −500 HU shows nothing. */
const leastBody = 0.01;

/**
 * Prepares all slices of files and folders. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_SHAPE (slices that are not
 * square, or of several sizes without `size`), ERR_SINO_OUT_OF_RANGE (NaN, shares, a window the wrong way round), or
 * `signal.reason`.
 *
 * @example
 * await prepareSlices(["scans"], { folder: "data", size: 416, licence: "CC BY 4.0" });
 */
export async function prepareSlices(inputs: readonly string[], options: PrepareOptions): Promise<PrepareReport> {
  const run = new Preparation(options);
  const sources = await findSources(inputs, options);
  await makeFolder(options.folder);
  try {
    for (const [i, source] of sources.entries()) {
      await run.add(source);
      options.onProgress?.({ phase: "prepare", done: i + 1, total: sources.length });
    }
    await run.close();
    return await run.finish();
  } catch (error) {
    await run.discard();
    throw error;
  }
}

class Preparation {
  readonly #options: PrepareOptions;
  readonly #job: OperationOptions;
  readonly #window: readonly [number, number];
  readonly #shares: readonly [number, number, number];
  readonly #files = new Map<SplitName, NpyAppender>();
  readonly #sources: PreparedSource[] = [];
  #size: number | undefined;

  constructor(options: PrepareOptions) {
    const { window = [-1000, 2000], shares = [0.9, 0.05, 0.05], size } = options;
    checkShares(shares);
    if (!(window[0] < window[1]))
      throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a window [low, high] but received ${show([...window])}.`);
    if (size !== undefined && !(Number.isSafeInteger(size) && size > 0))
      throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a positive integer for size but received ${show(size)}.`);
    this.#options = options;
    this.#job = { signal: options.signal, device: options.device };
    this.#window = window;
    this.#shares = shares;
    this.#size = size;
  }

  async add(source: SliceSource): Promise<void> {
    const { shares, seed = 0, signal } = this.#options;
    const split = (!shares && source.split) || splitOf(source.patient, this.#shares, seed);
    const before = this.#files.get(split)?.count ?? 0;
    const [metal, empty]: [number[], number[]] = [[], []];
    let slices = 0;
    for await (const piece of source.pieces(signal)) {
      signal?.throwIfAborted();
      const images = await this.#checked(piece, source.name);
      for (let i = 0; i < images.shape[0]!; i++, slices++) {
        const image = sliceAt(images, i);
        if (await this.#hasMetal(image)) metal.push(slices);
        else if (await this.#isEmpty(image)) empty.push(slices);
        else await this.#write(split, image);
      }
    }
    const digests: string[] = [];
    for (const file of source.files) digests.push((await fileDigest(file, signal)).sha256);
    this.#sources.push({
      name: source.name,
      patient: pseudonym(source.patient),
      split,
      sha256: sha256(digests.join("")),
      slices,
      first: before,
      kept: slices - metal.length - empty.length,
      metal,
      empty,
    });
  }

  /** A piece as float32 [slice, row, column]. */
  async #checked(piece: ArrayLike, name: string): Promise<Volume> {
    const [rows, columns] = piece.shape.slice(-2) as [number, number];
    if (rows !== columns)
      throw sinoError(
        "ERR_SINO_SHAPE",
        `Expected square slices but ${name} has ${rows} × ${columns}. Crop or pad them first.`,
        { details: { source: name, shape: piece.shape } },
      );
    this.#size ??= rows;
    if (this.#options.size === undefined && rows !== this.#size)
      throw sinoError(
        "ERR_SINO_SHAPE",
        `Expected slices of one size but ${name} has ${rows}² and earlier ones ${this.#size}². Say which size all shall have.`,
        { details: { source: name, shape: piece.shape } },
      );
    const bad = await countNonFinite(piece, this.#job);
    if (bad > 0)
      throw sinoError("ERR_SINO_OUT_OF_RANGE", `${name} holds ${bad} values that are NaN or infinite.`, {
        details: { source: name, count: bad },
      });
    const data = (await floats(piece, name, this.#job)) as Float32Array<ArrayBuffer>;
    return volume(data, [sizeOf(piece.shape) / (rows * columns), rows, columns]);
  }

  async #hasMetal(image: Volume): Promise<boolean> {
    const { metalHu = 2500, metalPixels = 12 } = this.#options;
    const dense = await threshold(image, metalHu, this.#job);
    return (await statistics(await removeSmallComponents(dense, metalPixels, this.#job), this.#job)).sum > 0;
  }

  async #isEmpty(image: Volume): Promise<boolean> {
    const body = await threshold(image, -500, this.#job);
    return (await statistics(body, this.#job)).sum < leastBody * image.data.length;
  }

  async #write(split: SplitName, image: Volume): Promise<void> {
    const size = this.#size!;
    const rows = image.shape[0]!;
    const method = rows > size ? "area" : "linear";
    const fitted = rows === size ? image : await resample(image, { ...this.#job, shape: [size, size], method });
    const [low, high] = this.#window;
    const { scaled = false } = this.#options;
    const type = scaled ? "float32" : "int16";
    let file = this.#files.get(split);
    if (!file) {
      file = await NpyAppender.open(join(this.#options.folder, `${split}.npy`), type, [size, size]);
      this.#files.set(split, file);
    }
    const clipped = await combine([[1, fitted]], { ...this.#job, low, high });
    if (scaled) {
      const factor = 2 / (high - low);
      await file.append((await combine([[factor, clipped]], { ...this.#job, offset: -1 - low * factor })).data);
      return;
    }
    const one = { signed: true, bitsStored: 16, signal: this.#options.signal };
    await file.append((await storeSlices(clipped.data, Float64Array.of(1), Float64Array.of(0), one)).stored);
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }

  /** Half a split is none. */
  async discard(): Promise<void> {
    for (const file of this.#files.values()) {
      await file.close().catch(() => undefined);
      await rm(file.path, { force: true });
    }
  }

  async finish(): Promise<PrepareReport> {
    const {
      folder,
      licence = "unspecified",
      metalHu = 2500,
      metalPixels = 12,
      seed = 0,
      scaled = false,
    } = this.#options;
    const sum = (f: (source: PreparedSource) => number) => this.#sources.reduce((total, s) => total + f(s), 0);
    const kept = sum((s) => s.kept);
    if (kept === 0)
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `All ${sum((s) => s.slices)} slices have metal or show nothing. Are the values HU? Metal begins at ${metalHu} HU (metalHu).`,
      );
    const splits: Partial<Record<SplitName, object>> = {};
    const counts: Partial<Record<SplitName, number>> = {};
    for (const split of splitNames) {
      const file = this.#files.get(split);
      if (!file) continue;
      counts[split] = file.count;
      splits[split] = { file: `${split}.npy`, slices: file.count, ...(await fileDigest(file.path)) };
    }
    const [low, high] = this.#window;
    const manifest = {
      software: "sinogram",
      version,
      licence,
      size: this.#size,
      window: [low, high],
      unit: scaled ? "window as -1 to 1" : "HU",
      // (HU − offset) · factor is in [−1, 1]: what a training file says of HU
      scale: scaled ? { offset: 0, factor: 1 } : { offset: (low + high) / 2, factor: 2 / (high - low) },
      metal: { hu: metalHu, pixels: metalPixels },
      seed,
      splits,
      sources: this.#sources,
    };
    await writeFileAtomic(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    return {
      folder,
      slices: sum((s) => s.slices),
      kept,
      metal: sum((s) => s.metal.length),
      empty: sum((s) => s.empty.length),
      splits: counts,
    };
  }
}

function sliceAt({ data, shape }: Volume, i: number): Volume {
  const [, rows, columns] = shape as [number, number, number];
  return volume(data.subarray(i * rows * columns, (i + 1) * rows * columns), [rows, columns]);
}
