/** A scan made up for images that come without their raw data. */
import { type FanGeometry, fanBeam, fullScan } from "../tomography/geometry.ts";

/**
 * A full turn of a flat-detector fan that sees the whole image, corners included: the source twice as far out as the corners
 * (a fan of 60°, like a clinical scanner's), bins of 0.8 pixels at the axis, and about two views per image row.
 */
export function virtualScan(shape: readonly [number, number], pixelMm: readonly [number, number]): FanGeometry {
  const [rows, columns] = shape;
  const finest = Math.min(...pixelMm);
  const reach = Math.hypot(rows * pixelMm[0], columns * pixelMm[1]) / 2;
  const sod = 2 * reach;
  const halfDetector = (reach * sod) / Math.sqrt(sod * sod - reach * reach);
  const bin = 0.8 * finest;
  const views = Math.max(16, 2 * Math.ceil(Math.max(rows * pixelMm[0], columns * pixelMm[1]) / finest));
  return fanBeam({
    detector: "flat",
    sod,
    sdd: 2 * sod,
    bins: 2 * Math.ceil(halfDetector / bin) + 1,
    binMm: 2 * bin,
    angles: fullScan(views, { cellCentred: true }),
    image: { shape, pixelMm },
    name: "virtual scan",
  });
}
