/**
 * The elements of one head that the reader wants, of a regular explicit little-endian file, without making an object of each of the
 * hundred others: six times as fast as dicom-parser, which takes over wherever anything is out of the ordinary, so that damage is
 * found and named in one place.
 */
import type { DataSet, Element } from "dicom-parser";
import { transferSyntax } from "./syntaxes.ts";
import { tags } from "./tags.ts";

const tagOf = (name: string): number => Number.parseInt(name.slice(1), 16);
const wanted = new Map<number, string>(Object.values(tags).map((name) => [tagOf(name), name]));
const pixelData = tagOf(tags.pixelData);
const itemGroup = 0xfffe;
const openLength = 0xffffffff;
/** Sequences within sequences; beyond that it is no regular file. */
const deepest = 16;

/** What the two letters of a VR say of its header (PS3.5 §7.1.2). Not listed: too young for dicom-parser, which misreads it. */
type Header = "short" | "long" | "sequence";
const headers = new Map<number, Header>([
  ...kind("short", "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"),
  ...kind("long", "OB OD OF OL OW UC UN UR UT"),
  ...kind("sequence", "SQ"),
]);

function kind(header: Header, vrs: string): [number, Header][] {
  return vrs.split(" ").map((vr) => [vr.charCodeAt(0) | (vr.charCodeAt(1) << 8), header]);
}

const uint16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const uint32 = (bytes: Uint8Array, at: number): number => (uint16(bytes, at) | (uint16(bytes, at + 2) << 16)) >>> 0;

/** What the reader asks of a data set; dicom-parser's have it too. */
export type HeadData = Pick<DataSet, "byteArray" | "elements" | "string" | "uint16" | "int16">;

class Skimmed implements HeadData {
  readonly byteArray: Buffer;
  readonly elements: Record<string, Element> = {};
  constructor(bytes: Buffer) {
    this.byteArray = bytes;
  }
  string(tag: string): string | undefined {
    const found = this.elements[tag];
    if (!found?.length) return undefined;
    const text = this.byteArray.toString("latin1", found.dataOffset, found.dataOffset + found.length);
    const nul = text.indexOf("\0");
    return (nul < 0 ? text : text.slice(0, nul)).trim();
  }
  uint16(tag: string): number | undefined {
    const found = this.elements[tag];
    return found?.length ? uint16(this.byteArray, found.dataOffset) : undefined;
  }
  int16(tag: string): number | undefined {
    const value = this.uint16(tag);
    return value === undefined ? undefined : (value << 16) >> 16;
  }
}

/**
 * The wanted elements up to the pixel data, whose header must lie within `bytes`: the beginning of a file that has the DICOM
 * marker. Returns undefined for everything else: other syntaxes, damage, a head that goes on behind `bytes`.
 */
export function skim(bytes: Buffer): HeadData | undefined {
  const head = new Skimmed(bytes);
  const end = walk(bytes, 132, bytes.length, false, 0, head);
  return end >= 0 && head.elements[tags.pixelData] ? head : undefined;
}

function isExplicitLittleEndian(head: HeadData): boolean {
  const syntax = transferSyntax(head.string(tags.transferSyntaxUid) ?? "");
  return syntax !== undefined && !syntax.implicit && !syntax.bigEndian && syntax.encoding !== "deflated";
}

/**
 * Goes through the elements in [at, end): to the pixel data where `found` collects, through one item of a sequence where it does
 * not (`isOpen`: up to its delimiter). Returns where it stopped, −1 where something is out of the ordinary.
 */
function walk(bytes: Uint8Array, at: number, end: number, isOpen: boolean, depth: number, found?: HeadData): number {
  let isMeta = found !== undefined;
  while (at + 8 <= end) {
    const group = uint16(bytes, at);
    const tag = ((group << 16) | uint16(bytes, at + 2)) >>> 0;
    if (group === itemGroup) return isOpen && tag === 0xfffee00d && uint32(bytes, at + 4) === 0 ? at + 8 : -1;
    if (isMeta && group > 2) {
      if (!isExplicitLittleEndian(found!)) return -1;
      isMeta = false;
    } else if (found && !isMeta && group <= 2) return -1;
    const header = headers.get(uint16(bytes, at + 4));
    if (header === undefined || (header !== "short" && at + 12 > end)) return -1;
    const length = header === "short" ? uint16(bytes, at + 6) : uint32(bytes, at + 8);
    const dataOffset = at + (header === "short" ? 8 : 12);
    const name = found && wanted.get(tag);
    if (name !== undefined) {
      const vr = String.fromCharCode(bytes[at + 4]!, bytes[at + 5]!);
      const element: Element = { tag: name, vr, length, dataOffset };
      if (length === openLength) element.hadUndefinedLength = true;
      found!.elements[name] = element;
      if (tag === pixelData) return isMeta ? -1 : dataOffset;
    }
    at = header === "sequence" ? walkSequence(bytes, dataOffset, length, end, depth + 1) : dataOffset + length;
    if (at < 0 || at > end) return -1;
  }
  return !isOpen && at === end ? at : -1;
}

function walkSequence(bytes: Uint8Array, at: number, length: number, limit: number, depth: number): number {
  if (depth > deepest) return -1;
  const end = length === openLength ? limit : at + length;
  if (end > limit) return -1;
  while (at + 8 <= end) {
    const tag = ((uint16(bytes, at) << 16) | uint16(bytes, at + 2)) >>> 0;
    const itemLength = uint32(bytes, at + 4);
    if (tag === 0xfffee0dd) return length === openLength && itemLength === 0 ? at + 8 : -1;
    if (tag !== 0xfffee000) return -1;
    const isOpen = itemLength === openLength;
    const itemEnd = isOpen ? end : at + 8 + itemLength;
    if (itemEnd > end) return -1;
    at = walk(bytes, at + 8, itemEnd, isOpen, depth);
    if (at < 0) return -1;
  }
  return length !== openLength && at === end ? at : -1;
}
