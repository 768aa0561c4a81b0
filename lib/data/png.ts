/** PNG images as arrays, 1 to 16 bits, and the 16-bit PNGs of the DeepLesion data set, where HU = stored − 32768. */
import { crc32 } from "node:zlib";
import type { DecodedPng } from "fast-png";
import { type ArrayLike, checkArray, type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { writeFileAtomic } from "../core/files.ts";
import { offsetToInt16, offsetToUint16, rowMajorData, unpackSamples } from "./elements.ts";
import { deflateLimit, formatError, withFile } from "./source.ts";

/** What DeepLesion adds to HU so that 16-bit PNG can hold them. */
export const deepLesionOffset = 32768;

export interface PngImage {
  /** [row, column], or [row, column, channel] for grey + alpha, RGB, RGBA. */
  array: Volume<TypedArray>;
  /** 1, 2, 4, 8 or 16. */
  bitDepth: number;
}

export interface PngOptions {
  /** Stored values are HU + 32768: the array is HU as Int16Array. Needs a 16-bit grey image. Default false. */
  deepLesion?: boolean;
}

const signature = "\x89PNG\r\n\x1a\n";

/**
 * Reads a PNG as Uint8Array or Uint16Array, values as stored, checksums verified. Palettes are refused.
 * Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT.
 */
export async function readPng(path: string, { deepLesion = false }: PngOptions = {}): Promise<PngImage> {
  const bytes = Buffer.from((await withFile(path, (source) => source.read(0, source.length, "a PNG image"))).buffer);
  checkChunks(bytes, path);
  const { decode } = await import("fast-png");
  let image: DecodedPng;
  try {
    image = decode(bytes);
  } catch (cause) {
    throw formatError(
      path,
      `its PNG data are damaged (${cause instanceof Error ? cause.message : String(cause)}).`,
      {},
      cause,
    );
  }
  const { width, height, depth, channels } = image;
  if (deepLesion && (depth !== 16 || channels !== 1))
    throw formatError(
      path,
      `expected a 16-bit grey image, as DeepLesion has them, but found ${depth} bits and ${channels} channels.`,
    );
  const data = depth < 8 ? unpackSamples(image.data as Uint8Array, depth as 1 | 2 | 4, width, height) : image.data;
  if (data.length !== width * height * channels)
    throw formatError(path, `expected ${width * height * channels} values but found ${data.length}.`);
  const values = deepLesion ? offsetToInt16(data, -deepLesionOffset) : data;
  return { array: volume(values, channels === 1 ? [height, width] : [height, width, channels]), bitDepth: depth };
}

/**
 * Walks the chunks before anything is inflated: lengths, checksums, and whether the compressed bytes can hold the image
 * that the header promises. The decoder checks none of these.
 */
function checkChunks(bytes: Buffer, path: string): void {
  if (bytes.toString("latin1", 0, 8) !== signature)
    throw formatError(
      path,
      `expected a PNG image but found ${bytes.length === 0 ? "an empty file" : show(bytes.toString("latin1", 0, 8))}.`,
    );
  let compressed = 0;
  let promised = 0;
  for (let at = 8, type = ""; type !== "IEND"; ) {
    const length = at + 12 <= bytes.length ? bytes.readUInt32BE(at) : 0;
    const end = at + 12 + length;
    if (at + 12 > bytes.length || end > bytes.length)
      throw formatError(path, "it is cut short.", { length: bytes.length });
    type = bytes.toString("latin1", at + 4, at + 8);
    if (crc32(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4))
      throw formatError(path, `the checksum of its ${show(type)} chunk is wrong. The file is damaged.`);
    if (at === 8 && (type !== "IHDR" || length !== 13))
      throw formatError(path, `expected an IHDR chunk first but found ${show(type)}.`);
    if (at === 8) promised = promisedBytes(bytes.subarray(at + 8, end - 4), path);
    if (type === "IDAT") compressed += length;
    at = end;
  }
  if (promised > (compressed + 1) * deflateLimit)
    throw formatError(
      path,
      `${compressed} compressed bytes cannot hold the ${promised} that its size promises. The file is damaged.`,
    );
}

function promisedBytes(header: Buffer, path: string): number {
  const [width, height, depth, colour] = [header.readUInt32BE(0), header.readUInt32BE(4), header[8]!, header[9]!];
  if (width === 0 || height === 0)
    throw formatError(path, `expected an image but found a size of ${width} × ${height}.`);
  if (colour === 3) throw formatError(path, "its pixels are indices into a palette. Convert it to grey or RGB.");
  const channels = { 0: 1, 2: 3, 4: 2, 6: 4 }[colour] ?? 0;
  if (channels === 0 || ![1, 2, 4, 8, 16].includes(depth) || (channels > 1 && depth < 8))
    throw formatError(path, `expected a known kind of pixel but found colour type ${colour} with ${depth} bits.`);
  return height * Math.ceil((width * channels * depth) / 8);
}

/**
 * Writes [row, column] or [row, column, 2 | 3 | 4] as an 8-bit (Uint8Array) or 16-bit (Uint16Array) PNG, atomically.
 * With `deepLesion`, HU of any type are rounded and stored plus 32768; HU outside −32768…32767 throw ERR_SINO_OUT_OF_RANGE.
 * Throws ERR_SINO_IO, ERR_SINO_ARG_TYPE, ERR_SINO_SHAPE.
 */
export async function writePng(path: string, array: ArrayLike, { deepLesion = false }: PngOptions = {}): Promise<void> {
  checkArray(array, "array", deepLesion ? [2] : [2, 3]);
  const [height = 0, width = 0, channels = 1] = array.shape;
  if (height < 1 || width < 1 || channels < 1 || channels > 4)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected [row, column] or [row, column, 1 to 4] for a PNG image but received ${show(array.shape)}.`,
    );
  const values = rowMajorData(array);
  const data = deepLesion ? offsetToUint16(values, deepLesionOffset) : values;
  if (!(data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Uint8ClampedArray))
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected Uint8Array or Uint16Array for a PNG image but received ${show(data)}. Window the values first, or store HU with deepLesion.`,
    );
  const { encode } = await import("fast-png");
  await writeFileAtomic(path, encode({ width, height, data, channels, depth: data.BYTES_PER_ELEMENT === 2 ? 16 : 8 }));
}
