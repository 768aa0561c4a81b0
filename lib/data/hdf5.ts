/**
 * HDF5 datasets of numbers, through the optional package h5wasm; MATLAB 7.3 files and the DataExchange layout on top.
 * Reading is done in pieces of at most 64 MiB, so that neither the memory of the wasm module nor the event loop suffers.
 */
import { resolve } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import type { Dataset, File } from "h5wasm/node";
import { sizeOf, type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { isCodedError, show, sinoError } from "../core/errors.ts";
import { bytesPerElement, decodeElements, rowMajorFromColumnMajor, type StoredType } from "./elements.ts";
import { importOptional } from "./optional.ts";
import { allocate, checkedByteLength, deflateLimit, formatError, withFile } from "./source.ts";

export interface Hdf5Array {
  array: Volume<TypedArray>;
  dtype: StoredType;
  /** Absolute path of the dataset in the file. */
  key: string;
}

export interface Hdf5Entry {
  key: string;
  shape: number[];
  /** undefined where the elements are no real numbers. */
  dtype: StoredType | undefined;
}

/** First and one past the last index along an axis; undefined takes all of it. */
export type Range = readonly [start: number, stop: number] | undefined;

const pieceBytes = 2 ** 26;
const [integerClass, floatClass, enumClass] = [0, 1, 8];

type Module = Awaited<typeof import("h5wasm/node")["ready"]>;

interface OpenFile {
  path: string;
  file: File;
  module: Module;
  length: number;
}

async function withHdf5<T>(path: string, use: (open: OpenFile) => Promise<T>): Promise<T> {
  const length = await checkSignature(path);
  const h5wasm = await importOptional("h5wasm", "Reading HDF5", () => import("h5wasm/node"));
  const module = await h5wasm.ready;
  // Without this, failures are printed to stderr and a failed read gives whatever was in memory.
  module.activate_throwing_error_handler();
  let file: File | undefined;
  try {
    file = new h5wasm.File(resolve(path), "r");
    return await use({ path, file, module, length });
  } catch (error) {
    throw isCodedError(error) ? error : formatError(path, `the HDF5 library says: ${reasonOf(error)}.`, {}, error);
  } finally {
    try {
      file?.close();
    } catch {
      // The file is read-only, and what made it fail to close has been thrown already or does not matter.
    }
  }
}

/** The superblock may be at 0, 512, 1024, …; looking here keeps wrong files away from the library. Returns the file's length. */
async function checkSignature(path: string): Promise<number> {
  return withFile(path, async (source) => {
    for (let at = 0; at + 8 <= source.length; at = at === 0 ? 512 : at * 2) {
      const bytes = Buffer.from(await source.read(at, 8, "a signature"));
      if (bytes.toString("latin1") === "\x89HDF\r\n\x1a\n") return source.length;
    }
    throw formatError(path, "expected an HDF5 file but found no HDF5 signature in it.");
  });
}

/** The innermost of the nested reasons that the HDF5 library gives. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const reasons = [...message.matchAll(/ in \w+\(\): (.*)$/gm)].map((match) => match[1]!);
  return (reasons.at(-1) ?? message.split("\n")[0]!).replace(/\.+$/, "");
}

function typeOfDataset({ metadata }: Dataset): StoredType | undefined {
  const { type, size, signed, enum_type: enumType } = metadata;
  if (type === floatClass) return ({ 2: "float16", 4: "float32", 8: "float64" } as const)[size];
  const isBool =
    type === enumClass && enumType?.nmembers === 2 && enumType.members["FALSE"] === 0 && enumType.members["TRUE"] === 1;
  if (isBool && size === 1) return "bool";
  if (type !== integerClass && type !== enumClass) return undefined;
  const name = `${signed ? "" : "u"}int${size * 8}`;
  return Object.hasOwn(bytesPerElement, name) ? (name as StoredType) : undefined;
}

function datasetAt({ file }: OpenFile, key: string): Dataset | undefined {
  const found = file.get(key);
  return found !== null && "metadata" in found && "slice" in found ? found : undefined;
}

function listOpen(open: OpenFile): Hdf5Entry[] {
  return open.file.paths().flatMap((path) => {
    const dataset = datasetAt(open, `/${path}`);
    return dataset ? [{ key: `/${path}`, shape: dataset.shape ?? [], dtype: typeOfDataset(dataset) }] : [];
  });
}

/** Lists the datasets of an HDF5 file. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_UNSUPPORTED. */
export function listHdf5(path: string): Promise<Hdf5Entry[]> {
  return withHdf5(path, async (open) => listOpen(open));
}

/**
 * Reads a dataset, or with `ranges` a box of it: only the pieces asked for are read from the file. The key may be left
 * out when the file holds one dataset of numbers. 64-bit integers come as Float64Array where that is exact.
 * Throws ERR_SINO_IO; ERR_SINO_IO_FORMAT, which lists the datasets that exist when the wanted one does not;
 * ERR_SINO_OUT_OF_RANGE for a range that does not fit; ERR_SINO_UNSUPPORTED without h5wasm.
 */
export function readHdf5(
  path: string,
  key?: string,
  { ranges = [] }: { ranges?: readonly Range[] } = {},
): Promise<Hdf5Array> {
  return withHdf5(path, (open) => readDataset(open, key ?? onlyDataset(open), ranges));
}

function onlyDataset(open: OpenFile): string {
  const entries = listOpen(open).filter((entry) => entry.dtype !== undefined);
  if (entries.length === 1) return entries[0]!.key;
  throw noSuchDataset(open, "name one of its datasets");
}

function noSuchDataset(open: OpenFile, request: string): Error {
  const entries = listOpen(open).filter((entry) => entry.dtype !== undefined);
  const list = entries.map(({ key, shape }) => `${key} (${shape.join(" × ") || "one number"})`).join(", ") || "none";
  return formatError(open.path, `${request}; it holds ${list}. Write ${open.path}:/PATH.`, {
    keys: entries.map((e) => e.key),
  });
}

async function readDataset(open: OpenFile, key: string, ranges: readonly Range[] = []): Promise<Hdf5Array> {
  const dataset = datasetAt(open, key);
  if (!dataset) throw noSuchDataset(open, `it has no dataset ${show(key)}`);
  const name = `${open.path}:${key}`;
  const dtype = typeOfDataset(dataset);
  const { shape } = dataset;
  if (!dtype || !shape) throw formatError(name, "expected real numbers but found elements of another kind.");
  const isElsewhere = (dataset.metadata.virtual_sources?.length ?? 0) > 0;
  checkedByteLength(
    name,
    shape,
    bytesPerElement[dtype],
    isElsewhere ? Number.MAX_SAFE_INTEGER : open.length * deflateLimit,
  );
  const start = shape.map((_, axis) => ranges[axis]?.[0] ?? 0);
  const count = shape.map((n, axis) => (ranges[axis]?.[1] ?? n) - start[axis]!);
  for (let axis = 0; axis < shape.length; axis++) {
    const [first, n] = [start[axis]!, count[axis]!];
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(n) || first < 0 || n < 0 || first + n > shape[axis]!)
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `Expected a range within 0 to ${shape[axis]} along axis ${axis} of ${name} but received ${show(ranges[axis])}.`,
        { details: { shape } },
      );
  }
  const bytes = allocate(sizeOf(count) * bytesPerElement[dtype], name);
  let at = 0;
  for (const box of piecesOf({ start, count }, bytesPerElement[dtype], dataset.metadata.chunks)) {
    if (at > 0) await breathe();
    at += readBox(open, key, box, bytes.subarray(at));
  }
  return { array: volume(decodeElements(bytes, dtype, true, name), count), dtype, key };
}

interface Box {
  start: number[];
  count: number[];
}

/** Halves a box along its slowest axis, at chunk borders where there are any, until the pieces are small: they follow each other in memory. */
function* piecesOf(box: Box, elementBytes: number, chunks: readonly number[] | null): Generator<Box> {
  const axis = box.count.findIndex((n) => n > 1);
  if (sizeOf(box.count) === 0) return;
  if (axis < 0 || sizeOf(box.count) * elementBytes <= pieceBytes) {
    yield box;
    return;
  }
  const [first, n, chunk] = [box.start[axis]!, box.count[axis]!, chunks?.[axis] ?? 1];
  const border = Math.round((first + n / 2) / chunk) * chunk - first;
  const half = border > 0 && border < n ? border : Math.ceil(n / 2);
  yield* piecesOf({ start: box.start, count: box.count.with(axis, half) }, elementBytes, chunks);
  yield* piecesOf(
    { start: box.start.with(axis, first + half), count: box.count.with(axis, n - half) },
    elementBytes,
    chunks,
  );
}

/** Copies a box to the start of `target`, little-endian, and returns its bytes. */
function readBox({ file, module, path }: OpenFile, key: string, { start, count }: Box, target: Uint8Array): number {
  const dataset = file.get(key) as Dataset;
  const length = sizeOf(count) * dataset.metadata.size;
  const pointer = module._malloc(length);
  if (pointer === 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_MEMORY",
      `Cannot read ${path}: ${length} bytes of wasm memory are not available.`,
      {
        details: { needed: length, device: "wasm" },
      },
    );
  try {
    const [counts, offsets, steps] = [count.map(BigInt), start.map(BigInt), count.map(() => 1n)];
    const isScalar = count.length === 0;
    const status = isScalar
      ? module.get_dataset_data(file.file_id, key, null, null, null, BigInt(pointer))
      : module.get_dataset_data(file.file_id, key, counts, offsets, steps, BigInt(pointer));
    if (status < 0) throw formatError(path, `the HDF5 library cannot read ${key}.`);
    target.set(module.HEAPU8.subarray(pointer, pointer + length));
  } finally {
    module._free(pointer);
  }
  return length;
}

/**
 * Reads one array of a MATLAB 7.3 file: a variable, or a dotted path into structs. The shape is the one that MATLAB shows,
 * elements row-major, as readMatArray does for version 5. The name may be left out when there is one array.
 * Throws as readHdf5 does.
 */
export function readMat73Array(path: string, variable?: string): Promise<Hdf5Array> {
  return withHdf5(path, async (open) => {
    const key = variable === undefined ? onlyDataset(open) : `/${variable.replaceAll(".", "/")}`;
    const { array, dtype } = await readDataset(open, key);
    const attributes = datasetAt(open, key)!.attrs;
    // An empty MATLAB array is stored as the list of its dimensions.
    const isEmpty = attributes["MATLAB_empty"] !== undefined && Number(attributes["MATLAB_empty"].value) === 1;
    const shape = isEmpty ? Array.from(array.data) : [...array.shape].reverse();
    const data = isEmpty ? array.data.subarray(0, 0) : rowMajorFromColumnMajor(array.data, shape);
    if (sizeOf(shape) !== data.length)
      throw formatError(`${path}:${key}`, `expected dimensions of an empty array but found ${show(shape)}.`);
    return { array: volume(data as TypedArray, shape), dtype, key: key.slice(1).replaceAll("/", ".") };
  });
}

export interface DataExchange {
  /** Counts [view, row, bin], or [view, bin] of one row. */
  data: Volume<TypedArray>;
  /** Open-beam counts, shaped as the data; absent where the file has none. */
  flats?: Volume<TypedArray>;
  /** Counts without beam. */
  darks?: Volume<TypedArray>;
  /** One angle per view, degrees. */
  theta?: Float64Array;
}

/**
 * Reads a synchrotron scan in the DataExchange layout (/exchange/data, data_white, data_dark, theta), all of it or one
 * detector row. Angles are degrees, as the layout says, or converted where their units are radians.
 * Throws as readHdf5 does, and ERR_SINO_OUT_OF_RANGE for a row that does not exist.
 */
export function readDataExchange(path: string, { row }: { row?: number } = {}): Promise<DataExchange> {
  return withHdf5(path, async (open) => {
    const read = async (name: string): Promise<Volume<TypedArray> | undefined> => {
      const key = `/exchange/${name}`;
      if (!datasetAt(open, key)) return undefined;
      const { array } = await readDataset(open, key, row === undefined ? [] : [undefined, [row, row + 1]]);
      if (array.shape.length !== 3)
        throw formatError(`${path}:${key}`, `expected [view, row, bin] but found ${array.shape.length} dimensions.`);
      return row === undefined ? array : volume(array.data, [array.shape[0]!, array.shape[2]!]);
    };
    const data = await read("data");
    if (!data) throw noSuchDataset(open, "expected /exchange/data of the DataExchange layout");
    const [flats, darks] = [await read("data_white"), await read("data_dark")];
    const theta = await readTheta(open, data.shape[0]!);
    return { data, ...(flats && { flats }), ...(darks && { darks }), ...(theta && { theta }) };
  });
}

async function readTheta(open: OpenFile, views: number): Promise<Float64Array | undefined> {
  const key = "/exchange/theta";
  const dataset = datasetAt(open, key);
  if (!dataset) return undefined;
  const { array } = await readDataset(open, key);
  if (array.data.length !== views)
    throw formatError(
      `${open.path}:${key}`,
      `expected one angle for each of ${views} views but found ${array.data.length}.`,
    );
  const units = String(dataset.attrs["units"]?.value ?? "degrees");
  const toDegrees = /rad/i.test(units) ? 180 / Math.PI : 1;
  return Float64Array.from(array.data, (angle) => angle * toDegrees);
}
