/** dicom-parser, made safe: Errors instead of strings, deflated data sets inflated with a limit, truncation told apart. */
import { constants, inflateRawSync } from "node:zlib";
import dicomParser, { type DataSet } from "dicom-parser";
import { formatError, reasonOf } from "./failures.ts";
import { deflatedExplicit } from "./syntaxes.ts";
import { showTag, tags } from "./tags.ts";

/** Bytes that a deflated data set may grow to. */
const inflateLimit = 1 << 29;

export interface ParseOptions {
  /** `bytes` is only the beginning of the file. */
  partial?: boolean;
  /** Stop at this element; default the pixel data. */
  until?: string;
  /** Parse to the end. */
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

/** (0002,0010) UI, 22 bytes: how the transfer syntax element of a deflated file begins. */
const syntaxHeader = Buffer.from([0x02, 0x00, 0x10, 0x00, 0x55, 0x49, deflatedExplicit.length, 0x00]);

/** Where the UID of a deflated file's transfer syntax stands; −1 for other files. */
function deflatedAt(bytes: Buffer): number {
  const at = bytes.subarray(0, 4096).indexOf(syntaxHeader, 132) + syntaxHeader.length;
  return at >= 132 && bytes.toString("latin1", at, at + deflatedExplicit.length) === deflatedExplicit ? at : -1;
}

export function isDeflated(bytes: Buffer): boolean {
  return deflatedAt(bytes) >= 0;
}

/**
 * Parses a DICOM file, by default up to its pixel data. With `partial` it returns undefined where the bytes end before that;
 * without, it throws ERR_SINO_IO_FORMAT. Offsets in the result refer to `dataSet.byteArray`: `bytes`, or for a deflated
 * file the meta header (naming the inflated syntax) followed by the inflated data set.
 */
export function parse(file: string, bytes: Buffer, options: ParseOptions = {}): DataSet | undefined {
  const { partial = false, until = tags.pixelData, whole = false, vrOf } = options;
  let dataSet: DataSet;
  try {
    dataSet = dicomParser.parseDicom(isDeflated(bytes) ? inflated(bytes, partial) : withoutOv(bytes), {
      ...(whole ? {} : { untilTag: until }),
      ...(vrOf ? { vrCallback: vrOf } : {}),
    });
  } catch (error) {
    if (partial) return undefined;
    throw formatError(file, `the DICOM data set cannot be parsed: ${reasonOf(error)}. The file is damaged.`, {}, error);
  }
  const size = dataSet.byteArray.length;
  const last = dataSet.elements[until];
  if (!whole && last && last.dataOffset <= size) return dataSet;
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

/** The extended offset table and its lengths, of a VR younger than dicom-parser: (7FE0,0001) OV and (7FE0,0002) OV. */
const offsetTables = [1, 2].map((element) => Buffer.from([0xe0, 0x7f, element, 0x00, 0x4f, 0x56, 0x00, 0x00]));

/** With those two called OB, which is laid out alike; they are not needed, but what comes after them is. */
function withoutOv(bytes: Buffer): Buffer {
  let result = bytes;
  for (const header of offsetTables) {
    const at = bytes.indexOf(header);
    if (at < 0) continue;
    if (result === bytes) result = Buffer.from(bytes);
    result.write("OB", at + 4, "latin1");
  }
  return result;
}

/** The file as it would be had it not been deflated; dicom-parser's own way of inflating loses its place. */
function inflated(bytes: Buffer, partial: boolean): Buffer {
  const groupLength = bytes.readUInt32LE(132) === 2 ? bytes.readUInt32LE(140) : Number.NaN;
  const metaEnd = 144 + groupLength;
  if (!(metaEnd <= bytes.length)) throw new Error("the length of the meta header is missing");
  const body = inflateRawSync(bytes.subarray(metaEnd), {
    maxOutputLength: inflateLimit,
    finishFlush: partial ? constants.Z_SYNC_FLUSH : constants.Z_FINISH,
  });
  const result = Buffer.concat([bytes.subarray(0, metaEnd), body]);
  const at = deflatedAt(bytes);
  result.fill(0, at + deflatedExplicit.length - 3, at + deflatedExplicit.length); // …1.2.1.99 becomes …1.2.1
  return result;
}
