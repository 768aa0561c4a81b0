/** Writing single elements in Explicit VR Little Endian (PS3.5 §7.1). */

const longVrs = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);
const binaryVrs = new Set(["OB", "UI", "UN"]);

/** Bytes of header before the value, for a VR that dicom-parser has read. */
export function headerBytes(vr: string): number {
  return longVrs.has(vr) ? 12 : 8;
}

/** One element; text is written as Latin-1 bytes, values of odd length are padded, values too long for their VR become UN. */
export function element(tag: string, vr: string, value: Uint8Array | string): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value, "latin1") : value;
  const length = bytes.length + (bytes.length % 2);
  const isLong = longVrs.has(vr) || length > 0xffff;
  const code = isLong && !longVrs.has(vr) ? "UN" : vr;
  const result = Buffer.alloc((isLong ? 12 : 8) + length, binaryVrs.has(code) ? 0 : 0x20);
  writeTag(result, tag);
  result.write(code, 4, "latin1");
  if (isLong) {
    result.writeUInt16LE(0, 6);
    result.writeUInt32LE(length, 8);
  } else result.writeUInt16LE(length, 6);
  result.set(bytes, isLong ? 12 : 8);
  return result;
}

/** The 12-byte header of a long element whose value of `length` bytes is written apart. */
export function longHeader(tag: string, vr: string, length: number): Buffer {
  const header = element(tag, vr, "");
  header.writeUInt32LE(length, 8);
  return header;
}

/** A sequence of items, each given as its elements; lengths are stated, not delimited. */
export function sequence(tag: string, items: readonly (readonly Uint8Array[])[]): Buffer {
  return element(tag, "SQ", Buffer.concat(items.map(item)));
}

export function item(elements: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(elements);
  const header = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
  header.writeUInt32LE(body.length, 4);
  return Buffer.concat([header, body]);
}

export function unsigned16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function writeTag(into: Buffer, tag: string): void {
  into.writeUInt16LE(Number.parseInt(tag.slice(1, 5), 16), 0);
  into.writeUInt16LE(Number.parseInt(tag.slice(5, 9), 16), 2);
}
