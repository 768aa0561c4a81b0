/** What the head of one DICOM file says, read without its pixels. Nothing is judged here: slice.ts decides what is usable. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isCodedError } from "../../core/errors.ts";
import { ioError } from "../../core/files.ts";
import { decodeText } from "./charset.ts";
import { formatError, reasonOf } from "./failures.ts";
import { isDeflated, isDicom, parse } from "./parse.ts";
import { type HeadData, skim } from "./skim.ts";
import { deflatedExplicit } from "./syntaxes.ts";
import { tags } from "./tags.ts";

export interface SliceHead {
  readonly file: string;
  readonly fileBytes: number;
  readonly transferSyntaxUid: string;
  readonly sopClassUid: string | undefined;
  readonly sopInstanceUid: string | undefined;
  readonly seriesUid: string | undefined;
  readonly studyUid: string | undefined;
  readonly patientId: string | undefined;
  readonly frameOfReferenceUid: string | undefined;
  readonly modality: string | undefined;
  readonly description: string;
  readonly seriesNumber: number | undefined;
  readonly instanceNumber: number | undefined;
  readonly imageType: readonly string[];
  readonly kvp: number | undefined;
  readonly tiltDeg: number | undefined;
  readonly phaseEncoding: string | undefined;
  readonly sliceThickness: number | undefined;
  readonly spacingBetweenSlices: number | undefined;
  readonly rows: number | undefined;
  readonly columns: number | undefined;
  readonly samplesPerPixel: number | undefined;
  readonly photometric: string | undefined;
  readonly frames: number;
  readonly bitsAllocated: number | undefined;
  readonly bitsStored: number | undefined;
  readonly highBit: number | undefined;
  readonly pixelRepresentation: number | undefined;
  readonly position: readonly number[] | undefined;
  readonly orientation: readonly number[] | undefined;
  readonly pixelSpacing: readonly number[] | undefined;
  readonly slope: number | undefined;
  readonly intercept: number | undefined;
  readonly rescaleType: string | undefined;
  readonly padding: number | undefined;
  /** Where the pixels begin; in a deflated file counted in meta header + inflated data set. */
  readonly pixelOffset: number | undefined;
  /** Bytes of pixel data; undefined where the length is (encapsulated). */
  readonly pixelLength: number | undefined;
  readonly pixelVr: string | undefined;
}

const firstRead = 16 * 1024;
const largestHead = 256 * 1024 * 1024;
let scratch = Buffer.allocUnsafeSlow(firstRead);

/**
 * Reads the head of one file: 16 kB at first, more where the pixel data starts later. Returns undefined where the file is
 * not DICOM (no DICM marker). Throws ERR_SINO_IO, or ERR_SINO_IO_FORMAT for a damaged file. Blocks for about 0.1 ms.
 */
export function readHead(file: string): SliceHead | undefined {
  let descriptor: number | undefined;
  try {
    // O_NONBLOCK: a named pipe in the folder must not hang the reader.
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    return readOpenHead(file, descriptor);
  } catch (error) {
    throw isCodedError(error) ? error : ioError("read", file, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function readOpenHead(file: string, descriptor: number): SliceHead | undefined {
  const got = readSync(descriptor, scratch, 0, scratch.length, 0);
  if (!isDicom(scratch.subarray(0, got))) return undefined;
  const { size } = fstatSync(descriptor);
  let bytes = scratch.subarray(0, got);
  for (;;) {
    const skimmed = skim(bytes);
    if (skimmed) return extract(file, size, skimmed);
    const partial = bytes.length < Math.min(size, largestHead);
    const dataSet = parse(file, bytes, { partial });
    if (dataSet) {
      const head = extract(file, size, dataSet);
      return isDeflated(bytes) ? { ...head, transferSyntaxUid: deflatedExplicit } : head;
    }
    const identity = parse(file, bytes, { partial, until: tags.modality });
    if (identity && hasNoImage(identity.string(tags.sopClassUid) ?? "")) return extract(file, size, identity);
    const wanted = Math.min(size, bytes.length * 4, largestHead);
    const grown = Buffer.allocUnsafeSlow(wanted);
    const read = readSync(descriptor, grown, 0, wanted, 0);
    if (read < wanted)
      throw formatError(file, `the file became shorter while it was read (${read} of ${wanted} bytes).`);
    bytes = grown;
    if (wanted <= 1 << 18) scratch = grown; // neighbours will have as long a head
  }
}

/** Contours, plans, reports, presentation states, raw data, documents, DICOMDIR: long files that need not be read through. */
function hasNoImage(sopClassUid: string): boolean {
  return /^1\.2\.840\.10008\.(1\.3\.10$|5\.1\.4\.1\.1\.(481\.[3589]|88|11|66|104)(\.|$))/.test(sopClassUid.trim());
}

function extract(file: string, fileBytes: number, dataSet: HeadData): SliceHead {
  try {
    return fieldsOf(file, fileBytes, dataSet);
  } catch (error) {
    throw formatError(file, `an attribute cannot be read: ${reasonOf(error)}. The file is damaged.`, {}, error);
  }
}

function fieldsOf(file: string, fileBytes: number, data: HeadData): SliceHead {
  const text = (tag: string) => data.string(tag)?.trim() || undefined;
  const list = (tag: string) =>
    text(tag)
      ?.split("\\")
      .map((part) => part.trim());
  const decimals = (tag: string) => list(tag)?.map(decimal);
  const number = (tag: string) => decimals(tag)?.[0];
  const short = (tag: string) => data.uint16(tag);
  const pixelRepresentation = short(tags.pixelRepresentation);
  const pixels = data.elements[tags.pixelData];
  const described = data.elements[tags.seriesDescription];
  return {
    file,
    fileBytes,
    transferSyntaxUid: text(tags.transferSyntaxUid) ?? "",
    sopClassUid: text(tags.sopClassUid) ?? text(tags.mediaStorageSopClassUid),
    sopInstanceUid: text(tags.sopInstanceUid),
    seriesUid: text(tags.seriesInstanceUid),
    studyUid: text(tags.studyInstanceUid),
    patientId: text(tags.patientId),
    frameOfReferenceUid: text(tags.frameOfReferenceUid),
    modality: text(tags.modality),
    description: described
      ? decodeText(
          data.byteArray.subarray(described.dataOffset, described.dataOffset + described.length),
          text(tags.specificCharacterSet),
        )
      : "",
    seriesNumber: number(tags.seriesNumber),
    instanceNumber: number(tags.instanceNumber),
    imageType: list(tags.imageType) ?? [],
    kvp: number(tags.kvp),
    tiltDeg: number(tags.gantryDetectorTilt),
    phaseEncoding: text(tags.inPlanePhaseEncodingDirection),
    sliceThickness: number(tags.sliceThickness),
    spacingBetweenSlices: number(tags.spacingBetweenSlices),
    rows: short(tags.rows),
    columns: short(tags.columns),
    samplesPerPixel: short(tags.samplesPerPixel),
    photometric: text(tags.photometricInterpretation),
    frames: number(tags.numberOfFrames) ?? 1,
    bitsAllocated: short(tags.bitsAllocated),
    bitsStored: short(tags.bitsStored),
    highBit: short(tags.highBit),
    pixelRepresentation,
    position: decimals(tags.imagePositionPatient),
    orientation: decimals(tags.imageOrientationPatient),
    pixelSpacing: decimals(tags.pixelSpacing),
    slope: number(tags.rescaleSlope),
    intercept: number(tags.rescaleIntercept),
    rescaleType: text(tags.rescaleType),
    // Its VR may say US where the pixels are signed: the representation of the pixels decides.
    padding: pixelRepresentation === 1 ? data.int16(tags.pixelPaddingValue) : data.uint16(tags.pixelPaddingValue),
    pixelOffset: pixels?.dataOffset,
    pixelLength: pixels?.hadUndefinedLength ? undefined : pixels?.length,
    pixelVr: pixels?.vr,
  };
}

/** A DS or IS value; NaN where it is not a number, which the checks then refuse. */
function decimal(value: string): number {
  return value === "" ? Number.NaN : Number(value);
}
