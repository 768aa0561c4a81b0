/**
 * Bytes to read a format from: a file, a gzip file read forwards, or memory. Every `read` is checked against what is
 * there before anything is allocated, and gives memory that belongs to the reader, who may reinterpret it in place.
 */
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { type ErrorDetails, isCodedError, show, sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { copyInTurns } from "../core/turns.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export interface ByteSource {
  /** How error sentences name it. */
  readonly name: string;
  /** Bytes there are; for a compressed file the most there can be. */
  readonly length: number;
  /** Copies `length` bytes from `start`; `what` names them in the ERR_SINO_IO_FORMAT thrown when they are not there. */
  read(start: number, length: number, what: string): Promise<Bytes>;
}

/** Deflate cannot expand by more than this; a size above it, read from a file, is a lie. */
export const deflateLimit = 1032;

const longestRead = 2 ** 30;

/** ERR_SINO_IO_FORMAT: "Cannot read NAME: PROBLEM". */
export function formatError(name: string, problem: string, details: ErrorDetails = {}, cause?: unknown): Error {
  return sinoError("ERR_SINO_IO_FORMAT", `Cannot read ${name}: ${problem}`, {
    details: { file: name, ...details },
    cause,
  });
}

/** Allocates, or throws ERR_SINO_OUT_OF_MEMORY with the bytes needed. */
export function allocate(length: number, name: string): Bytes {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw sinoError("ERR_SINO_OUT_OF_MEMORY", `Cannot read ${name}: ${length} bytes of memory are not available.`, {
      cause,
      details: { needed: length, device: "cpu" },
    });
  }
}

function truncated(name: string, what: string, end: number, length: number): Error {
  return formatError(
    name,
    `expected ${end} bytes to hold ${what} but found ${length}. The file is cut short or damaged.`,
    {
      expected: end,
      found: length,
    },
  );
}

/**
 * Bytes that an array of `shape` takes, when `available` bytes can hold them.
 * Throws ERR_SINO_IO_FORMAT for dimensions that are no counts, overflow or need more than there is.
 */
export function checkedByteLength(
  name: string,
  shape: readonly number[],
  bytesPerElement: number,
  available: number,
): number {
  if (shape.length > 32 || !shape.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw formatError(name, `expected at most 32 non-negative dimensions but found the shape ${show(shape)}.`, {
      shape,
    });
  if (shape.includes(0)) return 0;
  const bytes = shape.reduce((product, n) => product * n, bytesPerElement);
  if (bytes > available)
    throw formatError(
      name,
      `its header promises shape ${show(shape)}, which takes ${bytes} bytes, but there are only ${Math.max(0, available)}. The file is cut short or damaged.`,
      { shape, expected: bytes, found: available },
    );
  return bytes;
}

export function memorySource(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    length: bytes.length,
    async read(start, length, what) {
      if (start + length > bytes.length) throw truncated(name, what, start + length, bytes.length);
      const copy = allocate(length, name);
      await copyInTurns<Uint8Array>(bytes.subarray(start, start + length), copy);
      return copy;
    },
  };
}

/** The part of a source that starts at `start`, as a source of its own. */
export function partOf(source: ByteSource, start: number, length: number, name: string): ByteSource {
  return {
    name,
    length,
    async read(offset, count, what) {
      if (offset + count > length) throw truncated(name, what, offset + count, length);
      return source.read(start + offset, count, what);
    },
  };
}

async function sizeOfFile(path: string): Promise<number> {
  const info = await stat(path).catch((cause) => {
    throw ioError("read", path, cause);
  });
  if (!info.isFile())
    throw sinoError(
      "ERR_SINO_IO",
      `Cannot read ${path}: it is ${info.isDirectory() ? "a folder" : "not a regular file"}.`,
      {
        details: { path },
      },
    );
  return info.size;
}

/** How a file is read where new memory for every read is too slow. */
export interface FileReading {
  /** Memory of that many bytes, filled by one read; default new memory. */
  memory?: (length: number) => Bytes;
  /** Sees what was read, before anybody reinterprets it. */
  watch?: (bytes: Bytes, start: number) => void;
}

/** Opens a file for the time of `use`. Throws ERR_SINO_IO. */
export async function withFile<T>(
  path: string,
  use: (source: ByteSource) => Promise<T>,
  { memory = (length) => allocate(length, path), watch }: FileReading = {},
): Promise<T> {
  const size = await sizeOfFile(path);
  const file = await open(path, "r").catch((cause) => {
    throw ioError("read", path, cause);
  });
  try {
    return await use({
      name: path,
      length: size,
      async read(start, length, what) {
        if (start + length > size) throw truncated(path, what, start + length, size);
        const bytes = memory(length);
        for (let done = 0; done < length; ) {
          const { bytesRead } = await file.read(bytes, done, Math.min(length - done, longestRead), start + done);
          if (bytesRead === 0) throw truncated(path, what, start + length, start + done);
          done += bytesRead;
        }
        watch?.(bytes, start);
        return bytes;
      },
    });
  } catch (error) {
    throw isCodedError(error) ? error : ioError("read", path, error);
  } finally {
    await file.close();
  }
}

/**
 * Opens a gzip file for the time of `use`. It can only be read forwards. What `use` leaves unread is inflated and thrown
 * away, so that the checksum at the end is always verified. Throws ERR_SINO_IO and ERR_SINO_IO_FORMAT.
 */
async function withGzip<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const size = await sizeOfFile(path);
  const inflated = createGunzip({ chunkSize: 2 ** 20 });
  pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), inflated, () => undefined);
  const chunks = inflated[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let chunk: Uint8Array = new Uint8Array(0);
  let position = 0;
  const next = async (limit: number): Promise<Uint8Array | undefined> => {
    if (chunk.length === 0) {
      const step = await chunks.next();
      if (step.done) return undefined;
      chunk = step.value;
    }
    const part = chunk.subarray(0, limit);
    chunk = chunk.subarray(part.length);
    position += part.length;
    return part;
  };
  try {
    const result = await use({
      name: path,
      length: size * deflateLimit,
      async read(start, length, what) {
        if (start < position) throw sinoError("ERR_SINO_INTERNAL", `${path} is compressed and was read backwards.`);
        while (position < start)
          if (!(await next(start - position))) throw truncated(path, what, start + length, position);
        if (length > (size + 1) * deflateLimit) throw truncated(path, what, start + length, position);
        const bytes = allocate(length, path);
        while (position < start + length) {
          const at = position - start;
          const part = await next(start + length - position);
          if (!part) throw truncated(path, what, start + length, position);
          bytes.set(part, at);
        }
        return bytes;
      },
    });
    chunk = new Uint8Array(0);
    while (await next(Number.POSITIVE_INFINITY)) chunk = new Uint8Array(0);
    return result;
  } catch (error) {
    if (isCodedError(error)) throw error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (/^Z_|^ERR_/.test(code))
      throw formatError(path, `its gzip data are damaged or cut short (${message}).`, {}, error);
    throw ioError("read", path, error);
  } finally {
    inflated.destroy();
  }
}

/** Opens a file that may be compressed with gzip, told by its first two bytes and not by its name. */
export async function withMaybeGzip<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const compressed = await withFile(path, async (source) => {
    if (source.length < 2) return false;
    const [first, second] = await source.read(0, 2, "a header");
    return first === 0x1f && second === 0x8b;
  });
  return compressed ? withGzip(path, use) : withFile(path, use);
}
