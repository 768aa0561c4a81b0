/** From an error to the line on stderr and the exit code. */
import { type ErrorCode, isCodedError } from "../core/errors.ts";

export const exitCodes = { ok: 0, internal: 1, usage: 2, input: 3, some: 4, device: 5 } as const;

/** Wrong command line; what commander finds comes out as this too. */
export class UsageError extends Error {
  readonly code = "USAGE";
}

/** The reason of an abort by a signal of the operating system. */
export class Interrupted extends Error {
  readonly code = "INTERRUPTED";
  readonly exitCode: number;
  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`Stopped by ${signal}; nothing was left half-written.`);
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

const deviceCodes: readonly ErrorCode[] = [
  "ERR_SINO_NATIVE_UNAVAILABLE",
  "ERR_SINO_NATIVE_ABI",
  "ERR_SINO_BACKEND_UNAVAILABLE",
  "ERR_SINO_DEVICE_LOST",
  "ERR_SINO_MODEL",
];
const internalCodes: readonly ErrorCode[] = ["ERR_SINO_INTERNAL", "ERR_SINO_OUT_OF_MEMORY"];

export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof UsageError) return exitCodes.usage;
  if (!isCodedError(error)) return exitCodes.internal;
  if (deviceCodes.includes(error.code)) return exitCodes.device;
  return internalCodes.includes(error.code) ? exitCodes.internal : exitCodes.input;
}

export interface FailureDocument {
  code: string;
  message: string;
  details?: unknown;
}

/** What `--json` prints under "error". */
export function failureDocument(error: unknown): FailureDocument {
  const { message, code, details } = (error ?? {}) as { message?: string; code?: string; details?: unknown };
  const known = isCodedError(error) || error instanceof UsageError || error instanceof Interrupted;
  return {
    code: known ? code! : "ERR_SINO_INTERNAL",
    message: message ?? String(error),
    ...(details === undefined ? {} : { details }),
  };
}

/** `sinogram: <sentence> [CODE]`, always one line. */
export function failureLine(error: unknown): string {
  const { code, message } = failureDocument(error);
  const unexpected = code === "ERR_SINO_INTERNAL" ? " This is a mistake in sinogram; --debug shows where." : "";
  return `sinogram: ${message.trim().replaceAll(/\s*\n\s*/g, " ")}${unexpected} [${code}]`;
}
