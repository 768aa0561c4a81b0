/** How methods and geometries are named in records and reports. */
import type { DiffusionSlice } from "../mar/diffusion/index.ts";
import type { SliceVerdict, Verdict } from "../mar/guard.ts";
import type { ReportTable } from "../report/report.ts";
import type { Geometry } from "../tomography/geometry.ts";
import type { MarOptions } from "./mar.ts";

export const methodNames: Readonly<Record<MarOptions["method"], string>> = {
  li: "LI, linear interpolation across the metal trace",
  nmar: "NMAR, interpolation of the difference to a prior image",
  polychromatic: "polychromatic inversion of the rays behind metal",
  diffusion: "dual-domain diffusion: what a network that knows images without metal says of the rays behind it",
  auto: "polychromatic inversion where the rays agree with its physics, else NMAR; and a network for what that leaves open",
};

export const virtualScanNote =
  "Image only: there are no raw data. The images were projected through a virtual scan, the rays through metal were replaced there, " +
  "and only the resulting change was added to the images. This takes away streaks and dark bands; it cannot bring back what the " +
  "scanner's own reconstruction lost, such as detail right beside the metal, or values that were clipped.";

/** "2 full, 1 nmar": how far the slices were taken. */
export function verdictText(slices: readonly SliceVerdict[]): string {
  const counts = new Map<Verdict, number>();
  for (const { verdict } of slices) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  return [...counts].map(([verdict, count]) => (slices.length === 1 ? verdict : `${count} ${verdict}`)).join(", ");
}

/** "2 corrected, 1 failed": what diffusion did. */
export function outcomeText(slices: readonly DiffusionSlice[]): string {
  const counts = new Map<string, number>();
  for (const { outcome } of slices) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(", ");
}

export function verdictTable(slices: readonly SliceVerdict[]): ReportTable {
  const text = (value: number | undefined, digits: number) => (Number.isFinite(value) ? value!.toFixed(digits) : "–");
  return {
    caption: "Verdict of every slice, with the signals that it rests on",
    columns: ["slice", "verdict", "metal", "density", "edge", "residual", "calibration", "roughness", "pixels"],
    rows: slices.map(({ verdict, material, density, edge, signals, metalPixels }, slice) => [
      String(slice),
      verdict,
      material ?? "–",
      density === undefined ? "–" : `× ${text(density, 2)}`,
      edge ?? "–",
      ...[signals?.residual, signals?.calibration, signals?.roughness].map((value) => text(value, 3)),
      String(metalPixels),
    ]),
  };
}

const short = (value: number): string => String(Number(value.toPrecision(5)));

/** One line: "fan, flat detector, 640 views, 641 bins of 0.678 mm, …". */
export function describeGeometry(geometry: Geometry): string {
  const { bins, binMm, angles, image } = geometry;
  const beam =
    geometry.beam === "parallel"
      ? "parallel beam"
      : `fan, ${geometry.detector} detector, source to axis ${short(geometry.sod)} mm, to detector ${short(geometry.sdd)} mm`;
  const [row, column] = image.pixelMm;
  const pixel = row === column ? short(row) : `${short(row)} × ${short(column)}`;
  return `${beam}, ${angles.length} views, ${bins} bins of ${short(binMm)} mm; image ${image.shape.join(" × ")}, pixels of ${pixel} mm`;
}
