/** Work on large arrays that leaves the event loop its turns. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { TypedArray } from "./arrays.ts";

/** Copied in well under a millisecond, into new memory too. */
const pieceBytes = 1 << 20;

/** `to.set(from)`, with a turn of the event loop after every megabyte. Throws `signal.reason`. */
export async function copyInTurns<T extends TypedArray>(from: T, to: T, signal?: AbortSignal): Promise<void> {
  const piece = pieceBytes / from.BYTES_PER_ELEMENT;
  for (let first = 0; first < from.length; first += piece) {
    to.set(from.subarray(first, first + piece), first);
    await nextTurn();
    signal?.throwIfAborted();
  }
}
