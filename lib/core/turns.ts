/** Work on large arrays that leaves the event loop its turns. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { TypedArray } from "./arrays.ts";

/** Copied or summed up in well under a millisecond, in new memory too. */
const pieceBytes = 1 << 20;

/** An array megabyte by megabyte, each with the index of its first element; after each the event loop has a turn. */
export async function* pieces<T extends TypedArray>(array: T): AsyncGenerator<readonly [piece: T, first: number]> {
  const length = pieceBytes / array.BYTES_PER_ELEMENT;
  for (let first = 0; first < array.length; first += length) {
    yield [array.subarray(first, first + length) as T, first];
    await nextTurn();
  }
}

/** `to.set(from)`. Throws `signal.reason`. */
export async function copyInTurns<T extends TypedArray>(from: T, to: T, signal?: AbortSignal): Promise<void> {
  for await (const [piece, first] of pieces(from)) {
    signal?.throwIfAborted();
    to.set(piece, first);
  }
}
