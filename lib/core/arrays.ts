/**
 * Arrays as sinogram takes and gives them: the four fields of an ndarray. Anything with these fields is accepted,
 * views and SharedArrayBuffer included; results are row-major and contiguous ndarrays.
 */
import ndarray from "ndarray";
import { show, sinoError } from "./errors.ts";

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** A strided view of a typed array: element (i, j, …) is `data[offset + i·stride[0] + j·stride[1] + …]`. */
export interface ArrayLike<T extends TypedArray = TypedArray> {
  readonly data: T;
  readonly shape: readonly number[];
  readonly stride?: readonly number[];
  readonly offset?: number;
}

/** A row-major, contiguous result. It is an ndarray, so `get`, `set`, `pick`, `hi`, `lo` and `transpose` work on it. */
export type Volume<T extends TypedArray = Float32Array<ArrayBuffer>> = ndarray.NdArray<T>;

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Wraps contiguous row-major data as an ndarray without copying. */
export function volume<T extends TypedArray>(data: T, shape: readonly number[]): Volume<T> {
  return ndarray(data, [...shape]) as Volume<T>;
}

export function isArrayLike(value: unknown): value is ArrayLike {
  const v = value as ArrayLike | null;
  return typeof v === "object" && v !== null && ArrayBuffer.isView(v.data) && Array.isArray(v.shape);
}

export function rowMajorStride(shape: readonly number[]): number[] {
  const stride = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    stride[axis] = step;
    step *= shape[axis]!;
  }
  return stride;
}

/** True where the elements lie row-major without gaps, so that the data can be used in place. */
export function isContiguous(array: ArrayLike): boolean {
  const expected = rowMajorStride(array.shape);
  return !array.stride || expected.every((step, axis) => array.shape[axis]! <= 1 || array.stride![axis] === step);
}

/**
 * Checks shape, stride and offset against the data behind them.
 * Throws ERR_SINO_ARG_TYPE, ERR_SINO_SHAPE or ERR_SINO_BUFFER_DETACHED with `name` in the sentence.
 */
export function checkArray(array: unknown, name: string, ranks?: readonly number[]): asserts array is ArrayLike {
  if (!isArrayLike(array))
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected an array {data, shape} for ${name} but received ${show(array)}.`);
  const { data, shape, offset = 0 } = array;
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw sinoError("ERR_SINO_SHAPE", `Expected non-negative integers for ${name}.shape but received ${show(shape)}.`);
  if (ranks && !ranks.includes(shape.length))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected ${ranks.join(" or ")} dimensions for ${name} but received shape ${show(shape)}.`,
      { details: { shape } },
    );
  const stride = array.stride ?? rowMajorStride(shape);
  if (stride.length !== shape.length || !stride.every(Number.isSafeInteger) || !Number.isSafeInteger(offset))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one integer stride per dimension for ${name} but received ${show(stride)}.`,
    );
  const isDetached = (data.buffer as { detached?: boolean }).detached ?? data.buffer.byteLength === 0;
  if (sizeOf(shape) > 0 && isDetached)
    throw sinoError(
      "ERR_SINO_BUFFER_DETACHED",
      `The buffer of ${name} is detached: it was transferred elsewhere. Pass a copy or a SharedArrayBuffer.`,
    );
  let lowest = offset;
  let highest = offset;
  for (let axis = 0; axis < shape.length; axis++) {
    const reach = stride[axis]! * (shape[axis]! - 1);
    if (reach > 0) highest += reach;
    else lowest += reach;
  }
  if (sizeOf(shape) > 0 && (lowest < 0 || highest >= data.length))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `${name} of shape ${show(shape)} needs elements ${lowest} to ${highest} but its data has ${data.length}.`,
      { details: { shape, length: data.length } },
    );
}

/** The same memory with rows and columns, the last two dimensions, changing places. */
export function transposed(array: ArrayLike): ArrayLike {
  const swapped = <T>(list: readonly T[]) => [...list.slice(0, -2), list.at(-1)!, list.at(-2)!];
  const stride = swapped(array.stride ?? rowMajorStride(array.shape));
  return { data: array.data, shape: swapped(array.shape), stride, offset: array.offset ?? 0 };
}
