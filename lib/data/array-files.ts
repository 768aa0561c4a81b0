/**
 * One way in and out for arrays in files, by extension: .npy, .npz, .nii, .nii.gz, .hdr/.img, .h5, .mat, .raw, .png, .tif.
 * A spec is a path, followed where the format holds several arrays by ":" and which one is meant:
 * "scan.npz:image", "scan.h5:/exchange/data", "scan.mat:sample.image", "scan.raw:1000x900:f32".
 */
import { type ArrayLike, checkArray, type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { isStoredType, rowMajorData, type StoredType, typeOf } from "./elements.ts";
import { readHdf5, readMat73Array } from "./hdf5.ts";
import { isMat73, readMatArray } from "./mat5.ts";
import { type Affine, type NiftiHeader, readNifti, writeNifti } from "./nifti.ts";
import { readNpy, writeNpy } from "./npy.ts";
import { readNpz, writeNpz } from "./npz.ts";
import { readPng, writePng } from "./png.ts";
import { readRaw, writeRaw } from "./raw.ts";
import type { FileReading } from "./source.ts";
import { readTiff } from "./tiff.ts";

export type ArrayFormat = "npy" | "npz" | "nifti" | "hdf5" | "mat" | "raw" | "png" | "tiff";

export interface ArrayMeta {
  path: string;
  format: ArrayFormat;
  /** The element type in the file. */
  dtype: StoredType;
  /** Which of the arrays in the file this is, for .npz, .h5 and .mat. */
  key?: string;
  /** Per dimension of the array, mm in space and s in time, where the format says so (NIfTI). */
  spacing?: number[];
  /** Voxel indices, last first, to mm, where the format says so (NIfTI). */
  affine?: Affine;
  /** Hand it to writeArray so that the result keeps the place and the header of its source. */
  header?: NiftiHeader;
}

export interface LoadedArray {
  array: Volume<TypedArray>;
  meta: ArrayMeta;
}

export interface ReadArrayOptions {
  /** For .raw where the spec does not say it. */
  shape?: readonly number[];
  /** For .raw where the spec does not say it; default "float32". */
  dtype?: StoredType;
  /** For .raw where the spec does not say it; default true. */
  littleEndian?: boolean;
  /** For .png: HU = stored − 32768, as in DeepLesion; default false. */
  deepLesion?: boolean;
  /** For .npy and .raw: where the elements go, and who sees the bytes of the file pass. */
  reading?: FileReading;
}

export interface WriteArrayOptions {
  /** For .npz where the spec does not say it; default "array". */
  key?: string;
  /** For .npz: deflate; default false. */
  compress?: boolean;
  /** For NIfTI: per dimension of the array, mm and s. */
  spacing?: readonly number[];
  /** For NIfTI. */
  affine?: Affine;
  /** For NIfTI: the header of the image that this one comes from. */
  header?: NiftiHeader;
  /** For .png: stores HU + 32768 in 16 bits; default false. */
  deepLesion?: boolean;
}

const formats: Readonly<Record<string, ArrayFormat>> = {
  npy: "npy",
  npz: "npz",
  nii: "nifti",
  "nii.gz": "nifti",
  hdr: "nifti",
  img: "nifti",
  h5: "hdf5",
  hdf5: "hdf5",
  nxs: "hdf5",
  mat: "mat",
  raw: "raw",
  bin: "raw",
  f32: "raw",
  png: "png",
  tif: "tiff",
  tiff: "tiff",
};
const specPattern = new RegExp(
  `^(.*?[^/\\\\]\\.(${Object.keys(formats)
    .sort((a, b) => b.length - a.length)
    .join("|")
    .replaceAll(".", "\\.")}))(?::(.*))?$`,
  "is",
);

export interface ArraySpec {
  path: string;
  /** Lower case, without the dot: "nii.gz". */
  extension: string;
  format: ArrayFormat;
  /** What follows the ":" after the path. */
  part?: string;
}

/** Splits "scan.npz:image" into its parts. Throws ERR_SINO_UNSUPPORTED for an extension that is not known. */
export function parseArraySpec(spec: string): ArraySpec {
  const [, path, extension, part] = specPattern.exec(spec) ?? [];
  if (path === undefined || extension === undefined)
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `Expected an array file (${Object.keys(formats)
        .map((name) => `.${name}`)
        .join(", ")}) but received ${show(spec)}. DICOM is read as a series.`,
    );
  const known = extension.toLowerCase();
  return { path, extension: known, format: formats[known]!, ...(part ? { part } : {}) };
}

/**
 * Reads an array of any known format, row-major, in the type of the file. Formats and specs: see the top of this file.
 * Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_OUT_OF_MEMORY; ERR_SINO_UNSUPPORTED for unknown extensions and missing
 * optional packages (h5wasm, geotiff); ERR_SINO_SHAPE and ERR_SINO_ARG_TYPE for a .raw spec that says too little.
 *
 *     const { array, meta } = await readArray("scan.raw:1000x900:f32");
 */
export async function readArray(spec: string, options: ReadArrayOptions = {}): Promise<LoadedArray> {
  const { path, format, part } = parseArraySpec(spec);
  const meta = { path, format };
  switch (format) {
    case "npy": {
      noPart(spec, part);
      const { array, dtype } = await readNpy(path, options.reading);
      return { array, meta: { ...meta, dtype } };
    }
    case "npz": {
      const { array, dtype, key } = await readNpz(path, part);
      return { array, meta: { ...meta, dtype, key } };
    }
    case "hdf5": {
      const { array, dtype, key } = await readHdf5(path, part);
      return { array, meta: { ...meta, dtype, key } };
    }
    case "mat": {
      const { array, key } = (await isMat73(path)) ? await readMat73Array(path, part) : await readMatArray(path, part);
      return { array, meta: { ...meta, dtype: typeOf(array.data), key } };
    }
    case "nifti": {
      noPart(spec, part);
      const { array, dtype, spacing, affine, header } = await readNifti(path);
      return { array, meta: { ...meta, dtype, spacing, affine, header } };
    }
    case "png": {
      noPart(spec, part);
      const { array } = await readPng(path, { deepLesion: options.deepLesion ?? false });
      return { array, meta: { ...meta, dtype: typeOf(array.data) } };
    }
    case "tiff": {
      noPart(spec, part);
      const { array, dtype } = await readTiff(path);
      return { array, meta: { ...meta, dtype } };
    }
    case "raw": {
      const layout = rawLayout(spec, part, options);
      return { array: await readRaw(path, layout, options.reading), meta: { ...meta, dtype: layout.dtype } };
    }
  }
}

function noPart(spec: string, part: string | undefined): void {
  if (part !== undefined)
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected a path alone, as this format holds one array, but received ${show(spec)}.`,
    );
}

const shortTypes: Readonly<Record<string, StoredType>> = {
  i8: "int8",
  u8: "uint8",
  i16: "int16",
  u16: "uint16",
  i32: "int32",
  u32: "uint32",
  i64: "int64",
  u64: "uint64",
  f16: "float16",
  f32: "float32",
  f64: "float64",
};

/** "1000x900:f32": sizes, slowest first, then a type, which "be" or "le" may follow. */
function rawLayout(spec: string, part: string | undefined, options: ReadArrayOptions) {
  const [sizes, type] = (part ?? "").split(":");
  const shape = sizes ? sizes.split(/[x×,]/i).map(Number) : options.shape;
  if (!shape?.length || !shape.every((n) => Number.isSafeInteger(n) && n > 0))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected the shape of a headerless file, as in "scan.raw:1000x900:f32", but received ${show(spec)}.`,
    );
  const [, name = "", order] = /^(.*?)(be|le)?$/.exec(type ?? "")!;
  const dtype = isStoredType(name) ? name : Object.hasOwn(shortTypes, name) ? shortTypes[name]! : undefined;
  if (type && !dtype)
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected one of ${Object.keys(shortTypes).join(", ")}, with "be" after it for big-endian, in ${show(spec)} but found ${show(type)}.`,
    );
  return {
    shape,
    dtype: dtype ?? options.dtype ?? ("float32" as const),
    littleEndian: order ? order === "le" : (options.littleEndian ?? true),
  };
}

/**
 * Writes an array in the format that the extension asks for, atomically: .npy, .npz (or "out.npz:key"), .nii, .nii.gz,
 * .raw and .bin (elements as they are, little-endian), .f32 (converted to float32), .png.
 * Throws ERR_SINO_IO, ERR_SINO_ARG_TYPE, ERR_SINO_SHAPE, and ERR_SINO_UNSUPPORTED for formats that are only read.
 */
export async function writeArray(spec: string, array: ArrayLike, options: WriteArrayOptions = {}): Promise<void> {
  const { path, extension, format, part } = parseArraySpec(spec);
  checkArray(array, "array");
  if (format !== "npz") noPart(spec, part);
  switch (format) {
    case "npy":
      return writeNpy(path, array);
    case "npz":
      return writeNpz(path, { [part ?? options.key ?? "array"]: array }, { compress: options.compress ?? false });
    case "nifti": {
      const { spacing, affine, header } = options;
      return writeNifti(path, array, {
        ...(spacing && { spacing }),
        ...(affine && { affine }),
        ...(header && { header }),
      });
    }
    case "png":
      return writePng(path, array, { deepLesion: options.deepLesion ?? false });
    case "raw":
      return writeRaw(path, extension === "f32" ? toFloat32(array) : array);
    default:
      throw sinoError(
        "ERR_SINO_UNSUPPORTED",
        `Cannot write ${path}: .${extension} files are only read. Write .npy, .npz, .nii, .nii.gz, .raw or .png.`,
      );
  }
}

/** The values as float32, row-major and contiguous: the array's own data where they already are. */
export function toFloat32(array: ArrayLike): Volume {
  const data = rowMajorData(array);
  const isReady = data instanceof Float32Array && data.buffer instanceof ArrayBuffer;
  return volume(isReady ? (data as Float32Array<ArrayBuffer>) : new Float32Array(data), array.shape);
}
