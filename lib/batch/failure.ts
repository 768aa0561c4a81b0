/** From errors to what reports keep of them, and which of them end the whole batch. */
import { type ErrorCode, errorCodes, isCodedError, sinoError } from "../core/errors.ts";
import type { JobFailure } from "./job.ts";

export function failureOf(error: unknown): JobFailure {
  const { message, details } = (error ?? {}) as { message?: string; details?: Record<string, unknown> };
  const code = isCodedError(error) ? error.code : "ERR_SINO_INTERNAL";
  return { code, message: message ?? String(error), ...(details ? { details } : {}) };
}

/** The error again, where it has to be thrown. */
export function errorOf({ code, message, details }: JobFailure): Error {
  const known = code in errorCodes ? (code as ErrorCode) : "ERR_SINO_INTERNAL";
  return sinoError(known, message, details ? { details } : {});
}

const brokenDevice = ["ERR_SINO_NATIVE_UNAVAILABLE", "ERR_SINO_NATIVE_ABI", "ERR_SINO_BACKEND_UNAVAILABLE"];
const brokenStore = ["ENOSPC", "EDQUOT", "EROFS"];

/** Every other job would fail of this too: a full disk, a device that is gone. The jobs in hand are not marked as failed then. */
export function endsBatch({ code, details }: JobFailure): boolean {
  if (brokenDevice.includes(code) || code === "ERR_SINO_DEVICE_LOST") return true;
  return code === "ERR_SINO_IO" && brokenStore.includes(String(details?.["errno"]));
}
