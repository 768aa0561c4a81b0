/** What a job was made from and what it made, as SHA-256: proof that a result belongs to its input. */
import { createHash } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { ioError } from "../core/files.ts";

/** Small enough that hashing a piece never holds the event loop for a millisecond or two. */
const pieceBytes = 512 << 10;

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Pieces that no file is read into now: thousands of files would leave as many to the collector. */
const pieces: Buffer[] = [];

/** Of the bytes of a file. Throws ERR_SINO_IO. */
export async function fileDigest(path: string, signal?: AbortSignal): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  const piece = pieces.pop() ?? Buffer.allocUnsafe(pieceBytes);
  let bytes = 0;
  try {
    const file = await open(path, "r");
    try {
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead } = await file.read(piece, 0, pieceBytes);
        if (bytesRead === 0) return { bytes, sha256: hash.digest("hex") };
        hash.update(piece.subarray(0, bytesRead));
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

/** Of a set of files by name and content, wherever their folder lies. Throws ERR_SINO_IO. */
export async function inputDigest(files: readonly string[], signal?: AbortSignal): Promise<string> {
  const lines: string[] = [];
  for (const file of files) lines.push(`${(await fileDigest(file, signal)).sha256}  ${basename(file)}`);
  return sha256(lines.sort().join("\n"));
}

/** Of names, sizes and times: equal stamps are taken as equal contents, as make does. Undefined where a file is missing. */
export async function stampOf(files: readonly string[]): Promise<string | undefined> {
  const lines: string[] = [];
  for (const file of files) {
    const found = await stat(file, { bigint: true }).catch(() => undefined);
    if (!found) return undefined;
    lines.push(`${file} ${found.size} ${found.mtimeNs}`);
  }
  return sha256(lines.sort().join("\n"));
}
