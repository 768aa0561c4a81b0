/**
 * Large memory that the jobs of a thread use one after the other. Filling new memory takes longer than reading a series, and what is
 * let go of stays until the collector comes.
 */
import { allocate } from "../native/job.ts";

const held = new Map<string, Float32Array<ArrayBuffer>>();

/** That many floats, of any value, for this use until the next call for it. */
export function memoryFor(use: string, length: number): Float32Array<ArrayBuffer> {
  let memory = held.get(use);
  if (!memory || memory.length < length || memory.length > 2 * length) {
    held.delete(use);
    memory = allocate(length);
    held.set(use, memory);
  }
  return memory.subarray(0, length);
}
