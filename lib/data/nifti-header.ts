/**
 * The NIfTI-1 and NIfTI-2 headers (nifti1.h and nifti2.h at nifti.nimh.nih.gov): where each field is, how it is read
 * and written in either byte order, and the affine that maps voxel indices to millimetres.
 */
import { sinoError } from "../core/errors.ts";
import type { StoredType } from "./elements.ts";
import { type ByteSource, type Bytes, formatError } from "./source.ts";

/** Four rows of four: (i, j, k, 1), fastest index first, to (x, y, z, 1) in mm, x to the right, y anterior, z up. */
export type Affine = number[][];

export interface NiftiHeader {
  version: 1 | 2;
  littleEndian: boolean;
  /** True where header and image are one file. */
  single: boolean;
  /** The bytes in front of the image: header and extensions. A file written with this header keeps them. */
  bytes: Bytes;
}

export interface NiftiFields {
  /** Fastest first, as the file has them: [nx, ny, nz, nt, …]. */
  dims: number[];
  datatype: number;
  /** Per dimension, in mm and s. */
  pixdims: number[];
  voxOffset: number;
  slope: number;
  intercept: number;
  description: string;
  qformCode: number;
  sformCode: number;
  affine: Affine;
}

/** dim, pixdim and the rest: offsets and types of the two versions, in the order of the header. */
const layouts = {
  1: {
    size: 348,
    dim: 40,
    dimBytes: 2,
    datatype: 70,
    bitpix: 72,
    pixdim: 76,
    realBytes: 4,
    voxOffset: 108,
    slope: 112,
    intercept: 116,
    units: 123,
    unitsBytes: 1,
    description: 148,
    qform: 252,
    codeBytes: 2,
    sform: 254,
    quatern: 256,
    srow: 280,
    magic: 344,
  },
  2: {
    size: 540,
    dim: 16,
    dimBytes: 8,
    datatype: 12,
    bitpix: 14,
    pixdim: 104,
    realBytes: 8,
    voxOffset: 168,
    slope: 176,
    intercept: 184,
    units: 500,
    unitsBytes: 4,
    description: 240,
    qform: 344,
    codeBytes: 4,
    sform: 348,
    quatern: 352,
    srow: 400,
    magic: 4,
  },
} as const;

interface NiftiType {
  type: StoredType;
  /** Values per voxel: 3 for RGB. */
  channels: number;
}

export const niftiTypes: ReadonlyMap<number, NiftiType> = new Map([
  [2, { type: "uint8", channels: 1 }],
  [4, { type: "int16", channels: 1 }],
  [8, { type: "int32", channels: 1 }],
  [16, { type: "float32", channels: 1 }],
  [64, { type: "float64", channels: 1 }],
  [128, { type: "uint8", channels: 3 }],
  [256, { type: "int8", channels: 1 }],
  [512, { type: "uint16", channels: 1 }],
  [768, { type: "uint32", channels: 1 }],
  [1024, { type: "int64", channels: 1 }],
  [1280, { type: "uint64", channels: 1 }],
  [2304, { type: "uint8", channels: 4 }],
]);

export const otherNiftiTypes: ReadonlyMap<number, string> = new Map([
  [1, "bits"],
  [32, "complex64"],
  [1536, "float128"],
  [1792, "complex128"],
  [2048, "complex256"],
]);

/** Millimetres per spatial unit and seconds per time unit, by the codes of xyzt_units. */
const millimetres: Record<number, number> = { 1: 1000, 2: 1, 3: 0.001 };
const seconds: Record<number, number> = { 8: 1, 16: 0.001, 24: 1e-6 };

/** Reads the header in front of an image, or the whole of a .hdr file. Throws ERR_SINO_IO_FORMAT. */
export async function readNiftiHeader(source: ByteSource): Promise<NiftiHeader> {
  const { name } = source;
  const start = Buffer.from(await source.read(0, 4, "a NIfTI header"));
  const found = [start.readInt32LE(0), start.readInt32BE(0)];
  const version = found.includes(348) ? 1 : found.includes(540) ? 2 : undefined;
  if (!version)
    throw formatError(name, `expected a NIfTI header, which starts with 348 or 540, but found ${found[0]}.`, {
      found: found[0],
    });
  const littleEndian = found[0] === layouts[version].size;
  const { size, magic } = layouts[version];
  const rest = await source.read(4, size - 4, "the NIfTI header");
  const bytes = Buffer.concat([start, rest]);
  const signature = bytes.toString("latin1", magic, magic + 3);
  if (signature !== `n+${version}` && signature !== `ni${version}`)
    throw formatError(
      name,
      `expected "n+${version}" or "ni${version}" at byte ${magic} but found ${JSON.stringify(signature)}. Analyze 7.5 files must be converted to NIfTI.`,
    );
  return { version, littleEndian, single: signature[1] === "+", bytes: new Uint8Array(bytes) };
}

class HeaderView {
  readonly view: DataView;
  readonly littleEndian: boolean;
  constructor({ bytes, littleEndian }: NiftiHeader) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.littleEndian = littleEndian;
  }
  integer(at: number, bytes: 1 | 2 | 4 | 8): number {
    if (bytes === 1) return this.view.getUint8(at);
    if (bytes === 2) return this.view.getInt16(at, this.littleEndian);
    if (bytes === 4) return this.view.getInt32(at, this.littleEndian);
    return Number(this.view.getBigInt64(at, this.littleEndian));
  }
  setInteger(at: number, bytes: 1 | 2 | 4 | 8, value: number): void {
    if (bytes === 1) this.view.setUint8(at, value);
    else if (bytes === 2) this.view.setInt16(at, value, this.littleEndian);
    else if (bytes === 4) this.view.setInt32(at, value, this.littleEndian);
    else this.view.setBigInt64(at, BigInt(value), this.littleEndian);
  }
  real(at: number, bytes: 4 | 8): number {
    return bytes === 4 ? this.view.getFloat32(at, this.littleEndian) : this.view.getFloat64(at, this.littleEndian);
  }
  setReal(at: number, bytes: 4 | 8, value: number): void {
    if (bytes === 4) this.view.setFloat32(at, value, this.littleEndian);
    else this.view.setFloat64(at, value, this.littleEndian);
  }
  reals(at: number, bytes: 4 | 8, count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.real(at + i * bytes, bytes));
  }
}

/** The fields of a header as numbers, units applied. Throws ERR_SINO_IO_FORMAT. */
export function niftiFields(header: NiftiHeader, name: string): NiftiFields {
  const at = layouts[header.version];
  const view = new HeaderView(header);
  const rank = view.integer(at.dim, at.dimBytes);
  if (rank < 1 || rank > 7) throw formatError(name, `expected 1 to 7 dimensions but found ${rank}.`, { rank });
  const dims = Array.from({ length: rank }, (_, i) => view.integer(at.dim + (i + 1) * at.dimBytes, at.dimBytes));
  if (!dims.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw formatError(name, `expected positive dimensions but found ${dims.join(" × ")}.`, { dims });
  const units = view.integer(at.units, at.unitsBytes);
  const mm = millimetres[units & 7] ?? 1;
  const pixdims = dims.map((_, i) => {
    const value = Math.abs(view.real(at.pixdim + (i + 1) * at.realBytes, at.realBytes));
    return value * (i < 3 ? mm : i === 3 ? (seconds[units & 56] ?? 1) : 1);
  });
  const [end] = Buffer.from(header.bytes)
    .toString("latin1", at.description, at.description + 80)
    .split("\0");
  return {
    dims,
    pixdims,
    datatype: view.integer(at.datatype, 2),
    voxOffset: header.version === 1 ? view.real(at.voxOffset, 4) : view.integer(at.voxOffset, 8),
    slope: view.real(at.slope, at.realBytes),
    intercept: view.real(at.intercept, at.realBytes),
    description: end!,
    qformCode: view.integer(at.qform, at.codeBytes),
    sformCode: view.integer(at.sform, at.codeBytes),
    affine: affineOf(view, at, mm),
  };
}

/** The sform where its code says so, else the qform, else the voxel sizes alone (method 1 of the standard). */
function affineOf(view: HeaderView, at: (typeof layouts)[1 | 2], mm: number): Affine {
  const b = at.realBytes;
  const toMm = (row: number[]): number[] => row.map((value) => value * mm);
  if (view.integer(at.sform, at.codeBytes) > 0)
    return [0, 1, 2].map((row) => toMm(view.reals(at.srow + row * 4 * b, b, 4))).concat([[0, 0, 0, 1]]);
  const [qfac, ...sizes] = view.reals(at.pixdim, b, 4) as [number, number, number, number];
  if (view.integer(at.qform, at.codeBytes) > 0) {
    const [qb, qc, qd, ...origin] = view.reals(at.quatern, b, 6) as [number, number, number, number, number, number];
    const scale = [Math.abs(sizes[0]!), Math.abs(sizes[1]!), Math.abs(sizes[2]!) * (qfac < 0 ? -1 : 1)];
    const rotation = rotationOf(qb, qc, qd);
    return rotation.map((row, i) => toMm([...row.map((r, j) => r * scale[j]!), origin[i]!])).concat([[0, 0, 0, 1]]);
  }
  const [dx, dy, dz] = toMm(sizes.map((size) => Math.abs(size) || 1));
  return [
    [dx!, 0, 0, 0],
    [0, dy!, 0, 0],
    [0, 0, dz!, 0],
    [0, 0, 0, 1],
  ];
}

function rotationOf(b: number, c: number, d: number): number[][] {
  const rest = 1 - (b * b + c * c + d * d);
  let a = Math.sqrt(Math.max(0, rest));
  if (rest < 1e-7) {
    const norm = 1 / Math.sqrt(b * b + c * c + d * d);
    [a, b, c, d] = [0, b * norm, c * norm, d * norm];
  }
  return [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
  ];
}

export interface NewHeader {
  dims: readonly number[];
  datatype: number;
  bitsPerVoxel: number;
  /** Fastest first, mm and s. */
  pixdims: readonly number[];
  affine: Affine;
  description: string;
}

/** A new little-endian single-file header: version 1 where the dimensions fit in 16 bits, else 2. */
export function newNiftiHeader({ dims, datatype, bitsPerVoxel, pixdims, affine, description }: NewHeader): NiftiHeader {
  const version = dims.some((n) => n > 32767) ? 2 : 1;
  const at = layouts[version];
  const start = imageStart(version);
  const header: NiftiHeader = { version, littleEndian: true, single: true, bytes: new Uint8Array(start) };
  const view = new HeaderView(header);
  view.setInteger(0, 4, at.size);
  Buffer.from(header.bytes.buffer).write(version === 1 ? "n+1\0" : "n+2\0\r\n\x1a\n", at.magic, "latin1");
  setImage(header, dims, datatype, bitsPerVoxel);
  for (let i = 0; i < 7; i++) view.setReal(at.pixdim + (i + 1) * at.realBytes, at.realBytes, pixdims[i] ?? 1);
  if (version === 1) view.setReal(at.voxOffset, 4, start);
  else view.setInteger(at.voxOffset, 8, start);
  view.setReal(at.slope, at.realBytes, 1);
  view.setInteger(at.units, at.unitsBytes, 2 + 8);
  Buffer.from(header.bytes.buffer).write(description.slice(0, 79), at.description, "latin1");
  setAffine(header, affine);
  return header;
}

export function imageStart(version: 1 | 2): number {
  return layouts[version].size + 4;
}

/** Writes dim, datatype and bitpix. Throws ERR_SINO_SHAPE for what the version cannot say. */
export function setImage(header: NiftiHeader, dims: readonly number[], datatype: number, bitsPerVoxel: number): void {
  const at = layouts[header.version];
  if (dims.length < 1 || dims.length > 7 || (header.version === 1 && dims.some((n) => n > 32767)))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected 1 to 7 dimensions${header.version === 1 ? " of at most 32767" : ""} for a NIfTI-${header.version} file but received ${dims.join(" × ")}.`,
      { details: { dims } },
    );
  const view = new HeaderView(header);
  view.setInteger(at.dim, at.dimBytes, dims.length);
  for (let i = 0; i < 7; i++) view.setInteger(at.dim + (i + 1) * at.dimBytes, at.dimBytes, dims[i] ?? 1);
  view.setInteger(at.datatype, 2, datatype);
  view.setInteger(at.bitpix, 2, bitsPerVoxel);
}

/** Declares that the stored values are the values. */
export function clearScaling(header: NiftiHeader): void {
  const at = layouts[header.version];
  const view = new HeaderView(header);
  view.setReal(at.slope, at.realBytes, 1);
  view.setReal(at.intercept, at.realBytes, 0);
}

/** The header of a .hdr file as one that stands in front of its image; any other unchanged. */
export function asSingleFile(header: NiftiHeader): NiftiHeader {
  const copy = { ...header, bytes: new Uint8Array(header.bytes) };
  if (header.single) return copy;
  const start = imageStart(header.version);
  const bytes = new Uint8Array(start);
  bytes.set(copy.bytes.subarray(0, layouts[header.version].size));
  bytes[layouts[header.version].magic + 1] = "+".charCodeAt(0);
  const single: NiftiHeader = { ...copy, single: true, bytes };
  const view = new HeaderView(single);
  const { voxOffset } = layouts[header.version];
  if (header.version === 1) view.setReal(voxOffset, 4, start);
  else view.setInteger(voxOffset, 8, start);
  return single;
}

/**
 * Writes an affine as sform and, where its axes are perpendicular, as qform, both with code 2 (aligned), and its voxel
 * sizes. The header's units become mm.
 */
export function setAffine(header: NiftiHeader, affine: Affine): void {
  const at = layouts[header.version];
  const view = new HeaderView(header);
  const b = at.realBytes;
  const units = view.integer(at.units, at.unitsBytes);
  view.setInteger(at.units, at.unitsBytes, (units & ~7) | 2);
  view.setInteger(at.sform, at.codeBytes, 2);
  for (let row = 0; row < 3; row++)
    for (let column = 0; column < 4; column++) view.setReal(at.srow + (row * 4 + column) * b, b, affine[row]![column]!);
  const columns = [0, 1, 2].map((j) => [0, 1, 2].map((i) => affine[i]![j]!));
  const sizes = columns.map((column) => Math.hypot(...column));
  sizes.forEach((size, i) => {
    view.setReal(at.pixdim + (i + 1) * b, b, size);
  });
  const axes = columns.map((column, j) => column.map((value) => value / sizes[j]!));
  const dot = (p: number[], q: number[]): number => p.reduce((sum, value, i) => sum + value * q[i]!, 0);
  const areAxes = sizes.every((size) => size > 0);
  const arePerpendicular =
    areAxes &&
    [
      [0, 1],
      [0, 2],
      [1, 2],
    ].every(([p, q]) => Math.abs(dot(axes[p!]!, axes[q!]!)) < 1e-5);
  view.setInteger(at.qform, at.codeBytes, arePerpendicular ? 2 : 0);
  if (!arePerpendicular) return;
  const [u, v, w] = axes as [number[], number[], number[]];
  const determinant = dot(u, [
    v[1]! * w[2]! - v[2]! * w[1]!,
    v[2]! * w[0]! - v[0]! * w[2]!,
    v[0]! * w[1]! - v[1]! * w[0]!,
  ]);
  const qfac = determinant < 0 ? -1 : 1;
  const quaternion = quaternionOf(
    u,
    v,
    w.map((value) => value * qfac),
  );
  view.setReal(at.pixdim, b, qfac);
  quaternion.forEach((value, i) => {
    view.setReal(at.quatern + i * b, b, value);
  });
  for (let i = 0; i < 3; i++) view.setReal(at.quatern + (3 + i) * b, b, affine[i]![3]!);
}

/** (b, c, d) of the unit quaternion, a ≥ 0, of the rotation with these columns. */
function quaternionOf(u: number[], v: number[], w: number[]): number[] {
  const [xx, yx, zx] = u as [number, number, number];
  const [xy, yy, zy] = v as [number, number, number];
  const [xz, yz, zz] = w as [number, number, number];
  const squares = [1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz];
  const largest = squares.indexOf(Math.max(...squares));
  const s = 2 * Math.sqrt(squares[largest]!);
  const all = [
    [s / 4, (zy - yz) / s, (xz - zx) / s, (yx - xy) / s],
    [(zy - yz) / s, s / 4, (xy + yx) / s, (xz + zx) / s],
    [(xz - zx) / s, (xy + yx) / s, s / 4, (yz + zy) / s],
    [(yx - xy) / s, (xz + zx) / s, (yz + zy) / s, s / 4],
  ][largest] as [number, number, number, number];
  return all.slice(1).map((value) => (all[0] < 0 ? -value : value));
}
