/** The errors of the DICOM reader: the file first, then what is wrong with it. */
import { type CodedError, type ErrorDetails, sinoError } from "../../core/errors.ts";

export function formatError(file: string, sentence: string, details: ErrorDetails = {}, cause?: unknown): CodedError {
  return sinoError("ERR_SINO_IO_FORMAT", `${file}: ${sentence}`, { details: { file, ...details }, cause });
}

/** dicom-parser throws strings and plain objects; this is their text. */
export function reasonOf(thrown: unknown): string {
  const inner = (thrown as { exception?: unknown } | null)?.exception ?? thrown;
  const text = inner instanceof Error ? inner.message : String(inner);
  return text.replace(/^dicomParser[.:]\s*/, "").replace(/\.$/, "");
}
