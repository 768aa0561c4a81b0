/**
 * Every error that sinogram throws carries a stable `code`; docs/troubleshooting.md has one heading per code.
 * The class follows the kind of mistake: a wrong type is a TypeError, a wrong size or value a RangeError,
 * anything about files, devices and memory a SinogramError. Numbers that a program may want go in `details`.
 */

export const errorCodes = {
  ERR_SINO_ARG_TYPE: TypeError,
  ERR_SINO_BUFFER_DETACHED: TypeError,
  ERR_SINO_DISPOSED: TypeError,
  ERR_SINO_OUT_OF_RANGE: RangeError,
  ERR_SINO_SHAPE: RangeError,
  ERR_SINO_OVERFLOW: RangeError,
  ERR_SINO_UNSUPPORTED: Error,
  ERR_SINO_NATIVE_UNAVAILABLE: Error,
  ERR_SINO_NATIVE_ABI: Error,
  ERR_SINO_BACKEND_UNAVAILABLE: Error,
  ERR_SINO_DEVICE_LOST: Error,
  ERR_SINO_OUT_OF_MEMORY: Error,
  ERR_SINO_BUFFER_IN_USE: Error,
  ERR_SINO_IO: Error,
  ERR_SINO_IO_FORMAT: Error,
  ERR_SINO_MODEL: Error,
  ERR_SINO_INTERNAL: Error,
} as const;

export type ErrorCode = keyof typeof errorCodes;
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** What every error thrown by sinogram has, whatever its class. */
export interface CodedError extends Error {
  readonly code: ErrorCode;
  readonly details?: ErrorDetails;
}

/** Errors about files, devices, memory and models; argument errors are TypeError or RangeError with the same fields. */
export class SinogramError extends Error implements CodedError {
  readonly code: ErrorCode;
  readonly details?: ErrorDetails;
  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SinogramError";
    this.code = code;
    if (options.details) this.details = options.details;
  }
}

/** Makes the error of the right class for a code. Throw what it returns. */
export function sinoError(
  code: ErrorCode,
  message: string,
  options: { details?: ErrorDetails; cause?: unknown } = {},
): CodedError {
  const Kind = errorCodes[code];
  if (Kind === Error) return new SinogramError(code, message, options);
  const error = new Kind(message, options.cause === undefined ? undefined : { cause: options.cause });
  return Object.assign(error, { code }, options.details ? { details: options.details } : {}) as unknown as CodedError;
}

export function isCodedError(error: unknown): error is CodedError {
  return error instanceof Error && typeof (error as { code?: unknown }).code === "string" && "code" in error
    ? (error as CodedError).code in errorCodes
    : false;
}

/** How a value reads in an error message: short, one line, never a whole array. */
export function show(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of length ${(value as Uint8Array).length}`;
  if (Array.isArray(value)) return `[${value.slice(0, 8).map(show).join(", ")}${value.length > 8 ? ", …" : ""}]`;
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === "function") return "a function";
  if (value !== null && typeof value === "object") return `an object of class ${value.constructor?.name ?? "Object"}`;
  return String(value);
}
