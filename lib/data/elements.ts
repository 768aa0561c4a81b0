/**
 * The element types that files store and how they become typed arrays. The only loops over elements in lib/data are
 * here: what no typed array can do by itself (half floats, 64-bit integers, column-major order, strided views).
 */
import { type ArrayLike, isContiguous, rowMajorStride, sizeOf, type TypedArray } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { type Bytes, formatError } from "./source.ts";

export const bytesPerElement = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
} as const;

export type StoredType = keyof typeof bytesPerElement;

/** The types that have a typed array of their own here. */
export type NativeType = Exclude<StoredType, "bool" | "int64" | "uint64" | "float16">;

const constructors = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export function isStoredType(name: string): name is StoredType {
  return Object.hasOwn(bytesPerElement, name);
}

export function typeOf(data: TypedArray): NativeType {
  if (data instanceof Uint8ClampedArray) return "uint8";
  for (const [name, Kind] of Object.entries(constructors)) if (data instanceof Kind) return name as NativeType;
  throw sinoError("ERR_SINO_ARG_TYPE", `Expected a typed array of numbers but received ${show(data)}.`);
}

/**
 * Turns stored bytes into a typed array, in place where that is possible: the bytes belong to the result afterwards.
 * bool becomes Uint8Array, float16 Float32Array, 64-bit integers Float64Array where that is exact (else ERR_SINO_IO_FORMAT).
 */
export function decodeElements(bytes: Bytes, type: StoredType, littleEndian: boolean, name: string): TypedArray {
  if (littleEndian !== hostIsLittleEndian) swapBytes(bytes, bytesPerElement[type]);
  const { buffer, byteOffset, byteLength } = bytes;
  const count = byteLength / bytesPerElement[type];
  switch (type) {
    case "bool":
      return new Uint8Array(buffer, byteOffset, count);
    case "float16":
      return float32FromHalf(new Uint16Array(buffer, byteOffset, count));
    case "int64":
      return float64FromBigints(new BigInt64Array(buffer, byteOffset, count), name);
    case "uint64":
      return float64FromBigints(new BigUint64Array(buffer, byteOffset, count), name);
    default:
      return new constructors[type](buffer, byteOffset, count);
  }
}

/** The bytes of a typed array in the wanted byte order; a copy only where they must be swapped. */
export function encodeElements(data: TypedArray, littleEndian = true): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (littleEndian === hostIsLittleEndian || data.BYTES_PER_ELEMENT === 1) return bytes;
  const swapped = new Uint8Array(bytes);
  swapBytes(swapped, data.BYTES_PER_ELEMENT);
  return swapped;
}

function swapBytes(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  if (size === 4) buffer.swap32();
  if (size === 8) buffer.swap64();
}

/** IEEE 754 binary16 to float32, exact, by a table of all 65536 values made on first use. */
function float32FromHalf(halves: Uint16Array): Float32Array {
  halfTable ??= Float32Array.from({ length: 65536 }, (_, bits) => halfValue(bits));
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) out[i] = halfTable[halves[i]!]!;
  return out;
}

let halfTable: Float32Array | undefined;

function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function float64FromBigints(values: BigInt64Array | BigUint64Array, name: string): Float64Array {
  const out = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    out[i] = Number(values[i]);
    if (Math.abs(out[i]!) > Number.MAX_SAFE_INTEGER && BigInt(out[i]!) !== values[i])
      throw formatError(
        name,
        `the 64-bit integer ${values[i]} cannot be held exactly in a float64. Store it as another type.`,
        {
          index: i,
        },
      );
  }
  return out;
}

/** The elements row-major and without gaps; the data themselves where they already are. */
export function rowMajorData<T extends TypedArray>(array: ArrayLike<T>): T {
  const { data, shape, offset = 0 } = array;
  const count = sizeOf(shape);
  if (isContiguous(array)) return data.subarray(offset, offset + count) as T;
  const stride = array.stride ?? rowMajorStride(shape);
  const out = new (data.constructor as new (length: number) => T)(count);
  const last = shape.length - 1;
  const index = new Array<number>(shape.length).fill(0);
  let from = offset;
  for (let to = 0; to < count; ) {
    for (let column = 0, at = from; column < shape[last]!; column++, at += stride[last]!) out[to++] = data[at]!;
    for (let axis = last - 1; axis >= 0; axis--) {
      from += stride[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= stride[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** Reorders column-major (Fortran, MATLAB) elements of `shape` to row-major ones of the same shape. */
export function rowMajorFromColumnMajor<T extends TypedArray>(data: T, shape: readonly number[]): T {
  const stride = rowMajorStride([...shape].reverse()).reverse();
  return rowMajorData({ data, shape, stride });
}

/** slope · stored + intercept: float32, or float64 where the stored values need it. */
export function rescale(data: TypedArray, slope: number, intercept: number): Float32Array | Float64Array {
  const wide = data instanceof Float64Array || data instanceof Int32Array || data instanceof Uint32Array;
  const out = wide ? new Float64Array(data.length) : new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = slope * data[i]! + intercept;
  return out;
}

/** Spreads rows of packed 1-, 2- or 4-bit samples, most significant first, each row starting on a byte. */
export function unpackSamples(bytes: Uint8Array, bits: 1 | 2 | 4, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height);
  const rowBytes = Math.ceil((width * bits) / 8);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const byte = bytes[y * rowBytes + ((x * bits) >> 3)]!;
      out[y * width + x] = (byte >> (8 - bits - ((x * bits) & 7))) & ((1 << bits) - 1);
    }
  return out;
}

/** Whole numbers plus an offset; the caller knows that they fit. */
export function offsetToInt16(data: ArrayLike["data"], offset: number): Int16Array<ArrayBuffer> {
  const out = new Int16Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = data[i]! + offset;
  return out;
}

/** Rounded values plus an offset as uint16. Throws ERR_SINO_OUT_OF_RANGE for what does not fit, NaN included. */
export function offsetToUint16(data: TypedArray, offset: number): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = Math.round(data[i]!) + offset;
    if (!(value >= 0 && value <= 65535))
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `Expected values of ${-offset} to ${65535 - offset} but element ${i} is ${data[i]}.`,
      );
    out[i] = value;
  }
  return out;
}
