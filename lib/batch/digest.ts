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

/** Of a file while it is read from its start to its end: what it was made from, without reading it twice. */
export class PassingDigest {
  readonly #hash = createHash("sha256");
  #bytes = 0;

  /** Bytes that were read from `start`; what was seen before is not counted twice. */
  see(bytes: Uint8Array, start: number): void {
    const end = start + bytes.length;
    if (start > this.#bytes || end <= this.#bytes) return;
    this.#hash.update(bytes.subarray(this.#bytes - start));
    this.#bytes = end;
  }

  /** SHA-256 of the file, once; undefined where not all of it passed. */
  async of(path: string): Promise<string | undefined> {
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    return size === this.#bytes ? this.#hash.digest("hex") : undefined;
  }
}

/** Of a set of files by name and content, wherever their folder lies; of some the SHA-256 is `known`. Throws ERR_SINO_IO. */
export async function inputDigest(
  files: readonly string[],
  signal?: AbortSignal,
  known: ReadonlyMap<string, string> = new Map(),
): Promise<string> {
  const lines: string[] = [];
  for (const file of files)
    lines.push(`${known.get(file) ?? (await fileDigest(file, signal)).sha256}  ${basename(file)}`);
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
