/** Reads the parts of an ONNX file: nodes, initial values, inputs and outputs, as they stand there. import.ts makes a graph of them. */
import { sizeOf } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { onnxTypes } from "./ops/elementwise.ts";
import type { ConstantData, ElementType } from "./tensor.ts";
import { type ReadField, readFields, readInts } from "./wire.ts";

export interface FileTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: ConstantData;
}

export interface FileNode {
  readonly type: string;
  readonly name: string;
  /** Empty names stand for inputs that are left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, number | string | readonly number[] | FileTensor>>;
}

export interface FileValue {
  readonly name: string;
  readonly type: ElementType;
  /** A name where the length may change from run to run. */
  readonly shape: readonly (number | string)[];
}

export interface FileModel {
  readonly name: string;
  readonly opset: number;
  readonly nodes: readonly FileNode[];
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly inputs: readonly FileValue[];
  readonly outputs: readonly FileValue[];
  readonly metadata: Readonly<Record<string, string>>;
}

const utf8 = new TextDecoder();
const bytesAt = (fields: readonly ReadField[], tag: number) =>
  fields.find((f) => f.tag === tag && f.value instanceof Uint8Array)?.value as Uint8Array | undefined;
const messages = (fields: readonly ReadField[], tag: number) =>
  fields.flatMap((f) => (f.tag === tag && f.value instanceof Uint8Array ? [readFields(f.value)] : []));
const texts = (fields: readonly ReadField[], tag: number) =>
  fields.flatMap((f) => (f.tag === tag && f.value instanceof Uint8Array ? [utf8.decode(f.value)] : []));
const text = (fields: readonly ReadField[], tag: number) => texts(fields, tag)[0] ?? "";
const int = (fields: readonly ReadField[], tag: number) => Number(readInts(fields, tag)[0] ?? 0n);

const bad = (what: string) => sinoError("ERR_SINO_IO_FORMAT", `This is not an ONNX model that can be read: ${what}.`);

/** Throws ERR_SINO_IO_FORMAT (not ONNX, cut off, with external data) and ERR_SINO_UNSUPPORTED (kinds of numbers). */
export function readModel(bytes: Uint8Array): FileModel {
  // a Buffer's slice would not copy
  const model = readFields(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const body = messages(model, 7)[0];
  if (!body) throw bad("it holds no graph");
  const domains = messages(model, 8);
  const own = domains.find((d) => ["", "ai.onnx"].includes(text(d, 1)));
  if (!own) throw bad("it names no version of ONNX's operators");
  const tensors = new Map(messages(body, 5).map((fields) => [text(fields, 8), tensorOf(fields)]));
  return {
    name: text(body, 2),
    opset: int(own, 2),
    nodes: messages(body, 1).map(nodeOf),
    tensors,
    inputs: messages(body, 11)
      .map(declared)
      .filter(({ name }) => !tensors.has(name)),
    outputs: messages(body, 12).map(declared),
    metadata: Object.fromEntries(messages(model, 14).map((fields) => [text(fields, 1), text(fields, 2)])),
  };
}

function nodeOf(fields: readonly ReadField[]): FileNode {
  const type = text(fields, 4);
  if (!["", "ai.onnx"].includes(text(fields, 7)))
    throw sinoError("ERR_SINO_UNSUPPORTED", `The operation ${type} of ${text(fields, 7)} is not one of ONNX itself.`);
  const attributes = messages(fields, 5).map((a) => [text(a, 1), attributeOf(a)] as const);
  return {
    type,
    name: text(fields, 3),
    inputs: texts(fields, 1),
    outputs: texts(fields, 2),
    attributes: Object.fromEntries(attributes),
  };
}

function attributeOf(fields: readonly ReadField[]): FileNode["attributes"][string] {
  const kind = int(fields, 20);
  if (kind === 1) return (fields.find((f) => f.tag === 2)?.value as number | undefined) ?? 0;
  if (kind === 2) return int(fields, 3);
  if (kind === 3) return text(fields, 4);
  if (kind === 4) return tensorOf(messages(fields, 5)[0] ?? []);
  if (kind === 6) return floats(fields, 7);
  if (kind === 7) return readInts(fields, 8).map(Number);
  throw sinoError(
    "ERR_SINO_UNSUPPORTED",
    `The attribute ${text(fields, 1)} is of a kind (${kind}) that cannot be read.`,
  );
}

/** A repeated float field, packed or one by one. */
function floats(fields: readonly ReadField[], tag: number): number[] {
  return fields.flatMap((f) => {
    if (f.tag !== tag) return [];
    if (typeof f.value === "number") return [f.value];
    const bytes = (f.value as Uint8Array).slice();
    return [...new Float32Array(bytes.buffer, 0, bytes.length >> 2)];
  });
}

const typeNames = new Map(Object.entries(onnxTypes).map(([name, code]) => [code, name as ElementType]));

function typeOf(code: number): ElementType {
  const type = typeNames.get(code);
  if (type) return type;
  throw sinoError(
    "ERR_SINO_UNSUPPORTED",
    `ONNX's element type ${code} cannot be read; these can: ${[...typeNames.values()].join(", ")}.`,
  );
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
} as const;

function tensorOf(fields: readonly ReadField[]): FileTensor {
  const name = text(fields, 8);
  const type = typeOf(int(fields, 2));
  const shape = readInts(fields, 1).map(Number);
  if (int(fields, 14) === 1 || messages(fields, 13).length > 0) throw bad(`the values of ${name} are in another file`);
  const raw = bytesAt(fields, 9);
  const data = raw ? fromBytes(raw, type) : fromFields(fields, type);
  if (data.length !== sizeOf(shape)) throw bad(`${name} expected ${sizeOf(shape)} values but holds ${data.length}`);
  return { name, type, shape, data };
}

function fromBytes(raw: Uint8Array, type: ElementType): ConstantData {
  const { buffer } = raw.slice();
  const Kind = arrays[type];
  return new Kind(buffer, 0, Math.floor(raw.length / Kind.BYTES_PER_ELEMENT)) as ConstantData;
}

function fromFields(fields: readonly ReadField[], type: ElementType): ConstantData {
  if (type === "float32") return Float32Array.from(floats(fields, 4));
  if (type === "int64") return BigInt64Array.from(readInts(fields, 7));
  if (type === "float64") throw bad("numbers of double precision outside raw_data");
  return (arrays[type] as typeof Int32Array).from(readInts(fields, 5).map(Number)) as ConstantData;
}

function declared(fields: readonly ReadField[]): FileValue {
  const tensor = messages(messages(fields, 2)[0] ?? [], 1)[0] ?? [];
  const dims = messages(messages(tensor, 2)[0] ?? [], 1);
  const shape = dims.map((d, axis) => (d.some((f) => f.tag === 1) ? int(d, 1) : text(d, 2) || `axis${axis}`));
  return { name: text(fields, 1), type: typeOf(int(tensor, 1)), shape };
}
