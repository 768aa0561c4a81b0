/** Headerless files: nothing but elements. The shape and the type come from whoever reads. */
import { type ArrayLike, checkArray, sizeOf, type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { writeFileAtomic } from "../core/files.ts";
import { bytesPerElement, decodeElements, encodeElements, rowMajorData, type StoredType } from "./elements.ts";
import { type ByteSource, type FileReading, formatError, withFile } from "./source.ts";

export interface RawOptions {
  /** Row-major, slowest first. */
  shape: readonly number[];
  /** Default "float32". */
  dtype?: StoredType;
  /** Default true. */
  littleEndian?: boolean;
  /** Bytes to skip at the start of the file; default 0. */
  offset?: number;
}

/**
 * Reads a headerless file, which must have exactly the size that shape and type ask for.
 * Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE.
 */
export async function readRaw(path: string, options: RawOptions, reading?: FileReading): Promise<Volume<TypedArray>> {
  const { shape, dtype = "float32", littleEndian = true, offset = 0 } = options;
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n > 0))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected positive integers for the shape of ${path} but received ${show(shape)}.`,
    );
  if (!Object.hasOwn(bytesPerElement, dtype))
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected one of ${Object.keys(bytesPerElement).join(", ")} for the dtype of ${path} but received ${show(dtype)}.`,
    );
  if (!Number.isSafeInteger(offset) || offset < 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a count of bytes for the offset in ${path} but received ${show(offset)}.`,
    );
  const read = async (source: ByteSource) => {
    const expected = sizeOf(shape) * bytesPerElement[dtype];
    const found = source.length - offset;
    if (found !== expected)
      throw formatError(
        path,
        `${dtype} elements of shape ${shape.join("×")} take ${expected} bytes but the file has ${Math.max(0, found)}${offset ? ` after the first ${offset}` : ""}. Check the shape and the type.`,
        { expected, found },
      );
    const bytes = await source.read(offset, expected, "the elements");
    return volume(decodeElements(bytes, dtype, littleEndian, path), shape);
  };
  return withFile(path, read, reading);
}

/** Writes the elements row-major and little-endian (or not), without a header, atomically. Throws ERR_SINO_IO. */
export async function writeRaw(
  path: string,
  array: ArrayLike,
  { littleEndian = true }: { littleEndian?: boolean } = {},
): Promise<void> {
  checkArray(array, "array");
  await writeFileAtomic(path, encodeElements(rowMajorData(array), littleEndian));
}
