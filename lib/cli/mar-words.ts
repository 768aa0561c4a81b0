/** How methods and geometries are named in records and reports. */
import type { MarMethod } from "../mar/sinogram.ts";
import type { Geometry } from "../tomography/geometry.ts";

export const methodNames: Readonly<Record<MarMethod, string>> = {
  li: "LI, linear interpolation across the metal trace",
  nmar: "NMAR, interpolation of the difference to a prior image",
};

export const virtualScanNote =
  "Image only: there are no raw data. The images were projected through a virtual scan, the rays through metal were replaced there, " +
  "and only the resulting change was added to the images. This takes away streaks and dark bands; it cannot bring back what the " +
  "scanner's own reconstruction lost, such as detail right beside the metal, or values that were clipped.";

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
