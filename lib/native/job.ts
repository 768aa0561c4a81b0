/** Runs one operation of the addon as a promise: progress, abort, and errors of the documented classes. */
import { type ErrorCode, errorCodes, show, sinoError } from "../core/errors.ts";
import { onAbort } from "./abort.ts";
import { addon } from "./addon.ts";

/** How far a long call has come. Within one phase `done` only grows; the last event has `done === total`. */
export interface Progress {
  phase: string;
  done: number;
  total: number;
}

/** Options of every long call. */
export interface JobOptions {
  /** Aborting rejects the call with `signal.reason`, within 50 ms. */
  signal?: AbortSignal | undefined;
  /** Called about ten times a second; if it throws, the call is rejected with what it threw. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

export type Device = "auto" | "cpu" | `cuda:${number}`;

/** Options of every operation. */
export interface OperationOptions extends JobOptions {
  /** "auto" (default), "cpu" or "cuda:N"; a named device never falls back to another one. */
  device?: Device | undefined;
}

/** Makes the documented error from what the addon threw or rejected with. */
export function fromNative(error: unknown): unknown {
  const { code, message, details } = error as { code?: string; message: string; details?: Record<string, unknown> };
  if (!code || !(code in errorCodes)) return error;
  return sinoError(code as ErrorCode, message, { cause: error, ...(details ? { details } : {}) });
}

/** From here on the pages behind an array are worth a system call. */
const largeBytes = 1 << 24;

/** A new Float32Array of that many elements. Throws ERR_SINO_OUT_OF_MEMORY instead of dying of it later. */
export function allocate(length: number): Float32Array<ArrayBuffer> {
  reserve(length * 4);
  const array = new Float32Array(length);
  if (array.byteLength >= largeBytes) addon().useLargePages(array);
  return array;
}

/** Throws ERR_SINO_OUT_OF_MEMORY {needed, available} when that many bytes are not free now. */
export function reserve(bytes: number): void {
  try {
    addon().checkMemory(bytes);
  } catch (error) {
    throw fromNative(error);
  }
}

function requireJobOptions(signal: unknown, onProgress: unknown): void {
  if (signal !== undefined && typeof (signal as AbortSignal | null)?.throwIfAborted !== "function")
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected an AbortSignal for signal but received ${show(signal)}.`);
  if (onProgress !== undefined && typeof onProgress !== "function")
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected a function for onProgress but received ${show(onProgress)}.`);
}

export async function runJob(
  operation: string,
  parameters: object,
  { signal, onProgress }: JobOptions = {},
): Promise<Record<string, number>> {
  requireJobOptions(signal, onProgress);
  signal?.throwIfAborted();
  const native = addon();
  let thrown: { value: unknown } | undefined;
  let id = 0;
  const report = onProgress
    ? (done: number, total: number) => {
        if (thrown) return;
        try {
          onProgress({ phase: operation, done, total });
        } catch (value) {
          thrown = { value };
          native.cancel(id);
        }
      }
    : undefined;
  let forget: (() => void) | undefined;
  try {
    const job = native.start(operation, parameters, report);
    id = job.id;
    forget = signal && onAbort(signal, () => native.cancel(id));
    const numbers = await job.promise;
    if (thrown) throw thrown.value;
    return numbers;
  } catch (error) {
    if (thrown) throw thrown.value;
    if ((error as { code?: string }).code === "cancelled" && signal?.aborted) throw signal.reason;
    throw fromNative(error);
  } finally {
    forget?.();
  }
}
