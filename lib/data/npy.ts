/**
 * NumPy's .npy format, versions 1.0, 2.0 and 3.0 (numpy/lib/format.py describes it): magic, version, a Python dict
 * literal with dtype, order and shape, then the elements.
 */
import { type FileHandle, open } from "node:fs/promises";
import { type ArrayLike, checkArray, type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { ioError, writeFileAtomic } from "../core/files.ts";
import {
  bytesPerElement,
  decodeElements,
  encodeElements,
  type NativeType,
  rowMajorData,
  rowMajorFromColumnMajor,
  type StoredType,
  typeOf,
} from "./elements.ts";
import { type ByteSource, checkedByteLength, type FileReading, formatError, withFile } from "./source.ts";

export interface NpyArray {
  /** Row-major, whatever order the file has. */
  array: Volume<TypedArray>;
  /** The element type in the file: bool, float16, int64 and uint64 have no typed array of their own here. */
  dtype: StoredType;
}

interface Header {
  dtype: StoredType;
  littleEndian: boolean;
  columnMajor: boolean;
  shape: number[];
  start: number;
}

const magic = "\x93NUMPY";
const longestHeader = 2 ** 20;

const typeOfCode: Record<string, StoredType> = {
  b1: "bool",
  i1: "int8",
  u1: "uint8",
  i2: "int16",
  u2: "uint16",
  i4: "int32",
  u4: "uint32",
  i8: "int64",
  u8: "uint64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
};

const codeOfType: Record<NativeType, string> = {
  int8: "|i1",
  uint8: "|u1",
  int16: "<i2",
  uint16: "<u2",
  int32: "<i4",
  uint32: "<u4",
  float32: "<f4",
  float64: "<f8",
};

/**
 * Reads a .npy file of numbers: every integer and float type, both byte orders, both memory orders, 0-d and empty.
 * bool comes as Uint8Array, float16 as Float32Array, 64-bit integers as Float64Array where that is exact.
 * Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_OUT_OF_MEMORY.
 */
export function readNpy(path: string, reading?: FileReading): Promise<NpyArray> {
  return withFile(path, readNpyFrom, reading);
}

export async function readNpyFrom(source: ByteSource): Promise<NpyArray> {
  const { name } = source;
  const { dtype, littleEndian, columnMajor, shape, start } = await readHeader(source);
  const length = checkedByteLength(name, shape, bytesPerElement[dtype], source.length - start);
  const stored = decodeElements(await source.read(start, length, "the elements"), dtype, littleEndian, name);
  const data = columnMajor ? rowMajorFromColumnMajor(stored, shape) : stored;
  return { array: volume(data, shape), dtype };
}

async function readHeader(source: ByteSource): Promise<Header> {
  const { name } = source;
  const preamble = Buffer.from(await source.read(0, 10, "the header of a .npy file"));
  if (preamble.toString("latin1", 0, 6) !== magic)
    throw formatError(
      name,
      `expected a .npy file, which starts with "\\x93NUMPY", but found ${show(preamble.toString("latin1", 0, 6))}.`,
    );
  const version = preamble[6]!;
  if (version < 1 || version > 3)
    throw formatError(name, `expected version 1, 2 or 3 of the .npy format but found ${version}.${preamble[7]}.`);
  const lengthBytes = version === 1 ? 2 : 4;
  const lengthField = Buffer.from(await source.read(8, lengthBytes, "the header length"));
  const length = lengthField.readUIntLE(0, lengthBytes);
  if (length > longestHeader)
    throw formatError(
      name,
      `expected a header of at most ${longestHeader} bytes but found ${length}. The file is damaged.`,
    );
  const text = Buffer.from(await source.read(8 + lengthBytes, length, "the header")).toString("utf8");
  return { ...parseHeader(text, name), start: 8 + lengthBytes + length };
}

function parseHeader(text: string, name: string): Omit<Header, "start"> {
  const isDict = /^\s*\{.*\}\s*$/s.test(text);
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)\b/.exec(text)?.[1];
  const dimensions = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (isDict && descr === undefined && /'descr'\s*:\s*\[/.test(text))
    throw formatError(name, "its elements are records (a structured dtype). Save one field as a plain array.");
  if (!isDict || descr === undefined || order === undefined || dimensions === undefined)
    throw formatError(name, `expected a header with descr, fortran_order and shape but found ${show(text.trim())}.`);
  const [, byteOrder = "|", code = ""] = /^([<>|=]?)(\w+)$/.exec(descr) ?? [];
  const dtype = Object.hasOwn(typeOfCode, code) ? typeOfCode[code] : undefined;
  if (!dtype)
    throw formatError(
      name,
      `expected elements of type ${Object.keys(typeOfCode).join(", ")} but found ${show(descr)}. Convert the array before saving it.`,
      { descr },
    );
  const shape = dimensions
    .split(",")
    .map((part) => part.replace("L", "").trim())
    .filter((part) => part !== "")
    .map(Number);
  return { dtype, littleEndian: byteOrder !== ">", columnMajor: order === "True", shape };
}

/** The bytes of a .npy file, version 1.0, as numpy.save writes them: header and elements. */
export function encodeNpy(array: ArrayLike): [header: Uint8Array, elements: Uint8Array] {
  checkArray(array, "array");
  const data = rowMajorData(array);
  return [npyHeader(typeOf(data), array.shape), encodeElements(data)];
}

/** As long for any first dimension, so that an array can grow behind it. */
function npyHeader(type: NativeType, shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dict = `{'descr': '${codeOfType[type]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // numpy leaves room for the first dimension to grow in place, then pads (by 64 rather than 0) to a multiple of 64.
  const growth = shape.length > 0 ? Math.max(0, 21 - String(shape[0]).length) : 0;
  const padding = 64 - ((10 + dict.length + growth + 1) % 64);
  const text = `${dict}${" ".repeat(growth + padding)}\n`;
  const header = Buffer.alloc(10 + text.length);
  header.write(magic, 0, "latin1");
  header.writeUInt8(1, 6);
  header.writeUInt16LE(text.length, 8);
  header.write(text, 10, "latin1");
  return header;
}

/**
 * Writes a .npy file, version 1.0, byte for byte as numpy.save does, atomically. Views are written row-major.
 * Throws ERR_SINO_IO, ERR_SINO_ARG_TYPE, ERR_SINO_SHAPE.
 */
export async function writeNpy(path: string, array: ArrayLike): Promise<void> {
  await writeFileAtomic(path, ...encodeNpy(array));
}

/** A .npy file that grows slice by slice, for arrays larger than memory. Its shape is right once it has been closed. */
export class NpyAppender {
  readonly path: string;
  readonly #shape: readonly number[];
  readonly #type: NativeType;
  readonly #file: FileHandle;
  #count = 0;

  /** Starts a file of slices of one type and shape. Throws ERR_SINO_IO. */
  static async open(path: string, type: NativeType, shape: readonly number[]): Promise<NpyAppender> {
    try {
      const file = await open(path, "wx");
      await file.appendFile(npyHeader(type, [0, ...shape]));
      return new NpyAppender(path, type, shape, file);
    } catch (error) {
      throw ioError("write", path, error);
    }
  }

  private constructor(path: string, type: NativeType, shape: readonly number[], file: FileHandle) {
    this.path = path;
    this.#type = type;
    this.#shape = shape;
    this.#file = file;
  }

  /** Slices so far. */
  get count(): number {
    return this.#count;
  }

  /** Adds whole slices. Throws ERR_SINO_IO, ERR_SINO_ARG_TYPE for another type, ERR_SINO_SHAPE for a piece of a slice. */
  async append(data: TypedArray): Promise<void> {
    if (typeOf(data) !== this.#type)
      throw sinoError("ERR_SINO_ARG_TYPE", `Expected ${this.#type} for ${this.path} but received ${typeOf(data)}.`);
    const slices = data.length / this.#shape.reduce((a, b) => a * b, 1);
    if (!Number.isInteger(slices))
      throw sinoError("ERR_SINO_SHAPE", `Expected slices of ${show(this.#shape)} but received ${data.length} values.`);
    await this.#file.appendFile(encodeElements(data)).catch((error) => {
      throw ioError("write", this.path, error);
    });
    this.#count += slices;
  }

  async close(): Promise<void> {
    try {
      await this.#file.write(npyHeader(this.#type, [this.#count, ...this.#shape]), 0, undefined, 0);
      await this.#file.sync();
    } catch (error) {
      throw ioError("write", this.path, error);
    } finally {
      await this.#file.close();
    }
  }
}
