/**
 * What a job was made from and what it made, as XXH64 (`xxh64sum` tells the same): it shows what has changed or been damaged, not
 * what somebody forged. SHA-256 of all that is read and written would cost a tenth of the computing.
 */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import xxhash, { type XXHash, type XXHashAPI } from "xxhash-wasm";
import { readPieces, sha256 } from "../core/digest.ts";

export interface Checksum {
  bytes: number;
  xxh64: string;
}

let loading: Promise<XXHashAPI> | undefined;

async function newHash(): Promise<XXHash<bigint>> {
  loading ??= xxhash();
  return (await loading).create64();
}

const hex = (hash: XXHash<bigint>): string => hash.digest().toString(16).padStart(16, "0");

/** Of the bytes of a file. Throws ERR_SINO_IO. */
export async function fileChecksum(path: string, signal?: AbortSignal): Promise<Checksum> {
  const hash = await newHash();
  const bytes = await readPieces(path, (piece) => hash.update(piece), signal);
  return { bytes, xxh64: hex(hash) };
}

/** Of bytes in memory, one piece after the other. */
export async function checksumOf(pieces: readonly Uint8Array[]): Promise<Checksum> {
  const hash = await newHash();
  let bytes = 0;
  for (const piece of pieces) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, xxh64: hex(hash) };
}

/** Of a file while it is read from its start to its end: what it was made from, without reading it twice. */
export class PassingChecksum {
  readonly #hash: XXHash<bigint>;
  #bytes = 0;

  private constructor(hash: XXHash<bigint>) {
    this.#hash = hash;
  }

  static async start(): Promise<PassingChecksum> {
    return new PassingChecksum(await newHash());
  }

  /** Bytes that were read from `start`; what was seen before is not counted twice. */
  see(bytes: Uint8Array, start: number): void {
    const end = start + bytes.length;
    if (start > this.#bytes || end <= this.#bytes) return;
    this.#hash.update(bytes.subarray(this.#bytes - start));
    this.#bytes = end;
  }

  /** XXH64 of the file; undefined where not all of it passed. */
  async of(path: string): Promise<string | undefined> {
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    return size === this.#bytes ? hex(this.#hash) : undefined;
  }
}

/** Of a set of files by name and content, wherever their folder lies; of some the XXH64 is `known`. Throws ERR_SINO_IO. */
export async function inputDigest(
  files: readonly string[],
  signal?: AbortSignal,
  known: ReadonlyMap<string, string> = new Map(),
): Promise<string> {
  const lines: string[] = [];
  for (const file of files)
    lines.push(`${known.get(file) ?? (await fileChecksum(file, signal)).xxh64}  ${basename(file)}`);
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
