/** The stored pixels of one slice as little-endian bytes, whatever its transfer syntax. */
import { closeSync, openSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isCodedError } from "../../core/errors.ts";
import { ioError } from "../../core/files.ts";
import { decodeSlice } from "./codec-pool.ts";
import { formatError } from "./failures.ts";
import { parse } from "./parse.ts";
import { type CtSlice, storedBytes } from "./slice.ts";

/**
 * Fills `into` (exactly the slice's stored bytes). Uncompressed slices are read before it returns, blocking for about
 * 0.05 ms; the promise is there for the others. Rejects with ERR_SINO_IO, ERR_SINO_IO_FORMAT or ERR_SINO_UNSUPPORTED.
 */
export function readStored(slice: CtSlice, into: Uint8Array): Promise<void> | undefined {
  const { encoding } = slice.transferSyntax;
  if (encoding === "encapsulated") return decodeSlice(slice).then((pixels) => into.set(pixels));
  if (encoding === "deflated") return readDeflated(slice, into);
  readNative(slice, into);
  return undefined;
}

/** As readStored, into a buffer of its own. */
export async function storedPixels(slice: CtSlice): Promise<Uint8Array> {
  if (slice.transferSyntax.encoding === "encapsulated") return decodeSlice(slice);
  const bytes = new Uint8Array(storedBytes(slice));
  await readStored(slice, bytes);
  return bytes;
}

function readNative(slice: CtSlice, into: Uint8Array): void {
  const { file, pixelOffset } = slice;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    let got = 0;
    while (got < into.length) {
      const read = readSync(descriptor, into, got, into.length - got, pixelOffset + got);
      if (read === 0)
        throw formatError(file, `the file is truncated: ${got} of ${into.length} bytes of pixels are there.`);
      got += read;
    }
  } catch (error) {
    throw isCodedError(error) ? error : ioError("read", file, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  if (slice.transferSyntax.bigEndian) toLittleEndian(slice, into);
}

/** Big-endian words of the pixel VR become little-endian; 8-bit pixels are swapped only where they were stored in words. */
function toLittleEndian({ bitsAllocated, pixelVr }: CtSlice, bytes: Uint8Array): void {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bitsAllocated === 32) view.swap32();
  else if (bitsAllocated === 16 || (pixelVr === "OW" && view.length % 2 === 0)) view.swap16();
}

async function readDeflated(slice: CtSlice, into: Uint8Array): Promise<void> {
  const { file, pixelOffset } = slice;
  const bytes = await readFile(file).catch((error) => {
    throw ioError("read", file, error);
  });
  const all = parse(file, bytes)?.byteArray;
  const pixels = all?.subarray(pixelOffset, pixelOffset + into.length);
  if (pixels?.length !== into.length)
    throw formatError(
      file,
      `the deflated data set is truncated: ${pixels?.length ?? 0} of ${into.length} bytes of pixels are there.`,
    );
  into.set(pixels);
}
