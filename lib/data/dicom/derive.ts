/** What a derived image says differently from its source (PS3.3 §C.7.6.1.1.2, §C.12.1.1.5); everything else keeps its bytes. */
import { version } from "../../core/version.ts";
import { isSingleByte } from "./charset.ts";
import { element, item, longHeader, sequence, unsigned16 } from "./element.ts";
import type { ExplicitDataSet } from "./explicit.ts";
import type { CtSlice } from "./slice.ts";
import { explicitLittleEndian } from "./syntaxes.ts";
import { tags } from "./tags.ts";
import { derivedUid } from "./uid.ts";

export interface Derivation {
  /** Appended to the series description. */
  readonly description: string;
  /** DerivationDescription: what was done. */
  readonly derivation: string;
  readonly configuration: object;
}

/** The pixels of the derived image. `encoding` is there where they differ in depth or sign from the source's. */
export interface DerivedPixels {
  readonly bytes: Uint8Array;
  readonly encoding?: { readonly signed: boolean };
}

export const implementationUid = derivedUid("sinogram", {});
/** The UID's name, at most 16 characters. */
export const implementationName = `SINOGRAM_${version}`.slice(0, 16);
const longestDescription = 64;
const seriesNumberShift = 9000;

/** Elements that a changed image would contradict: pixel extremes, offset tables, digital signatures. */
const outdated = [
  tags.smallestPixelValue,
  tags.largestPixelValue,
  "x00280108",
  "x00280109",
  "x7fe00001",
  "x7fe00002",
  "x7fe00003",
  "x4ffe0001",
  "xfffafffa",
];

/** The chunks of the derived file of one slice, in order. */
export function derivedFile(
  source: ExplicitDataSet,
  slice: CtSlice,
  pixels: DerivedPixels,
  how: Derivation,
): Uint8Array[] {
  const sopInstanceUid = derivedUid(slice.sopInstanceUid, how.configuration);
  const elements = new Map(source.elements);
  for (const tag of outdated) elements.delete(tag);
  const set = (tag: string, vr: string, value: Uint8Array | string) => elements.set(tag, element(tag, vr, value));

  set(tags.sopInstanceUid, "UI", sopInstanceUid);
  set(tags.seriesInstanceUid, "UI", derivedUid(slice.seriesUid, how.configuration));
  set(tags.seriesNumber, "IS", String(((slice.seriesNumber ?? 0) + seriesNumberShift) % 0x7fffffff));
  set(tags.imageType, "CS", ["DERIVED", ...derivedType(slice.imageType)].join("\\"));
  set(tags.seriesDescription, "LO", descriptionOf(source, how.description));
  set(tags.derivationDescription, "ST", how.derivation);
  elements.set(tags.sourceImageSequence, sourceImage(slice));
  elements.set(tags.contributingEquipmentSequence, withOurEquipment(source, how));
  if (slice.transferSyntax.lossy && !elements.has(tags.lossyImageCompression))
    set(tags.lossyImageCompression, "CS", "01");
  if (pixels.encoding) describeEncoding(elements, slice, pixels.encoding.signed);
  const bitsAllocated = pixels.encoding ? 16 : slice.bitsAllocated;
  const padding = pixels.bytes.length % 2 === 1 ? [new Uint8Array(1)] : [];
  const length = pixels.bytes.length + padding.length;

  const before = [...elements].filter(([tag]) => tag < tags.pixelData).sort(byTag);
  const after = [...elements].filter(([tag]) => tag > tags.pixelData).sort(byTag);
  return [
    preamble(source, slice, sopInstanceUid),
    ...before.map(([, bytes]) => bytes),
    longHeader(tags.pixelData, bitsAllocated === 8 ? "OB" : "OW", length),
    pixels.bytes,
    ...padding,
    ...after.map(([, bytes]) => bytes),
  ];
}

const byTag = ([a]: [string, Uint8Array], [b]: [string, Uint8Array]): number => (a < b ? -1 : 1);

function derivedType(imageType: readonly string[]): readonly string[] {
  return imageType.length > 1 ? imageType.slice(1) : ["PRIMARY", "AXIAL"];
}

/** Depth and sign of changed pixels; padding values follow the sign where they can, else they go. */
function describeEncoding(elements: Map<string, Uint8Array>, slice: CtSlice, signed: boolean): void {
  const set = (tag: string, value: number) => elements.set(tag, element(tag, "US", unsigned16(value)));
  set(tags.bitsAllocated, 16);
  set(tags.bitsStored, 16);
  set(tags.highBit, 15);
  set(tags.pixelRepresentation, signed ? 1 : 0);
  if (signed === slice.signed) return;
  for (const tag of [tags.pixelPaddingValue, tags.pixelPaddingRangeLimit]) {
    const value = elements.get(tag)?.subarray(8, 10);
    if (!value) continue;
    if (value.length === 2 && value[1]! < 0x80) elements.set(tag, element(tag, signed ? "SS" : "US", value));
    else elements.delete(tag);
  }
}

/** The source's description, its bytes untouched, and ours behind; shortened where it may be, to 64 characters. */
function descriptionOf({ dataSet }: ExplicitDataSet, suffix: string): Buffer {
  const found = dataSet.elements[tags.seriesDescription];
  const source = found
    ? dataSet.byteArray.subarray(found.dataOffset, found.dataOffset + found.length)
    : new Uint8Array(0);
  let end = source.length;
  while (end > 0 && (source[end - 1] === 0x20 || source[end - 1] === 0)) end--;
  const characterSet = dataSet.string(tags.specificCharacterSet);
  if (characterSet === "ISO_IR 192") {
    const text = [...new TextDecoder().decode(source.subarray(0, end))];
    const kept = text.slice(0, Math.max(0, longestDescription - suffix.length - 1)).join("");
    return Buffer.from(kept ? `${kept} ${suffix}` : suffix, "utf8");
  }
  if (isSingleByte(characterSet)) end = Math.min(end, Math.max(0, longestDescription - suffix.length - 1));
  return end === 0 ? Buffer.from(suffix) : Buffer.concat([source.subarray(0, end), Buffer.from(` ${suffix}`)]);
}

function code(value: string, meaning: string): Buffer[] {
  return [element("x00080100", "SH", value), element("x00080102", "SH", "DCM"), element("x00080104", "LO", meaning)];
}

const purpose = (value: string, meaning: string): Buffer => sequence("x0040a170", [code(value, meaning)]);

function sourceImage(slice: CtSlice): Buffer {
  return sequence(tags.sourceImageSequence, [
    [
      element("x00081150", "UI", slice.sopClassUid),
      element("x00081155", "UI", slice.sopInstanceUid),
      purpose("121322", "Source image for image processing operation"),
    ],
  ]);
}

/** Equipment already named stays named, byte for byte; ours is added. */
function withOurEquipment({ elements, dataSet }: ExplicitDataSet, { derivation }: Derivation): Buffer {
  const tag = tags.contributingEquipmentSequence;
  const found = dataSet.elements[tag];
  const raw = elements.get(tag);
  const end = raw && found?.hadUndefinedLength && raw.length >= 20 && isDelimiter(raw.subarray(-8)) ? -8 : undefined;
  const earlier = raw ? raw.subarray(12, end) : new Uint8Array(0);
  const ours = item([
    element("x00080070", "LO", "sinogram"),
    element("x00081090", "LO", "sinogram"),
    element("x00181020", "LO", version),
    element("x0018a003", "ST", derivation),
    purpose("109102", "Processing Equipment"),
  ]);
  return element(tag, "SQ", Buffer.concat([earlier, ours]));
}

function isDelimiter(bytes: Uint8Array): boolean {
  return bytes[0] === 0xfe && bytes[1] === 0xff && bytes[2] === 0xdd && bytes[3] === 0xe0;
}

/** 128 zero bytes, DICM, and group 0002: what the source had there, with our identity and Explicit VR Little Endian. */
function preamble({ meta }: ExplicitDataSet, slice: CtSlice, sopInstanceUid: string): Buffer {
  const elements = new Map(meta);
  const set = (tag: string, vr: string, value: Uint8Array | string) => elements.set(tag, element(tag, vr, value));
  elements.delete("x00020000");
  set("x00020001", "OB", Uint8Array.of(0, 1));
  set(tags.mediaStorageSopClassUid, "UI", slice.sopClassUid);
  set(tags.mediaStorageSopInstanceUid, "UI", sopInstanceUid);
  set(tags.transferSyntaxUid, "UI", explicitLittleEndian.uid);
  set(tags.implementationClassUid, "UI", implementationUid);
  set(tags.implementationVersionName, "SH", implementationName);
  const body = Buffer.concat([...elements].sort(byTag).map(([, bytes]) => bytes));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), element("x00020000", "UL", length), body]);
}
