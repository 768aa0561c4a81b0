/** Where the slices of a series lie: order, spacing, gaps, tilt, orientation. Vectors in mm in patient coordinates. */
import { sinoError } from "../../core/errors.ts";
import type { CtSlice, Vector } from "./slice.ts";

export interface SeriesGeometry {
  /** Sorted along the slice normal. */
  readonly slices: readonly CtSlice[];
  /** mm; `slice` is the median distance along the normal. */
  readonly spacingMm: { readonly slice: number; readonly row: number; readonly column: number };
  /** Distance along the normal from each slice to the next, mm; 0 where two lie at the same place. */
  readonly gapsMm: readonly number[];
  readonly isEvenlySpaced: boolean;
  readonly orientation: { readonly row: Vector; readonly column: Vector; readonly normal: Vector };
  /** Angle between the slice normal and the way the table moved, degrees; of a single slice what its head states. */
  readonly tiltDeg: number;
  readonly warnings: readonly string[];
}

const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const mm = (value: number): string => String(Math.round(value * 1000) / 1000);

/** "a.dcm, b.dcm and 3 more", for sentences. */
export function someFiles(files: readonly string[]): string {
  const shown = files.slice(0, 3).join(", ");
  return files.length > 3 ? `${shown} and ${files.length - 3} more` : shown;
}

/**
 * Sorts slices of one series and measures how they lie. Throws ERR_SINO_SHAPE where they differ in size, ERR_SINO_IO_FORMAT
 * where they differ in orientation or pixel spacing, naming the files of the smaller part.
 */
export function arrange(input: readonly CtSlice[]): SeriesGeometry {
  checkSame(input, "ERR_SINO_SHAPE", "size", sameSize, (s) => `${s.rows} × ${s.columns} pixels`);
  checkSame(input, "ERR_SINO_IO_FORMAT", "orientation", sameOrientation, (s) =>
    [...s.rowDirection, ...s.columnDirection].join("\\"),
  );
  checkSame(input, "ERR_SINO_IO_FORMAT", "pixel spacing", sameSpacing, (s) => `${s.pixelSpacing.join(" × ")} mm`);

  const warnings: string[] = [];
  const first = input[0]!;
  const normal = cross(first.rowDirection, first.columnDirection);
  const height = new Map(input.map((slice) => [slice, dot(slice.position, normal)]));
  const slices = input.toSorted(
    (a, b) =>
      height.get(a)! - height.get(b)! ||
      (a.instanceNumber ?? 0) - (b.instanceNumber ?? 0) ||
      (a.file < b.file ? -1 : 1),
  );
  const gapsMm = slices.slice(1).map((slice, i) => height.get(slice)! - height.get(slices[i]!)!);
  const { steps, isEvenlySpaced } = spacing(slices, gapsMm, warnings);
  const tiltDeg = tilt(slices, normal, warnings);
  if (new Set(slices.map((s) => s.frameOfReferenceUid)).size > 1)
    warnings.push("The slices have different frames of reference: their positions may not belong together.");
  const other = slices.find((s) => s.rescaleType !== undefined && s.rescaleType !== "HU");
  if (other) warnings.push(`The rescaled values are ${other.rescaleType}, not HU.`);
  return {
    slices,
    spacingMm: { slice: steps, row: first.pixelSpacing[0], column: first.pixelSpacing[1] },
    gapsMm,
    isEvenlySpaced,
    orientation: { row: first.rowDirection, column: first.columnDirection, normal },
    tiltDeg,
    warnings,
  };
}

function spacing(slices: readonly CtSlice[], gapsMm: readonly number[], warnings: string[]) {
  const samePlace = 0.001;
  const doubled = gapsMm.flatMap((gap, i) =>
    gap < samePlace ? [`${slices[i]!.file} and ${slices[i + 1]!.file}`] : [],
  );
  if (doubled.length > 0)
    warnings.push(`${doubled.length} slices lie where another one does, all are kept: ${someFiles(doubled)}.`);
  const gaps = gapsMm.filter((gap) => gap >= samePlace);
  if (gaps.length === 0) {
    const stated = slices[0]!.spacingBetweenSlices ?? slices[0]!.sliceThickness;
    if (!stated) warnings.push("Neither positions nor the head tell the distance between slices: 1 mm is assumed.");
    return { steps: Math.abs(stated || 1), isEvenlySpaced: doubled.length === 0 };
  }
  const steps = median(gaps);
  const uneven = gaps.some((gap) => Math.abs(gap - steps) > Math.max(0.02, 0.01 * steps));
  if (uneven)
    warnings.push(
      `The gaps between slices are uneven: ${mm(Math.min(...gaps))} to ${mm(Math.max(...gaps))} mm, median ${mm(steps)} mm.`,
    );
  return { steps, isEvenlySpaced: !uneven && doubled.length === 0 };
}

/** More than rounding of positions in the file. */
const strayMm = 0.1;

function distanceToLine(point: Vector, start: Vector, way: Vector): number {
  const from: Vector = [point[0] - start[0], point[1] - start[1], point[2] - start[2]];
  return Math.hypot(...cross(from, way)) / Math.hypot(...way);
}

function tilt(slices: readonly CtSlice[], normal: Vector, warnings: string[]): number {
  const a = slices[0]!.position;
  const b = slices.at(-1)!.position;
  const way: Vector = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
  const length = Math.hypot(...way);
  const stated = slices[0]!.tiltDeg ?? 0;
  if (length < 0.001) return stated;
  const angle = (Math.acos(Math.min(1, Math.abs(dot(way, normal)) / length)) * 180) / Math.PI;
  const strayed = slices.filter(({ position }) => distanceToLine(position, a, way) > strayMm);
  if (strayed.length > 0)
    warnings.push(
      `${strayed.length} slices are shifted sideways against the others: ${someFiles(strayed.map((s) => s.file))}.`,
    );
  if (angle > 0.5)
    warnings.push(
      `The slices are stacked obliquely by ${angle.toFixed(1)}° (gantry tilt ${stated}°): the volume is sheared against the patient.`,
    );
  return angle > 0.05 ? angle : 0;
}

const near = (a: readonly number[], b: readonly number[], tolerance: number): boolean =>
  a.every((value, i) => Math.abs(value - b[i]!) <= tolerance);

const sameSize = (a: CtSlice, b: CtSlice): boolean => a.rows === b.rows && a.columns === b.columns;
const sameOrientation = (a: CtSlice, b: CtSlice): boolean =>
  near(a.rowDirection, b.rowDirection, 0.002) && near(a.columnDirection, b.columnDirection, 0.002);
const sameSpacing = (a: CtSlice, b: CtSlice): boolean =>
  near(a.pixelSpacing, b.pixelSpacing, 0.001 * a.pixelSpacing[0]);

/** Throws where the slices fall into groups of which one is the odd one out. */
function checkSame(
  slices: readonly CtSlice[],
  code: "ERR_SINO_SHAPE" | "ERR_SINO_IO_FORMAT",
  name: string,
  isSame: (a: CtSlice, b: CtSlice) => boolean,
  show: (slice: CtSlice) => string,
): void {
  const groups: CtSlice[][] = [];
  for (const slice of slices) {
    const group = groups.find((each) => isSame(each[0]!, slice));
    if (group) group.push(slice);
    else groups.push([slice]);
  }
  if (groups.length < 2) return;
  groups.sort((a, b) => b.length - a.length);
  const told = groups.slice(0, 4).map((group) => `${group.length} of ${show(group[0]!)}`);
  const files = groups[1]!.map((slice) => slice.file);
  throw sinoError(
    code,
    `${files[0]}: the slices of series ${slices[0]!.seriesUid} differ in ${name} (${told.join(", ")}); the odd ones are ${someFiles(files)}. Read them apart.`,
    { details: { files } },
  );
}
