/**
 * NIfTI-1 and NIfTI-2 images: .nii, .nii.gz and .hdr/.img pairs, both byte orders.
 * A NIfTI file counts its fastest index first, so an image of nx × ny × nz voxels is an array of shape [nz, ny, nx]
 * here, and a 4-D series [nt, nz, ny, nx]: the elements stay where they are.
 */
import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { type ArrayLike, checkArray, type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { writeFileAtomic } from "../core/files.ts";
import {
  bytesPerElement,
  decodeElements,
  encodeElements,
  rescale,
  rowMajorData,
  type StoredType,
  typeOf,
} from "./elements.ts";
import {
  type Affine,
  asSingleFile,
  clearScaling,
  imageStart,
  type NiftiFields,
  type NiftiHeader,
  newNiftiHeader,
  niftiFields,
  niftiTypes,
  otherNiftiTypes,
  readNiftiHeader,
  setAffine,
  setImage,
} from "./nifti-header.ts";
import { type ByteSource, checkedByteLength, formatError, withMaybeGzip } from "./source.ts";

export type { Affine, NiftiHeader } from "./nifti-header.ts";

export interface NiftiImage {
  /** [nz, ny, nx], [nt, nz, ny, nx], …; RGB and RGBA voxels as a last axis of 3 or 4. */
  array: Volume<TypedArray>;
  /** The element type in the file. */
  dtype: StoredType;
  /** One per NIfTI dimension, in the order of the shape: mm in space, seconds in time. */
  spacing: number[];
  /** From (i, j, k), the last, last but one and last but two index of the array, to mm: sform, else qform, else sizes. */
  affine: Affine;
  description: string;
  /** value = slope · stored + intercept, already applied unless `stored` was asked for. */
  scaling: { slope: number; intercept: number };
  header: NiftiHeader;
}

export interface ReadNiftiOptions {
  /** Gives the stored values without slope and intercept; default false. */
  stored?: boolean;
}

/**
 * Reads a NIfTI image; compression is told by the bytes and not by the name. Slope and intercept are applied, in float32
 * (float64 for 32-bit integers and float64), unless they change nothing or `stored` is set.
 * Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_OUT_OF_MEMORY.
 */
export async function readNifti(path: string, options: ReadNiftiOptions = {}): Promise<NiftiImage> {
  const pair = /^(.*)\.(hdr|img)(\.gz)?$/i.exec(path);
  if (!pair) return withMaybeGzip(path, (source) => readSingle(source, options));
  const [, stem, extension, gz = ""] = pair;
  const isUpper = extension === extension!.toUpperCase();
  const headerPath = `${stem}.${isUpper ? "HDR" : "hdr"}${gz}`;
  const imagePath = `${stem}.${isUpper ? "IMG" : "img"}${gz}`;
  const header = await withMaybeGzip(headerPath, readNiftiHeader);
  const fields = niftiFields(header, headerPath);
  return withMaybeGzip(imagePath, (source) =>
    readImage(source, header, fields, checkedOffset(fields, 0, headerPath), options),
  );
}

async function readSingle(source: ByteSource, options: ReadNiftiOptions): Promise<NiftiImage> {
  const { name } = source;
  const header = await readNiftiHeader(source);
  if (!header.single)
    throw formatError(name, "its header says that the image is in a separate .img file. Rename the header to .hdr.");
  const fields = niftiFields(header, name);
  const start = checkedOffset(fields, imageStart(header.version), name);
  const more = await source.read(header.bytes.length, start - header.bytes.length, "the header extensions");
  const bytes = new Uint8Array(Buffer.concat([header.bytes, more]));
  return readImage(source, { ...header, bytes }, fields, start, options);
}

/** Where the image starts. 0 in a single file means right after the header, as other readers take it. */
function checkedOffset({ voxOffset }: NiftiFields, lowest: number, name: string): number {
  if (voxOffset === 0) return lowest;
  if (Number.isSafeInteger(voxOffset) && voxOffset >= lowest) return voxOffset;
  throw formatError(name, `expected the image to start at byte ${lowest} or later but found vox_offset ${voxOffset}.`, {
    voxOffset,
  });
}

async function readImage(
  source: ByteSource,
  header: NiftiHeader,
  fields: NiftiFields,
  start: number,
  { stored = false }: ReadNiftiOptions,
): Promise<NiftiImage> {
  const { name } = source;
  const kind = niftiTypes.get(fields.datatype);
  if (!kind) {
    const found = otherNiftiTypes.get(fields.datatype) ?? `the unknown datatype ${fields.datatype}`;
    throw formatError(name, `expected voxels of integers, float32, float64 or RGB but found ${found}.`, {
      datatype: fields.datatype,
    });
  }
  const shape = [...fields.dims].reverse();
  if (kind.channels > 1) shape.push(kind.channels);
  const length = checkedByteLength(name, shape, bytesPerElement[kind.type], source.length - start);
  const bytes = await source.read(start, length, "the image");
  const values = decodeElements(bytes, kind.type, header.littleEndian, name);
  const { slope, intercept } = fields;
  const isScaled =
    Number.isFinite(slope) && Number.isFinite(intercept) && slope !== 0 && (slope !== 1 || intercept !== 0);
  return {
    array: volume(isScaled && !stored && kind.channels === 1 ? rescale(values, slope, intercept) : values, shape),
    dtype: kind.type,
    spacing: [...fields.pixdims].reverse(),
    affine: fields.affine,
    description: fields.description,
    scaling: isScaled ? { slope, intercept } : { slope: 1, intercept: 0 },
    header,
  };
}

export interface WriteNiftiOptions {
  /** Keeps this header and its extensions: only size, type and (unless `stored`) slope and intercept are adapted. */
  header?: NiftiHeader;
  /** Voxel sizes in the order of the shape, mm and s; default 1 or the affine's. Ignored with a header. */
  spacing?: readonly number[];
  /** Written as sform and qform; default the header's, or the spacing with its origin at voxel 0. */
  affine?: Affine;
  /** The values are stored ones: the header's slope and intercept stay. Default false. */
  stored?: boolean;
  /** At most 79 characters. */
  description?: string;
  /** gzip level 1 to 9; default 6. Only for paths that end in .gz. */
  level?: number;
}

/**
 * Writes a single-file NIfTI image, compressed where the path ends in .gz, atomically. Without a header: NIfTI-1, or
 * NIfTI-2 for dimensions beyond 32767, little-endian. With the header of an image that was read, and values of the same
 * shape and type, the header comes out byte for byte.
 * Throws ERR_SINO_IO, ERR_SINO_ARG_TYPE, ERR_SINO_SHAPE, ERR_SINO_UNSUPPORTED (paths other than .nii and .nii.gz).
 */
export async function writeNifti(path: string, array: ArrayLike, options: WriteNiftiOptions = {}): Promise<void> {
  if (!/\.nii(\.gz)?$/i.test(path))
    throw sinoError("ERR_SINO_UNSUPPORTED", `Expected a path that ends in .nii or .nii.gz but received ${show(path)}.`);
  checkArray(array, "array");
  if (![undefined, 1, 2, 3, 4, 5, 6, 7, 8, 9].includes(options.level))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected 1 to 9 for level but received ${show(options.level)}.`);
  const data = rowMajorData(array);
  const header = headerFor(array.shape, data, options);
  const image = encodeElements(data, header.littleEndian);
  if (!/\.gz$/i.test(path)) return writeFileAtomic(path, header.bytes, image);
  await writeFileAtomic(path, ...(await gzipped([header.bytes, image], options.level ?? 6)));
}

async function gzipped(chunks: Uint8Array[], level: number): Promise<Uint8Array[]> {
  const stream = createGzip({ level, chunkSize: 2 ** 20 });
  pipeline(Readable.from(chunks), stream, () => undefined);
  const out: Uint8Array[] = [];
  for await (const chunk of stream) out.push(chunk as Buffer);
  return out;
}

function headerFor(shape: readonly number[], data: TypedArray, options: WriteNiftiOptions): NiftiHeader {
  const { header: given, stored = false, affine, description = "" } = options;
  const kept = given && niftiFields(given, "the header");
  // An RGB header keeps its colours when the last axis is still the channels.
  const keptKind = kept && niftiTypes.get(kept.datatype);
  const isColour = keptKind && keptKind.channels > 1 && shape.at(-1) === keptKind.channels && typeOf(data) === "uint8";
  const dims = (isColour ? shape.slice(0, -1) : [...shape]).reverse();
  if (dims.length === 0) dims.push(1);
  const datatype = isColour
    ? kept.datatype
    : [...niftiTypes].find(([, { type, channels }]) => channels === 1 && type === typeOf(data))![0];
  const bitsPerVoxel = data.BYTES_PER_ELEMENT * 8 * (isColour ? keptKind.channels : 1);
  if (!given) {
    const pixdims = [...(options.spacing ?? [])].reverse();
    if (options.spacing && options.spacing.length !== shape.length)
      throw sinoError(
        "ERR_SINO_SHAPE",
        `Expected one spacing per dimension, ${shape.length}, but received ${show(options.spacing)}.`,
      );
    const [dx = 1, dy = 1, dz = 1] = pixdims;
    const fallback = [
      [dx, 0, 0, 0],
      [0, dy, 0, 0],
      [0, 0, dz, 0],
      [0, 0, 0, 1],
    ];
    const checked = affine ? checkedAffine(affine) : fallback;
    return newNiftiHeader({ dims, datatype, bitsPerVoxel, pixdims, affine: checked, description });
  }
  const header = asSingleFile(given);
  const isSame =
    kept!.datatype === datatype && kept!.dims.length === dims.length && kept!.dims.every((n, i) => n === dims[i]);
  if (!isSame) setImage(header, dims, datatype, bitsPerVoxel);
  const changesValues =
    Number.isFinite(kept!.slope) && kept!.slope !== 0 && (kept!.slope !== 1 || kept!.intercept !== 0);
  if (changesValues && !stored) clearScaling(header);
  if (affine) setAffine(header, checkedAffine(affine));
  return header;
}

function checkedAffine(affine: Affine): Affine {
  const isAffine =
    Array.isArray(affine) &&
    affine.length >= 3 &&
    affine.slice(0, 3).every((row) => row.length === 4 && row.every(Number.isFinite));
  if (!isAffine)
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected four rows of four finite numbers for affine but received ${show(affine)}.`,
    );
  return affine;
}
