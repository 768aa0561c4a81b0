/**
 * Safetensors: named arrays in one file, as PyTorch's ecosystem exchanges weights. Eight bytes of header length (little
 * endian), a JSON header {name: {dtype, shape, data_offsets}}, then the data. https://huggingface.co/docs/safetensors
 */
import { readFile } from "node:fs/promises";
import { sizeOf } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { ioError, writeFileAtomic } from "../core/files.ts";

export interface NamedArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, NamedArray>;
  readonly metadata: Readonly<Record<string, string>>;
}

type Entry = { dtype: string; shape: number[]; data_offsets: [number, number] };

const bytesOf = ({ data }: NamedArray) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Writes arrays as F32, in their order; the file appears whole or not at all. Throws ERR_SINO_IO, ERR_SINO_SHAPE. */
export async function writeSafetensors(path: string, { tensors, metadata }: Safetensors): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let at = 0;
  for (const [name, { shape, data }] of tensors) {
    if (data.length !== sizeOf(shape))
      throw sinoError(
        "ERR_SINO_SHAPE",
        `${name} of shape [${shape.join(", ")}] expected ${sizeOf(shape)} values but received ${data.length}.`,
      );
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padding = " ".repeat((8 - (json.length % 8)) % 8);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length + padding.length), true);
  await writeFileAtomic(path, length, json, padding, ...[...tensors.values()].map(bytesOf));
}

/** Reads the F32 arrays of a file. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT (broken, or other kinds of numbers). */
export async function readSafetensors(path: string): Promise<Safetensors> {
  const bytes = await readFile(path).catch((cause) => {
    throw ioError("read", path, cause);
  });
  const bad = (what: string) =>
    sinoError("ERR_SINO_IO_FORMAT", `${path} is not a safetensors file: ${what}.`, { details: { path } });
  if (bytes.length < 8) throw bad("it ends before its header");
  const headerLength = Number(bytes.readBigUInt64LE(0));
  if (headerLength > bytes.length - 8) throw bad(`a header of ${headerLength} bytes does not fit into ${bytes.length}`);
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(bytes.toString("utf8", 8, 8 + headerLength));
  } catch {
    throw bad("its header is not JSON");
  }
  const body = bytes.subarray(8 + headerLength);
  const tensors = new Map<string, NamedArray>();
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: offsets } = value as Entry;
    if (dtype !== "F32") throw bad(`expected F32 for ${name} but found ${dtype}`);
    const [from, to] = offsets ?? [0, -1];
    if (!Array.isArray(shape) || to - from !== 4 * sizeOf(shape) || from < 0 || to > body.length)
      throw bad(`${name} does not lie within the file`);
    const data = new Float32Array((to - from) / 4);
    new Uint8Array(data.buffer).set(body.subarray(from, to));
    tensors.set(name, { shape, data });
  }
  return { tensors, metadata: (header["__metadata__"] ?? {}) as Record<string, string> };
}
