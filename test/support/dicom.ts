/**
 * Synthetic CT series for tests, encoded here from scratch so that the product's own writer is not its own judge.
 * Attributes are [tag, VR, value]; the same list can be written in each uncompressed transfer syntax.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";

export type Value = string | readonly number[] | Uint8Array | readonly (readonly Attribute[])[];
export type Attribute = readonly [tag: number, vr: string, value: Value];
export type Syntax = "explicit" | "implicit" | "bigEndian" | "deflated";

const uids: Record<Syntax, string> = {
  explicit: "1.2.840.10008.1.2.1",
  implicit: "1.2.840.10008.1.2",
  bigEndian: "1.2.840.10008.1.2.2",
  deflated: "1.2.840.10008.1.2.1.99",
};
const longVrs = ["OB", "OW", "SQ", "UN", "UT", "OF", "OD", "OV"];
const numberBytes: Record<string, number> = { US: 2, SS: 2, AT: 2, UL: 4, SL: 4, FL: 4, FD: 8 };

function valueBytes(vr: string, value: Value, encoding: Syntax, undefinedLengths: boolean): Buffer {
  if (typeof value === "string")
    return Buffer.from(value.length % 2 ? value + (vr === "UI" ? "\0" : " ") : value, "latin1");
  if (vr === "SQ") return sequenceBytes(value as readonly (readonly Attribute[])[], encoding, undefinedLengths);
  if (value instanceof Uint8Array) {
    const copy = Buffer.from(value);
    return encoding === "bigEndian" && vr === "OW" ? copy.swap16() : copy;
  }
  const size = numberBytes[vr] ?? 2;
  const bytes = Buffer.alloc(size * value.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const little = encoding !== "bigEndian";
  for (const [i, number] of (value as number[]).entries()) {
    if (vr === "FD") view.setFloat64(i * 8, number, little);
    else if (vr === "FL") view.setFloat32(i * 4, number, little);
    else if (size === 4) view.setInt32(i * 4, number, little);
    else view.setInt16(i * 2, number, little);
  }
  return bytes;
}

function sequenceBytes(items: readonly (readonly Attribute[])[], encoding: Syntax, undefinedLengths: boolean): Buffer {
  return Buffer.concat(
    items.map((attributes) => {
      const body = dataSetBytes(attributes, encoding, undefinedLengths);
      if (!undefinedLengths) return Buffer.concat([rawHeader(0xfffee000, body.length, encoding), body]);
      return Buffer.concat([rawHeader(0xfffee000, 0xffffffff, encoding), body, rawHeader(0xfffee00d, 0, encoding)]);
    }),
  );
}

function tagBytes(tag: number, encoding: Syntax): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(tag >>> 16, 0);
  bytes.writeUInt16LE(tag & 0xffff, 2);
  return encoding === "bigEndian" ? bytes.swap16() : bytes;
}

function lengthBytes(length: number, size: 2 | 4, encoding: Syntax): Buffer {
  const bytes = Buffer.alloc(size);
  if (encoding === "bigEndian") bytes.writeUIntBE(length, 0, size);
  else bytes.writeUIntLE(length, 0, size);
  return bytes;
}

function rawHeader(tag: number, length: number, encoding: Syntax): Buffer {
  return Buffer.concat([tagBytes(tag, encoding), lengthBytes(length, 4, encoding)]);
}

export function attributeBytes(
  [tag, vr, value]: Attribute,
  encoding: Syntax = "explicit",
  undefinedLengths = false,
): Buffer {
  const isOpen = undefinedLengths && vr === "SQ";
  const bytes = valueBytes(vr, value, encoding, undefinedLengths);
  const tail = isOpen ? rawHeader(0xfffee0dd, 0, encoding) : Buffer.alloc(0);
  const length = isOpen ? 0xffffffff : bytes.length;
  if (encoding === "implicit") return Buffer.concat([rawHeader(tag, length, encoding), bytes, tail]);
  const head = longVrs.includes(vr)
    ? [Buffer.from(`${vr}\0\0`), lengthBytes(length, 4, encoding)]
    : [Buffer.from(vr), lengthBytes(length, 2, encoding)];
  return Buffer.concat([tagBytes(tag, encoding), ...head, bytes, tail]);
}

function dataSetBytes(attributes: readonly Attribute[], encoding: Syntax, undefinedLengths: boolean): Buffer {
  const sorted = attributes.toSorted((a, b) => a[0] - b[0]);
  return Buffer.concat(sorted.map((attribute) => attributeBytes(attribute, encoding, undefinedLengths)));
}

export interface FileOptions {
  syntax?: Syntax;
  /** Sequences and items with delimiters instead of lengths. */
  undefinedLengths?: boolean;
  /** Replaces the transfer syntax UID, with the pixel data given as bytes that follow the OB header of undefined length. */
  encapsulated?: { uid: string; body: Uint8Array };
}

/** A whole DICOM file. */
export function dicomBytes(attributes: readonly Attribute[], options: FileOptions = {}): Buffer {
  const { syntax = "explicit", undefinedLengths = false, encapsulated } = options;
  const text = (tag: number) => String(attributes.find(([t]) => t === tag)?.[2] ?? "");
  const meta = dataSetBytes(
    [
      [0x00020001, "OB", Uint8Array.of(0, 1)],
      [0x00020002, "UI", text(0x00080016)],
      [0x00020003, "UI", text(0x00080018)],
      [0x00020010, "UI", encapsulated?.uid ?? uids[syntax]],
      [0x00020012, "UI", "1.2.3.4"],
    ],
    "explicit",
    false,
  );
  const kept = encapsulated ? attributes.filter(([tag]) => tag !== 0x7fe00010) : attributes;
  const body = dataSetBytes(kept, syntax, undefinedLengths);
  const length = lengthBytes(meta.length, 4, "explicit");
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from("DICM"),
    tagBytes(0x00020000, "explicit"),
    Buffer.from("UL\x04\0"),
    length,
    meta,
    syntax === "deflated" ? deflateRawSync(body) : body,
    ...(encapsulated
      ? [Buffer.from([0xe0, 0x7f, 0x10, 0, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]), encapsulated.body]
      : []),
  ]);
}

/** Encapsulated pixel data: an offset table (empty where `table` is false), the stream cut into fragments, the delimiter. */
export function fragments(stream: Uint8Array, count = 1, table = true): Buffer {
  const step = Math.ceil(stream.length / count / 2) * 2;
  const parts = [rawHeader(0xfffee000, table ? 4 : 0, "explicit"), Buffer.alloc(table ? 4 : 0)];
  for (let at = 0; at < stream.length; at += step) {
    const part = Buffer.from(stream.subarray(at, at + step));
    const even = part.length % 2 ? Buffer.concat([part, Buffer.alloc(1)]) : part;
    parts.push(rawHeader(0xfffee000, even.length, "explicit"), even);
  }
  return Buffer.concat([...parts, rawHeader(0xfffee0dd, 0, "explicit")]);
}

export interface CtOptions {
  rows?: number;
  columns?: number;
  /** Stored pixel values. */
  pixels?: Int16Array | Uint16Array | Uint8Array;
  position?: readonly number[];
  orientation?: readonly number[];
  series?: string;
  instance?: number;
  slope?: number;
  intercept?: number;
  bitsStored?: number;
  /** Replace or add; a value of undefined removes. */
  extra?: readonly (readonly [number, string, Value | undefined])[];
}

/** A stored ramp that touches negative values, another one in each slice. */
export function ramp(rows: number, columns: number, instance: number): Int16Array {
  return Int16Array.from({ length: rows * columns }, (_, i) => ((i * 7 + instance * 131) % 4000) - 1000);
}

/** One CT slice with private tags, a sequence, and a name in ISO 2022 Japanese. */
export function ctSlice(options: CtOptions = {}): Attribute[] {
  const { rows = 6, columns = 5, instance = 1, series = "1.2.3.100", slope = 1, intercept = 0 } = options;
  const pixels = options.pixels ?? ramp(rows, columns, instance);
  const bits = pixels.BYTES_PER_ELEMENT * 8;
  const stored = options.bitsStored ?? bits;
  const raw = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const attributes = new Map<number, Attribute>();
  const set = (tag: number, vr: string, value: Value) => attributes.set(tag, [tag, vr, value]);
  set(0x00080005, "CS", "\\ISO 2022 IR 87");
  set(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL");
  set(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2");
  set(0x00080018, "UI", `${series}.${instance}`);
  set(0x00080060, "CS", "CT");
  set(0x0008103e, "LO", "synthetic");
  set(0x00090010, "LO", "SINO_TEST");
  set(0x00091001, "UN", Uint8Array.of(1, 2, 3, 4, 5, 6));
  set(0x00091002, "FD", [Math.PI, -1.5]);
  set(0x00100010, "PN", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B");
  set(0x00100020, "LO", "P1");
  set(0x00180050, "DS", "2.5");
  set(0x00180060, "DS", "120");
  set(0x0020000d, "UI", "1.2.3.1");
  set(0x0020000e, "UI", series);
  set(0x00200011, "IS", "3");
  set(0x00200013, "IS", String(instance));
  set(0x00200032, "DS", (options.position ?? [-10, -20, instance * 2.5]).join("\\"));
  set(0x00200037, "DS", (options.orientation ?? [1, 0, 0, 0, 1, 0]).join("\\"));
  set(0x00200052, "UI", "1.2.3.2");
  set(0x00280002, "US", [1]);
  set(0x00280004, "CS", "MONOCHROME2");
  set(0x00280010, "US", [rows]);
  set(0x00280011, "US", [columns]);
  set(0x00280030, "DS", "0.75\\0.5");
  set(0x00280100, "US", [bits]);
  set(0x00280101, "US", [stored]);
  set(0x00280102, "US", [stored - 1]);
  set(0x00280103, "US", [pixels instanceof Int16Array ? 1 : 0]);
  set(0x00280106, "SS", [-1000]);
  set(0x00281052, "DS", String(intercept));
  set(0x00281053, "DS", String(slope));
  set(0x00321064, "SQ", [
    [
      [0x00080100, "SH", "HEAD"],
      [0x00401008, "LO", "x"],
    ],
    [],
  ]);
  set(0x7fe00010, bits === 8 ? "OB" : "OW", raw.length % 2 ? Buffer.concat([raw, Buffer.alloc(1)]) : raw);
  set(0x7fe11001, "UN", Uint8Array.of(9, 9));
  for (const [tag, vr, value] of options.extra ?? []) {
    if (value === undefined) attributes.delete(tag);
    else set(tag, vr, value);
  }
  return [...attributes.values()];
}

/** Writes `count` slices with shuffled names into `folder`; `each` may change a slice. Returns the paths in slice order. */
export function writeCtSeries(
  folder: string,
  count: number,
  each: (index: number) => CtOptions & { file?: FileOptions } = () => ({}),
): string[] {
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: count }, (_, i) => {
    const { file, ...slice } = each(i);
    const path = join(folder, `IM${(i * 7919) % 1000}_${i}`);
    writeFileSync(path, dicomBytes(ctSlice({ instance: i + 1, ...slice }), file));
    return path;
  });
}
