/**
 * The elements of a data set as Explicit VR Little Endian bytes. A source that already is has its bytes handed on untouched,
 * views without a copy; implicit and big-endian ones are rewritten, sequences included.
 */
import type { DataSet, Element } from "dicom-parser";
import { vrOf } from "./dictionary.ts";
import { element, headerBytes, sequence } from "./element.ts";
import { formatError } from "./failures.ts";
import { parse } from "./parse.ts";
import type { TransferSyntax } from "./syntaxes.ts";
import { showTag, tags } from "./tags.ts";

export interface ExplicitDataSet {
  /** Elements of group 0002, as they are. */
  readonly meta: ReadonlyMap<string, Uint8Array>;
  /** All others but group lengths and the pixel data, header included, by tag in ascending order. */
  readonly elements: ReadonlyMap<string, Uint8Array>;
  readonly dataSet: DataSet;
}

/** Bytes of one number of a VR, for the VRs whose byte order matters. */
const wordBytes: Record<string, 2 | 4 | 8> = {
  AT: 2,
  OW: 2,
  SS: 2,
  US: 2,
  FL: 4,
  OF: 4,
  OL: 4,
  SL: 4,
  UL: 4,
  FD: 8,
  OD: 8,
  OV: 8,
  SV: 8,
  UV: 8,
};

/** Throws ERR_SINO_IO_FORMAT where the file is damaged. */
export function explicitDataSet(file: string, bytes: Buffer, syntax: TransferSyntax): ExplicitDataSet {
  const dataSet = parse(file, bytes, { whole: true, ...(syntax.implicit ? { vrOf: knownVr } : {}) })!;
  const isRewritten = syntax.implicit || syntax.bigEndian;
  const isSigned = dataSet.uint16(tags.pixelRepresentation) === 1;
  const meta = new Map<string, Uint8Array>();
  const elements = new Map<string, Uint8Array>();
  for (const tag of Object.keys(dataSet.elements).sort()) {
    const found = dataSet.elements[tag]!;
    if (tag.startsWith("x0002")) meta.set(tag, untouched(file, dataSet, found));
    else if (!tag.endsWith("0000") && tag !== tags.pixelData)
      elements.set(
        tag,
        isRewritten ? rewritten(file, dataSet, found, syntax, isSigned) : untouched(file, dataSet, found),
      );
  }
  return { meta, elements, dataSet };
}

/** As the dictionary says; the ambiguous VR is settled when the element is written. */
function knownVr(tag: string): string | undefined {
  return vrOf(tag);
}

function untouched(file: string, dataSet: DataSet, found: Element): Uint8Array {
  const start = found.dataOffset - headerBytes(found.vr ?? "");
  // dicom-parser leaves the closing delimiter out of the length of a sequence.
  const end = found.dataOffset + found.length + (found.hadUndefinedLength && found.items ? 8 : 0);
  if (end > dataSet.byteArray.length)
    throw formatError(file, `the file is truncated in element ${showTag(found.tag)}.`);
  return dataSet.byteArray.subarray(start, end);
}

function rewritten(file: string, dataSet: DataSet, found: Element, syntax: TransferSyntax, isSigned: boolean): Buffer {
  const { tag } = found;
  if (found.items)
    return sequence(
      tag,
      found.items.map(({ dataSet: inner }) =>
        Object.values(inner?.elements ?? {})
          .filter((e) => !e.tag.startsWith("xfffe") && !e.tag.endsWith("0000"))
          .map((e) => rewritten(file, inner!, e, syntax, isSigned)),
      ),
    );
  const stated = syntax.implicit ? (vrOf(tag) ?? "UN") : (found.vr ?? "UN");
  const vr = stated === "XS" ? (isSigned ? "SS" : "US") : stated;
  const value = dataSet.byteArray.subarray(found.dataOffset, found.dataOffset + found.length);
  return element(tag, vr, syntax.bigEndian ? swapped(file, tag, vr, value) : value);
}

function swapped(file: string, tag: string, vr: string, value: Uint8Array): Uint8Array {
  const word = wordBytes[vr];
  if (!word) return value;
  if (value.length % word !== 0)
    throw formatError(file, `element ${showTag(tag)} of VR ${vr} has ${value.length} bytes, no multiple of ${word}.`);
  const copy = Buffer.from(value);
  return word === 2 ? copy.swap16() : word === 4 ? copy.swap32() : copy.swap64();
}
