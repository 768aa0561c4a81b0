/**
 * Protocol buffers' wire format (protobuf.dev/programming-guides/encoding), as far as ONNX files use it. The published
 * ONNX schemas for npm weigh 4 to 23 MB; a model needs the forty lines below.
 */
import { sinoError } from "../core/errors.ts";

type Field = { readonly tag: number; readonly value: Uint8Array | number | bigint; readonly wire: 0 | 2 | 5 };

/** A message in the making: fields in the order in which they are added. */
export class Message {
  #fields: Field[] = [];

  int(tag: number, value: number | bigint): this {
    return this.#push({ tag, value, wire: 0 });
  }

  float(tag: number, value: number): this {
    return this.#push({ tag, value, wire: 5 });
  }

  bytes(tag: number, value: Uint8Array): this {
    return this.#push({ tag, value, wire: 2 });
  }

  text(tag: number, value: string): this {
    return this.bytes(tag, new TextEncoder().encode(value));
  }

  message(tag: number, value: Message): this {
    return this.bytes(tag, value.finish());
  }

  #push(field: Field): this {
    this.#fields.push(field);
    return this;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const pieces: Uint8Array[] = [];
    for (const { tag, value, wire } of this.#fields) {
      pieces.push(varint(BigInt(tag * 8 + wire)));
      if (wire === 0) pieces.push(varint(BigInt(value as number | bigint)));
      else if (wire === 5) pieces.push(new Uint8Array(Float32Array.of(value as number).buffer));
      else pieces.push(varint(BigInt((value as Uint8Array).length)), value as Uint8Array);
    }
    const result = new Uint8Array(pieces.reduce((n, piece) => n + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      result.set(piece, at);
      at += piece.length;
    }
    return result;
  }
}

function varint(value: bigint): Uint8Array {
  let rest = BigInt.asUintN(64, value);
  const bytes: number[] = [];
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

/** One field of a message as read: numbers of wire type 0 as signed 64-bit integers, floats as numbers, all else as bytes. */
export interface ReadField {
  readonly tag: number;
  readonly value: bigint | number | Uint8Array;
}

/** Reads the fields of a message. Throws ERR_SINO_IO_FORMAT where the bytes end early or make no sense. */
export function readFields(bytes: Uint8Array): ReadField[] {
  const fields: ReadField[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (n: number): number => {
    if (n > bytes.length - at) throw broken(at, `${n} more bytes`);
    at += n;
    return at - n;
  };
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[take(1)]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
    throw broken(at, "a number of at most ten bytes");
  };
  while (at < bytes.length) {
    const key = Number(number());
    const tag = Math.floor(key / 8);
    const wire = key & 7;
    if (tag < 1) throw broken(at, "a field");
    if (wire === 0) fields.push({ tag, value: number() });
    else if (wire === 1) fields.push({ tag, value: view.getFloat64(take(8), true) });
    else if (wire === 5) fields.push({ tag, value: view.getFloat32(take(4), true) });
    else if (wire === 2) {
      const length = Number(number());
      if (length < 0) throw broken(at, "a length");
      fields.push({ tag, value: bytes.subarray(take(length), at) });
    } else throw broken(at, "a known kind of field");
  }
  return fields;
}

function broken(at: number, expected: string): Error {
  return sinoError("ERR_SINO_IO_FORMAT", `This is not a whole ONNX file: expected ${expected} at byte ${at}.`, {
    details: { at },
  });
}

/** The numbers of a repeated integer field, packed or one by one. */
export function readInts(fields: readonly ReadField[], tag: number): bigint[] {
  return fields.flatMap((field) => {
    if (field.tag !== tag) return [];
    if (typeof field.value === "bigint") return [field.value];
    return unpack(field.value as Uint8Array);
  });
}

function unpack(bytes: Uint8Array): bigint[] {
  const list: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte < 128) {
      list.push(BigInt.asIntN(64, value));
      value = 0n;
      shift = 0n;
    }
  }
  return list;
}
