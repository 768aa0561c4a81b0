/**
 * The part of the zip format that .npz files use: stored and deflated members, ZIP64 when reading.
 * Sizes and offsets come from the central directory (PKWARE APPNOTE 4.3); checksums are verified.
 */
import { constants } from "node:buffer";
import { promisify } from "node:util";
import { crc32, deflateRaw, inflateRaw } from "node:zlib";
import { sinoError } from "../core/errors.ts";
import { pieces } from "../core/turns.ts";
import { type ByteSource, deflateLimit, formatError, memorySource } from "./source.ts";

export interface ZipEntry {
  name: string;
  /** 0 stored, 8 deflated. */
  method: number;
  crc: number;
  compressedLength: number;
  length: number;
  headerAt: number;
}

const signatures = {
  local: 0x04034b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
};
const longestTail = 22 + 65535;
const in64 = 0xffffffff;

/** Lists the members of a zip file. Throws ERR_SINO_IO_FORMAT. */
export async function listZip(source: ByteSource): Promise<ZipEntry[]> {
  const { start, length, count } = await findDirectory(source);
  const directory = Buffer.from(await source.read(start, length, "the table of contents"));
  const entries: ZipEntry[] = [];
  for (let at = 0; entries.length < count; ) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== signatures.central)
      throw formatError(source.name, `its table of contents is damaged at entry ${entries.length + 1} of ${count}.`);
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const commentLength = directory.readUInt16LE(at + 32);
    const next = at + 46 + nameLength + extraLength + commentLength;
    if (next > directory.length) throw formatError(source.name, "its table of contents is cut short.");
    const name = directory.toString("utf8", at + 46, at + 46 + nameLength);
    if (directory.readUInt16LE(at + 8) & 1)
      throw formatError(source.name, `its member ${JSON.stringify(name)} is encrypted.`);
    const extra = directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    const [length, compressedLength, headerAt] = widen(
      [directory.readUInt32LE(at + 24), directory.readUInt32LE(at + 20), directory.readUInt32LE(at + 42)],
      extra,
      source.name,
    );
    const method = directory.readUInt16LE(at + 10);
    entries.push({ name, method, crc: directory.readUInt32LE(at + 16), compressedLength, length, headerAt });
    at = next;
  }
  return entries;
}

async function findDirectory(source: ByteSource): Promise<{ start: number; length: number; count: number }> {
  const tailLength = Math.min(source.length, longestTail);
  const tailAt = source.length - tailLength;
  const tail = Buffer.from(await source.read(tailAt, tailLength, "a zip file"));
  const end = tail.lastIndexOf("PK\x05\x06", undefined, "latin1");
  if (end < 0 || end + 22 > tail.length)
    throw formatError(
      source.name,
      "expected a zip file (.npz) but found no table of contents at its end. The file is cut short or is no zip file.",
    );
  const count = tail.readUInt16LE(end + 10);
  const length = tail.readUInt32LE(end + 12);
  const start = tail.readUInt32LE(end + 16);
  if (count !== 0xffff && length !== in64 && start !== in64) return { start, length, count };
  if (end < 20 || tail.readUInt32LE(end - 20) !== signatures.locator64) return { start, length, count };
  const record = Buffer.from(
    await source.read(safe(tail.readBigUInt64LE(end - 12)), 56, "the ZIP64 table of contents"),
  );
  if (record.readUInt32LE(0) !== signatures.end64)
    throw formatError(source.name, "its ZIP64 table of contents is damaged.");
  return {
    count: safe(record.readBigUInt64LE(32)),
    length: safe(record.readBigUInt64LE(40)),
    start: safe(record.readBigUInt64LE(48)),
  };
}

/** Takes the values that did not fit in 32 bits from the ZIP64 extra field, in its fixed order. */
function widen(values: [number, number, number], extra: Buffer, name: string): [number, number, number] {
  if (!values.includes(in64)) return values;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const field = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
    let next = 0;
    return values.map((value) => {
      if (value !== in64) return value;
      if (next + 8 > field.length) throw formatError(name, "a ZIP64 field in its table of contents is cut short.");
      next += 8;
      return safe(field.readBigUInt64LE(next - 8));
    }) as [number, number, number];
  }
  return values;
}

/** Beyond 2^53 every comparison with a file's length fails anyway, which is what is wanted. */
function safe(value: bigint): number {
  return Number(value);
}

/** Reads one member, inflated and checked. Throws ERR_SINO_IO_FORMAT. */
export async function readZipEntry(source: ByteSource, entry: ZipEntry): Promise<ByteSource> {
  const name = `${source.name}:${entry.name}`;
  const header = Buffer.from(await source.read(entry.headerAt, 30, `the member ${entry.name}`));
  if (header.readUInt32LE(0) !== signatures.local)
    throw formatError(name, "its header is not where the table of contents says. The file is damaged.");
  const start = entry.headerAt + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  const stored = await source.read(start, entry.compressedLength, `the member ${entry.name}`);
  const bytes = await decompress(stored, entry, name);
  if (bytes.length !== entry.length)
    throw formatError(name, `expected ${entry.length} bytes but found ${bytes.length}. The file is damaged.`);
  if ((await checksum([bytes])) !== entry.crc)
    throw formatError(name, "its checksum does not match its contents. The file is damaged.");
  return memorySource(bytes, name);
}

async function checksum(chunks: readonly Uint8Array[]): Promise<number> {
  let sum = 0;
  for (const chunk of chunks) for await (const [piece] of pieces(chunk)) sum = crc32(piece, sum);
  return sum;
}

async function decompress(stored: Uint8Array, entry: ZipEntry, name: string): Promise<Uint8Array> {
  if (entry.method === 0) return stored;
  if (entry.method !== 8)
    throw formatError(name, `expected a stored or deflated member but found compression method ${entry.method}.`);
  if (entry.length > (stored.length + 1) * deflateLimit)
    throw formatError(
      name,
      `${stored.length} compressed bytes cannot hold the ${entry.length} bytes promised. The file is damaged.`,
    );
  if (entry.length > constants.MAX_LENGTH)
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `Cannot read ${name}: ${entry.length} deflated bytes are too many. Save it without compression.`,
    );
  try {
    return await promisify(inflateRaw)(stored, { maxOutputLength: Math.max(1, entry.length) });
  } catch (cause) {
    throw formatError(name, `its compressed data are damaged (${(cause as Error).message}).`, {}, cause);
  }
}

/** The bytes of a zip file, the same for the same members: no time stamps. Throws ERR_SINO_UNSUPPORTED beyond 4 GiB. */
export async function encodeZip(
  members: readonly { name: string; chunks: Uint8Array[] }[],
  compress: boolean,
): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const member of members) {
    const name = Buffer.from(member.name, "utf8");
    const length = member.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const crc = await checksum(member.chunks);
    const stored = compress ? [await promisify(deflateRaw)(Buffer.concat(member.chunks))] : member.chunks;
    const compressedLength = stored.reduce((sum, chunk) => sum + chunk.length, 0);
    if (at + 30 + name.length + compressedLength >= in64 || length >= in64)
      throw sinoError(
        "ERR_SINO_UNSUPPORTED",
        "Cannot write zip files of 4 GiB or more. Write one .npy file per array.",
      );
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x0800, 2); // names are UTF-8
    common.writeUInt16LE(compress ? 8 : 0, 4);
    common.writeUInt16LE(0x0021, 8); // 1980-01-01
    common.writeUInt32LE(crc, 10);
    common.writeUInt32LE(compressedLength, 14);
    common.writeUInt32LE(length, 18);
    common.writeUInt16LE(name.length, 22);
    chunks.push(uint32(signatures.local), common, name, ...stored);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(uint32(signatures.central), Buffer.from([20, 0]), common, rest, name);
    at += 30 + name.length + compressedLength;
  }
  const directoryLength = directory.reduce((sum, chunk) => sum + chunk.length, 0);
  if (members.length >= 0xffff || at + directoryLength >= in64)
    throw sinoError("ERR_SINO_UNSUPPORTED", "Cannot write zip files of 65535 members or 4 GiB or more.");
  const end = Buffer.alloc(22);
  end.writeUInt32LE(signatures.end, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directoryLength, 12);
  end.writeUInt32LE(at, 16);
  return [...chunks, ...directory, end];
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}
