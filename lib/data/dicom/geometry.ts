/** Where the slices of a series lie: order, spacing, gaps, tilt, orientation. Vectors in mm in patient coordinates. */
import { sinoError } from "../../core/errors.ts";
import { formatError } from "./failures.ts";
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
  checkSame(input, (s) => `${s.rows} × ${s.columns} pixels`, "size", "ERR_SINO_SHAPE");
  checkSame(
    input,
    (s) => [...s.rowDirection, ...s.columnDirection].map((c) => (c + 0).toFixed(2).replace("-0.00", "0.00")).join("\\"),
    "orientation",
  );
  checkSame(input, (s) => `${s.pixelSpacing.map((d) => d.toFixed(4)).join(" × ")} mm`, "pixel spacing");

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
  if (slices.some((s) => s.rescaleType !== undefined && s.rescaleType !== "HU"))
    warnings.push(`The rescaled values are ${slices.find((s) => s.rescaleType !== "HU")?.rescaleType}, not HU.`);
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

function tilt(slices: readonly CtSlice[], normal: Vector, warnings: string[]): number {
  const a = slices[0]!.position;
  const b = slices.at(-1)!.position;
  const way: Vector = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
  const length = Math.hypot(...way);
  const stated = slices[0]!.tiltDeg ?? 0;
  if (length < 0.001) return stated;
  const angle = (Math.acos(Math.min(1, Math.abs(dot(way, normal)) / length)) * 180) / Math.PI;
  if (angle > 0.5)
    warnings.push(
      `The slices are stacked obliquely by ${angle.toFixed(1)}° (gantry tilt ${stated}°): the volume is sheared against the patient.`,
    );
  return angle > 0.05 ? angle : 0;
}

function checkSame(
  slices: readonly CtSlice[],
  trait: (slice: CtSlice) => string,
  name: string,
  code: "ERR_SINO_SHAPE" | undefined = undefined,
): void {
  const groups = new Map<string, string[]>();
  for (const slice of slices) {
    const key = trait(slice);
    const group = groups.get(key);
    if (group) group.push(slice.file);
    else groups.set(key, [slice.file]);
  }
  if (groups.size < 2) return;
  const parts = [...groups].sort((a, b) => b[1].length - a[1].length);
  const told = parts
    .map(([key, files]) => `${files.length} of ${key}`)
    .slice(0, 4)
    .join(", ");
  const odd = parts[1]![1];
  const sentence = `the slices of series ${slices[0]!.seriesUid} differ in ${name} (${told}); the odd ones are ${someFiles(odd)}. Read them apart.`;
  throw code
    ? sinoError(code, `${odd[0]}: ${sentence}`, { details: { files: odd } })
    : formatError(odd[0]!, sentence, { files: odd });
}
