/** From what a head says to a slice that can be used: everything missing or unsupported is refused here, by name. */
import { isAbsolute, resolve } from "node:path";
import { sinoError } from "../../core/errors.ts";
import { formatError } from "./failures.ts";
import type { SliceHead } from "./head.ts";
import { type TransferSyntax, transferSyntax } from "./syntaxes.ts";

export type Vector = readonly [x: number, y: number, z: number];

/** One image of a series; everything needed to fetch its pixels and to write a derived image of it. */
export interface CtSlice {
  /** Absolute path. */
  readonly file: string;
  readonly fileBytes: number;
  readonly sopInstanceUid: string;
  readonly sopClassUid: string;
  readonly seriesUid: string;
  readonly studyUid: string;
  readonly frameOfReferenceUid: string | undefined;
  readonly modality: string;
  readonly description: string;
  readonly seriesNumber: number | undefined;
  readonly instanceNumber: number | undefined;
  readonly imageType: readonly string[];
  readonly kvp: number | undefined;
  /** Gantry/Detector Tilt as the head states it, degrees. */
  readonly tiltDeg: number | undefined;
  /** Of MR: "COL" where the phase was encoded down the columns, "ROW" along the rows. */
  readonly phaseEncoding: string | undefined;
  readonly sliceThickness: number | undefined;
  readonly spacingBetweenSlices: number | undefined;
  readonly rows: number;
  readonly columns: number;
  readonly bitsAllocated: 8 | 16 | 32;
  readonly bitsStored: number;
  readonly signed: boolean;
  /** Centre of the first pixel in patient coordinates, mm. */
  readonly position: Vector;
  /** Direction of increasing column, then of increasing row. */
  readonly rowDirection: Vector;
  readonly columnDirection: Vector;
  /** mm between rows, mm between columns. */
  readonly pixelSpacing: readonly [row: number, column: number];
  /** HU = slope · stored + intercept. */
  readonly slope: number;
  readonly intercept: number;
  readonly rescaleType: string | undefined;
  /** PixelPaddingValue as stored (before rescaling); undefined where the file has none. */
  readonly padding: number | undefined;
  readonly transferSyntax: TransferSyntax;
  readonly pixelOffset: number;
  /** Bytes of uncompressed pixel data; undefined where it is encapsulated. */
  readonly pixelLength: number | undefined;
  readonly pixelVr: string | undefined;
}

const largestSide = 8192;

/** Bytes of one uncompressed slice as stored. */
export function storedBytes(slice: Pick<CtSlice, "rows" | "columns" | "bitsAllocated">): number {
  return (slice.rows * slice.columns * slice.bitsAllocated) / 8;
}

/**
 * Checks everything that reading needs. Throws ERR_SINO_IO_FORMAT (or ERR_SINO_UNSUPPORTED for a transfer syntax) with the file and the attribute.
 * With `anyModality`, images that are not CT pass, and a missing rescale counts as slope 1, intercept 0.
 */
export function checkSlice(head: SliceHead, { anyModality = false } = {}): CtSlice {
  const { file } = head;
  if (!anyModality && head.modality !== "CT")
    throw formatError(file, `expected a CT image but its modality is ${head.modality ?? "missing"}.`, {
      modality: head.modality,
    });
  if (head.pixelOffset === undefined)
    throw formatError(file, `it is a DICOM file of modality ${head.modality ?? "unknown"} without pixel data.`);
  const need = <T>(value: T | undefined, name: string): T => {
    if (value === undefined) throw formatError(file, `the attribute ${name} is missing.`, { attribute: name });
    return value;
  };
  const numbers = (values: readonly number[] | undefined, count: number, name: string): readonly number[] => {
    const found = need(values, name);
    if (found.length !== count || !found.every(Number.isFinite))
      throw formatError(file, `expected ${count} numbers in ${name} but found ${found.join("\\")}.`, {
        attribute: name,
      });
    return found;
  };
  const syntax = transferSyntax(head.transferSyntaxUid);
  if (!syntax)
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `${file}: the transfer syntax ${head.transferSyntaxUid || "(none)"} is not supported. Convert the file to Explicit VR Little Endian first.`,
      { details: { file, transferSyntax: head.transferSyntaxUid } },
    );
  if (head.frames !== 1)
    throw formatError(file, `it is a multi-frame image of ${head.frames} frames; expected one slice per file.`, {
      frames: head.frames,
    });
  const photometric = need(head.photometric, "PhotometricInterpretation (0028,0004)");
  if ((head.samplesPerPixel ?? 1) !== 1 || !photometric.startsWith("MONOCHROME"))
    throw formatError(file, `it is a colour image (${photometric}); expected grey values (MONOCHROME2).`, {
      photometric,
    });
  const rows = need(head.rows, "Rows (0028,0010)");
  const columns = need(head.columns, "Columns (0028,0011)");
  if (rows < 1 || columns < 1 || rows > largestSide || columns > largestSide)
    throw formatError(file, `expected 1 to ${largestSide} rows and columns but found ${rows} × ${columns}.`, {
      rows,
      columns,
    });
  const bitsAllocated = need(head.bitsAllocated, "BitsAllocated (0028,0100)");
  const bitsStored = head.bitsStored ?? bitsAllocated;
  if (bitsAllocated !== 8 && bitsAllocated !== 16 && bitsAllocated !== 32)
    throw formatError(file, `expected 8, 16 or 32 bits per pixel but BitsAllocated is ${bitsAllocated}.`, {
      bitsAllocated,
    });
  if (bitsStored < 1 || bitsStored > bitsAllocated || (head.highBit ?? bitsStored - 1) !== bitsStored - 1)
    throw formatError(
      file,
      `BitsStored ${bitsStored}, HighBit ${head.highBit} and BitsAllocated ${bitsAllocated} do not fit.`,
      {
        bitsAllocated,
        bitsStored,
        highBit: head.highBit,
      },
    );
  const representation = need(head.pixelRepresentation, "PixelRepresentation (0028,0103)");
  if (representation > 1) throw formatError(file, `PixelRepresentation is ${representation}; expected 0 or 1.`);
  const spacing = numbers(head.pixelSpacing, 2, "PixelSpacing (0028,0030)");
  if (!spacing.every((mm) => mm > 0))
    throw formatError(file, `expected a positive PixelSpacing but found ${spacing.join("\\")}.`, { spacing });
  const [rowDirection, columnDirection] = directions(
    file,
    numbers(head.orientation, 6, "ImageOrientationPatient (0020,0037)"),
  );
  const slope = anyModality ? (head.slope ?? 1) : need(head.slope, "RescaleSlope (0028,1053)");
  const intercept = anyModality ? (head.intercept ?? 0) : need(head.intercept, "RescaleIntercept (0028,1052)");
  if (!Number.isFinite(slope) || slope === 0 || !Number.isFinite(intercept))
    throw formatError(file, `RescaleSlope ${slope} and RescaleIntercept ${intercept} make no HU.`, {
      slope,
      intercept,
    });

  const slice: CtSlice = {
    file: isAbsolute(file) ? file : resolve(file),
    fileBytes: head.fileBytes,
    sopInstanceUid: need(head.sopInstanceUid, "SOPInstanceUID (0008,0018)"),
    sopClassUid: need(head.sopClassUid, "SOPClassUID (0008,0016)"),
    seriesUid: need(head.seriesUid, "SeriesInstanceUID (0020,000E)"),
    studyUid: need(head.studyUid, "StudyInstanceUID (0020,000D)"),
    frameOfReferenceUid: head.frameOfReferenceUid,
    modality: head.modality ?? "",
    description: head.description,
    seriesNumber: finite(head.seriesNumber),
    instanceNumber: finite(head.instanceNumber),
    imageType: head.imageType,
    kvp: finite(head.kvp),
    tiltDeg: finite(head.tiltDeg),
    phaseEncoding: head.phaseEncoding,
    sliceThickness: finite(head.sliceThickness),
    spacingBetweenSlices: finite(head.spacingBetweenSlices),
    rows,
    columns,
    bitsAllocated,
    bitsStored,
    signed: representation === 1,
    position: vector(numbers(head.position, 3, "ImagePositionPatient (0020,0032)"), 0),
    rowDirection,
    columnDirection,
    pixelSpacing: [spacing[0]!, spacing[1]!],
    slope,
    intercept,
    rescaleType: head.rescaleType,
    padding: head.padding,
    transferSyntax: syntax,
    pixelOffset: head.pixelOffset,
    pixelLength: head.pixelLength,
    pixelVr: head.pixelVr,
  };
  checkPixelBytes(slice);
  return slice;
}

function checkPixelBytes(slice: CtSlice): void {
  const { file, fileBytes, pixelLength, pixelOffset, transferSyntax: syntax } = slice;
  const expected = storedBytes(slice);
  if (syntax.encoding === "encapsulated") {
    if (pixelLength !== undefined)
      throw formatError(file, `its pixel data is not encapsulated although it is ${syntax.name}.`);
    return;
  }
  if (pixelLength === undefined || pixelLength < expected)
    throw formatError(
      file,
      `its pixel data has ${pixelLength ?? "no known number of"} bytes but ${expected} are needed.`,
      {
        expected,
        found: pixelLength,
      },
    );
  if (syntax.encoding === "native" && pixelOffset + expected > fileBytes)
    throw formatError(
      file,
      `the file is truncated: its pixels end at byte ${pixelOffset + expected} but it has ${fileBytes} bytes.`,
      {
        expected,
        found: fileBytes - pixelOffset,
      },
    );
}

function directions(file: string, cosines: readonly number[]): [Vector, Vector] {
  const row = vector(cosines, 0);
  const column = vector(cosines, 3);
  const isUnit = (v: Vector) => Math.abs(Math.hypot(...v) - 1) < 0.01;
  const along = row[0] * column[0] + row[1] * column[1] + row[2] * column[2];
  if (!isUnit(row) || !isUnit(column) || Math.abs(along) > 0.01)
    throw formatError(file, `ImageOrientationPatient ${cosines.join("\\")} is not two orthogonal unit vectors.`);
  return [row, column];
}

function vector(values: readonly number[], first: number): Vector {
  return [values[first]!, values[first + 1]!, values[first + 2]!];
}

function finite(value: number | undefined): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
