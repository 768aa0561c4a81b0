/**
 * MATLAB files of version 5 (save -v6 and -v7; "MAT-File Format", The MathWorks): numbers, text, structs and cells,
 * compressed or not, both byte orders. Version 7.3 files are HDF5 and read by hdf5.ts; version 4 is refused.
 * Shapes are those that MATLAB shows; elements come row-major, as scipy.io.loadmat gives them.
 */
import { constants } from "node:buffer";
import { promisify } from "node:util";
import { inflate } from "node:zlib";
import { isArrayLike, sizeOf, type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { show } from "../core/errors.ts";
import { bytesPerElement, decodeElements, rowMajorFromColumnMajor, type StoredType } from "./elements.ts";
import { type ByteSource, type Bytes, checkedByteLength, deflateLimit, formatError, withFile } from "./source.ts";

/**
 * A MATLAB value. Numbers and logicals are arrays (logical as Uint8Array); text is a string, a matrix of text an array
 * of strings; a 1 × 1 struct is an object; cells and other structs are nested arrays, one level per dimension.
 */
export type MatValue = Volume<TypedArray> | string | MatUnsupported | MatValue[] | { [field: string]: MatValue };

/** Stands for a value that cannot be read, so that the others in the file can. */
export class MatUnsupported {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

/** Data types of elements in the file ("mi…"). */
const storedTypes: Record<number, StoredType> = {
  1: "int8",
  2: "uint8",
  3: "int16",
  4: "uint16",
  5: "int32",
  6: "uint32",
  7: "float32",
  9: "float64",
  12: "int64",
  13: "uint64",
};
const miMatrix = 14;
const miCompressed = 15;
const textEncodings: Record<number, "utf8" | "utf16le" | "latin1"> = {
  1: "latin1",
  2: "latin1",
  4: "utf16le",
  16: "utf8",
  17: "utf16le",
};

/** Array classes ("mx…") of numbers and the typed array that each becomes; int64 and uint64 become float64 where exact. */
const numericClasses: Record<number, (values: TypedArray) => TypedArray> = {
  6: (v) => (v instanceof Float64Array ? v : Float64Array.from(v)),
  7: (v) => (v instanceof Float32Array ? v : Float32Array.from(v)),
  8: (v) => (v instanceof Int8Array ? v : Int8Array.from(v)),
  9: (v) => (v instanceof Uint8Array ? v : Uint8Array.from(v)),
  10: (v) => (v instanceof Int16Array ? v : Int16Array.from(v)),
  11: (v) => (v instanceof Uint16Array ? v : Uint16Array.from(v)),
  12: (v) => (v instanceof Int32Array ? v : Int32Array.from(v)),
  13: (v) => (v instanceof Uint32Array ? v : Uint32Array.from(v)),
  14: (v) => (v instanceof Float64Array ? v : Float64Array.from(v)),
  15: (v) => (v instanceof Float64Array ? v : Float64Array.from(v)),
};
const cellClass = 1;
const structClass = 2;
const charClass = 4;
const opaqueClass = 17;
const otherClasses: Record<number, string> = {
  3: "an object",
  5: "a sparse matrix",
  16: "a function handle",
  17: "an object (opaque)",
};

const deepest = 64;

interface Element {
  type: number;
  data: Bytes;
}

/** Walks the elements in a run of bytes. */
class Cursor {
  at = 0;
  readonly bytes: Bytes;
  readonly littleEndian: boolean;
  readonly name: string;
  constructor(bytes: Bytes, littleEndian: boolean, name: string) {
    this.bytes = bytes;
    this.littleEndian = littleEndian;
    this.name = name;
  }
  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }
  /** The next element: tag of 8 bytes and data padded to 8, or both within 8 bytes. */
  next(what: string): Element {
    const left = this.bytes.length - this.at;
    if (left < 8) throw formatError(this.name, `it ends where ${what} should start. The file is cut short or damaged.`);
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8);
    const first = view.getUint32(0, this.littleEndian);
    const isSmall = first >>> 16 !== 0;
    const type = isSmall ? first & 0xffff : first;
    const length = isSmall ? first >>> 16 : view.getUint32(4, this.littleEndian);
    const start = this.at + (isSmall ? 4 : 8);
    if (isSmall ? length > 4 : length > left - 8)
      throw formatError(
        this.name,
        `${what} should take ${length} bytes but only ${isSmall ? 4 : left - 8} are left. The file is cut short or damaged.`,
      );
    this.at = isSmall ? this.at + 8 : start + length + ((8 - (length % 8)) % 8);
    return { type, data: this.bytes.subarray(start, start + length) };
  }
  integers(what: string): number[] {
    return Array.from(numbersOf(this.next(what), this, what));
  }
}

function numbersOf({ type, data }: Element, { littleEndian, name }: Cursor, what: string): TypedArray {
  const stored = storedTypes[type];
  if (!stored) throw formatError(name, `expected numbers for ${what} but found data type ${type}.`);
  if (data.length % bytesPerElement[stored] !== 0)
    throw formatError(
      name,
      `expected whole ${stored} elements for ${what} but found ${data.length} bytes. The file is damaged.`,
    );
  return decodeElements(new Uint8Array(data), stored, littleEndian, name);
}

/**
 * Reads the variables of a version 5 MATLAB file, all or those named. Variables of classes that are not supported
 * (sparse, complex, objects, function handles) come as MatUnsupported.
 * Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_OUT_OF_MEMORY.
 */
export function readMat(path: string, names?: readonly string[]): Promise<Record<string, MatValue>> {
  return withFile(path, async (source) => {
    const littleEndian = await readByteOrder(source);
    const variables: Record<string, MatValue> = {};
    for (let at = 128; at < source.length; ) {
      const tag = Buffer.from(await source.read(at, 8, "a variable"));
      const type = littleEndian ? tag.readUInt32LE(0) : tag.readUInt32BE(0);
      const length = littleEndian ? tag.readUInt32LE(4) : tag.readUInt32BE(4);
      if (type !== miMatrix && type !== miCompressed)
        throw formatError(path, `expected a variable at byte ${at} but found data type ${type}. The file is damaged.`);
      const stored = await source.read(at + 8, length, "a variable");
      at += 8 + length;
      const bytes = type === miCompressed ? await inflateElement(stored, littleEndian, path) : stored;
      const { name, value } = readMatrix(new Cursor(bytes, littleEndian, path), names, 0);
      if (name !== "" && (!names || names.includes(name))) define(variables, name, value());
    }
    return variables;
  });
}

/** True where a file is version 7.3 of the format, that is, HDF5. Throws ERR_SINO_IO. */
export function isMat73(path: string): Promise<boolean> {
  return withFile(path, async (source) => {
    const start = Buffer.from(await source.read(0, Math.min(source.length, 520), "a MATLAB file"));
    return [0, 512].includes(start.indexOf("\x89HDF\r\n\x1a\n", 0, "latin1"));
  });
}

async function readByteOrder(source: ByteSource): Promise<boolean> {
  const header = Buffer.from(await source.read(0, 128, "the header of a MATLAB file"));
  const mark = header.toString("latin1", 126, 128);
  if (header.subarray(0, 4).includes(0))
    throw formatError(
      source.name,
      "expected a MATLAB file of version 5 or later; version 4 is not supported. Save it again with MATLAB.",
    );
  if (mark !== "IM" && mark !== "MI")
    throw formatError(
      source.name,
      `expected the mark "IM" or "MI" of a MATLAB file at byte 126 but found ${show(mark)}.`,
    );
  const version = mark === "IM" ? header.readUInt16LE(124) : header.readUInt16BE(124);
  if (version === 0x0200)
    throw formatError(source.name, "it is a MATLAB file of version 7.3, which is HDF5. Read it as HDF5.");
  if (version !== 0x0100)
    throw formatError(source.name, `expected version 5 of the MATLAB format but found 0x${version.toString(16)}.`);
  return mark === "IM";
}

/** The contents of the matrix element within a compressed element. */
async function inflateElement(stored: Bytes, littleEndian: boolean, name: string): Promise<Bytes> {
  let bytes: Bytes;
  try {
    // How long a compressed variable is, it only says inside; deflate bounds it.
    const maxOutputLength = Math.min((stored.length + 1) * deflateLimit, constants.MAX_LENGTH);
    bytes = new Uint8Array(await promisify(inflate)(stored, { maxOutputLength }));
  } catch (cause) {
    throw formatError(name, `its compressed data are damaged (${(cause as Error).message}).`, {}, cause);
  }
  const { type, data } = new Cursor(bytes, littleEndian, name).next("a compressed variable");
  if (type !== miMatrix)
    throw formatError(name, `expected a variable in its compressed data but found data type ${type}.`);
  return data;
}

interface Matrix {
  name: string;
  /** Read only when wanted: a file may hold much that is not. */
  value: () => MatValue;
}

function readMatrix(cursor: Cursor, names: readonly string[] | undefined, depth: number): Matrix {
  if (cursor.isAtEnd) return { name: "", value: () => volume(new Float64Array(0), [0, 0]) };
  if (depth > deepest) throw formatError(cursor.name, `its structs and cells are nested more than ${deepest} deep.`);
  const flags = cursor.next("array flags");
  const [word = 0] = numbersOf(flags, cursor, "array flags");
  const kind = word & 0xff;
  if (kind === opaqueClass) return { name: readName(cursor), value: () => new MatUnsupported(otherClasses[kind]!) };
  const shape = cursor.integers("dimensions");
  if (shape.length < 2 || shape.length > 32 || !shape.every((n) => n >= 0))
    throw formatError(cursor.name, `expected 2 or more dimensions but found ${show(shape)}.`);
  const name = readName(cursor);
  const isWanted = depth > 0 || !names || names.includes(name);
  if (!isWanted) return { name, value: () => new MatUnsupported("not asked for") };
  return { name, value: () => readValue(cursor, kind, shape, (word & 0x800) !== 0, depth) };
}

function readName(cursor: Cursor): string {
  return Buffer.from(cursor.next("the name of a variable").data).toString("latin1");
}

function readValue(cursor: Cursor, kind: number, shape: number[], isComplex: boolean, depth: number): MatValue {
  if (kind === cellClass) return nested(shape, readItems(cursor, shape, depth), cursor.name);
  if (kind === structClass) return readStruct(cursor, shape, depth);
  if (kind === charClass) return readText(cursor, shape);
  const convert = numericClasses[kind];
  if (!convert) return new MatUnsupported(otherClasses[kind] ?? `an array of the unknown class ${kind}`);
  if (isComplex) return new MatUnsupported("an array of complex numbers");
  const element = cursor.next("the elements");
  const stored = numbersOf(element, cursor, "the elements");
  checkedByteLength(cursor.name, shape, 1, stored.length);
  const count = sizeOf(shape);
  return volume(rowMajorFromColumnMajor(convert(stored.subarray(0, count) as TypedArray), shape), shape);
}

/** As many matrices in a row as the shape says, column-major. Each takes 8 bytes at least, which bounds their number. */
function readItems(cursor: Cursor, shape: readonly number[], depth: number): MatValue[] {
  checkedByteLength(cursor.name, shape, 8, cursor.bytes.length - cursor.at);
  return Array.from({ length: sizeOf(shape) }, () => readItem(cursor, depth));
}

function readItem(cursor: Cursor, depth: number): MatValue {
  const { type, data } = cursor.next("a member");
  if (type !== miMatrix) throw formatError(cursor.name, `expected an array as a member but found data type ${type}.`);
  return readMatrix(new Cursor(data, cursor.littleEndian, cursor.name), undefined, depth + 1).value();
}

function readStruct(cursor: Cursor, shape: readonly number[], depth: number): MatValue {
  const [nameLength = 0] = cursor.integers("the length of field names");
  const text = Buffer.from(cursor.next("the field names").data);
  if (!(nameLength > 0) && text.length > 0)
    throw formatError(cursor.name, `expected a length of field names but found ${nameLength}.`);
  const fields: string[] = [];
  for (let at = 0; at < text.length; at += nameLength)
    fields.push(text.toString("latin1", at, at + nameLength).split("\0")[0]!);
  checkedByteLength(cursor.name, [...shape, fields.length], 8, cursor.bytes.length - cursor.at);
  const items = Array.from({ length: fields.length === 0 ? 0 : sizeOf(shape) }, () => {
    const item: Record<string, MatValue> = {};
    for (const field of fields) define(item, field, readItem(cursor, depth));
    return item;
  });
  if (fields.length === 0) return sizeOf(shape) === 1 ? {} : [];
  return sizeOf(shape) === 1 ? items[0]! : nested(shape, items, cursor.name);
}

/** Sets a property whatever its name, "__proto__" included. */
function define(target: Record<string, MatValue>, name: string, value: MatValue): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function readText(cursor: Cursor, shape: readonly number[]): MatValue {
  if (sizeOf(shape) === 0) return "";
  const { type, data } = cursor.next("text");
  const encoding = textEncodings[type];
  if (!encoding) throw formatError(cursor.name, `expected text but found data type ${type}.`);
  const bytes = Buffer.from(data);
  if (encoding === "utf16le" && !cursor.littleEndian) bytes.subarray(0, bytes.length & ~1).swap16();
  const text = bytes.toString(encoding);
  if (shape[0] === 1) return text;
  checkedByteLength(cursor.name, shape, 1, text.length);
  const rows = shape[0]!;
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: sizeOf(shape) / rows }, (_, i) => text[row + i * rows]).join(""),
  );
}

/** Column-major items as arrays in arrays: the first dimension outermost. */
function nested(shape: readonly number[], items: readonly MatValue[], name: string): MatValue[] {
  if (items.length === 0) return [];
  checkedByteLength(name, shape, 1, items.length);
  const build = (axis: number, first: number, step: number): MatValue[] =>
    Array.from({ length: shape[axis]! }, (_, i) =>
      axis === shape.length - 1 ? items[first + i * step]! : build(axis + 1, first + i * step, step * shape[axis]!),
    );
  return build(0, 0, 1);
}

/** Dotted names of all numeric arrays in a variable, as `matArray` takes them. */
export function listMatArrays(variables: Readonly<Record<string, MatValue>>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => {
    if (isArrayLike(value)) return [name];
    if (typeof value === "string" || value instanceof MatUnsupported) return [];
    return listMatArrays({ ...value } as Record<string, MatValue>).map((inner) => `${name}.${inner}`);
  });
}

/**
 * Reads one array of a version 5 MATLAB file: a variable, or a dotted path into structs ("scan.sinogram") and cells
 * ("cells.0.2"). The path may be left out when the file holds one array.
 * Throws ERR_SINO_IO; ERR_SINO_IO_FORMAT, which lists the arrays that exist when the wanted one does not.
 */
export async function readMatArray(
  path: string,
  variable?: string,
): Promise<{ array: Volume<TypedArray>; key: string }> {
  const variables = await readMat(path, variable === undefined ? undefined : [variable.split(".")[0]!]);
  if (variable !== undefined) {
    const found = variable.split(".").reduce<unknown>((value, part) => memberOf(value, part), variables);
    if (isArrayLike(found)) return { array: found as Volume<TypedArray>, key: variable };
    if (found instanceof MatUnsupported)
      throw formatError(
        path,
        `${show(variable)} is ${found.what}, which is not supported. Save it as a full real array.`,
      );
  }
  const everything = variable === undefined ? variables : await readMat(path);
  const keys = listMatArrays(everything);
  if (variable === undefined && keys.length === 1) return readMatArray(path, keys[0]);
  const request = variable === undefined ? "name one of its arrays" : `it has no array ${show(variable)}`;
  throw formatError(path, `${request}; it holds ${keys.join(", ") || "none"}. Write ${path}:NAME.`, { keys });
}

function memberOf(value: unknown, part: string): unknown {
  if (typeof value !== "object" || value === null || isArrayLike(value) || value instanceof MatUnsupported)
    return undefined;
  return Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined;
}
