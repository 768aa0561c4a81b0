/** SHA-256 of texts and files: names that follow from contents, and proof that weights are those of their card. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { ioError } from "./files.ts";

/** Small enough that hashing a piece never holds the event loop for a millisecond or two. */
const pieceBytes = 512 << 10;

/** Pieces that no file is read into now: thousands of files would leave as many to the collector. */
const pieces: Buffer[] = [];

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Of the bytes of a file. Throws ERR_SINO_IO. */
export async function fileDigest(path: string, signal?: AbortSignal): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  const bytes = await readPieces(path, (piece) => hash.update(piece), signal);
  return { bytes, sha256: hash.digest("hex") };
}

/** Shows a file from start to end in pieces, each valid until the next, and says how many bytes it has. Throws ERR_SINO_IO. */
export async function readPieces(
  path: string,
  see: (piece: Uint8Array) => void,
  signal?: AbortSignal,
): Promise<number> {
  const piece = pieces.pop() ?? Buffer.allocUnsafe(pieceBytes);
  let bytes = 0;
  try {
    const file = await open(path, "r");
    try {
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead } = await file.read(piece, 0, pieceBytes);
        if (bytesRead === 0) return bytes;
        see(piece.subarray(0, bytesRead));
        bytes += bytesRead;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError("read", path, error);
  } finally {
    pieces.push(piece);
  }
}
