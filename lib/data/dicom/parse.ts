/** dicom-parser, made safe: Errors instead of strings, deflated data sets inflated with a limit, truncation told apart. */
import { constants, inflateRawSync } from "node:zlib";
import dicomParser, { type DataSet } from "dicom-parser";
import { formatError, reasonOf } from "./failures.ts";
import { showTag, tags } from "./tags.ts";

/** Bytes that a deflated data set may grow to. */
const inflateLimit = 1 << 29;

export interface ParseOptions {
  /** `bytes` is only the beginning of the file. */
  partial?: boolean;
  /** Parse past the pixel data. */
  whole?: boolean;
  /** The VR of a tag, for implicit syntaxes. */
  vrOf?: (tag: string) => string | undefined;
}

/** True where the bytes carry the DICOM marker. */
export function isDicom(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 132 && bytes[128] === 0x44 && bytes[129] === 0x49 && bytes[130] === 0x43 && bytes[131] === 0x4d
  );
}

/**
 * Parses a DICOM file, by default up to its pixel data. With `partial` it returns undefined where the bytes end before that;
 * without, it throws ERR_SINO_IO_FORMAT. Offsets in the result refer to `dataSet.byteArray`: `bytes`, or for a deflated
 * file the meta header followed by the inflated data set.
 */
export function parse(file: string, bytes: Buffer, options: ParseOptions = {}): DataSet | undefined {
  const { partial = false, whole = false, vrOf } = options;
  let dataSet: DataSet;
  try {
    dataSet = dicomParser.parseDicom(bytes, {
      ...(whole ? {} : { untilTag: tags.pixelData }),
      ...(vrOf ? { vrCallback: vrOf } : {}),
      inflater: (all, position) => inflate(all as Buffer, position, partial),
    });
  } catch (error) {
    if (partial) return undefined;
    throw formatError(file, `the DICOM data set cannot be parsed: ${reasonOf(error)}. The file is damaged.`, {}, error);
  }
  const size = dataSet.byteArray.length;
  const pixels = dataSet.elements[tags.pixelData];
  if (!whole && pixels && pixels.dataOffset <= size) return dataSet;
  if (partial) return undefined;
  const overrun = Object.values(dataSet.elements).find((e) => e.dataOffset + e.length > size);
  if (overrun)
    throw formatError(
      file,
      `the file is truncated: element ${showTag(overrun.tag)} needs ${overrun.length} bytes but only ${Math.max(0, size - overrun.dataOffset)} follow.`,
      { tag: showTag(overrun.tag) },
    );
  return dataSet;
}

function inflate(bytes: Buffer, position: number, partial: boolean): Buffer {
  const body = inflateRawSync(bytes.subarray(position), {
    maxOutputLength: inflateLimit,
    finishFlush: partial ? constants.Z_SYNC_FLUSH : constants.Z_FINISH,
  });
  return Buffer.concat([bytes.subarray(0, position), body]);
}
