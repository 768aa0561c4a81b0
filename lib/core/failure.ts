/** Errors as they cross threads: their codes and numbers come along, which structured cloning would lose. */
import { type ErrorCode, type ErrorDetails, isCodedError, sinoError } from "./errors.ts";

export interface Failure {
  readonly code?: ErrorCode;
  readonly message: string;
  readonly details?: ErrorDetails;
}

export const failureOf = (error: unknown): Failure => ({
  message: (error as Error).message,
  ...(isCodedError(error) && { code: error.code, ...(error.details && { details: error.details }) }),
});

export const errorOf = ({ code, message, details }: Failure): Error =>
  sinoError(code ?? "ERR_SINO_INTERNAL", message, details ? { details } : {});
