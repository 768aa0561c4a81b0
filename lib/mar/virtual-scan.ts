/** A scan made up for images that come without their raw data. */
import { show, sinoError } from "../core/errors.ts";
import { type FanGeometry, fanBeam, fullScan } from "../tomography/geometry.ts";

/**
 * A full turn of a flat-detector fan that sees the whole image, corners included: the source twice as far out as the corners
 * (a fan of 60°, like a clinical scanner's), bins of 0.8 pixels at the axis, and about two views per image row.
 */
export function virtualScan(shape: readonly [number, number], pixelMm: readonly [number, number]): FanGeometry {
  const [rows, columns] = shape;
  requirePixelSize(pixelMm);
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

/** Sizes that no image of a patient, an animal or a part has are a mistake of units; very oblong pixels would need millions of bins. */
function requirePixelSize(pixelMm: readonly [number, number]): void {
  const sizes: readonly unknown[] = Array.isArray(pixelMm) ? pixelMm : [];
  const plausible = (mm: unknown) => typeof mm === "number" && mm >= 1e-4 && mm <= 100;
  if (sizes.length !== 2 || !sizes.every(plausible) || Math.max(...pixelMm) > 20 * Math.min(...pixelMm))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected pixelMm as one size or [row spacing, column spacing] between 0.0001 and 100 mm, not more than 1 to 20, but received ${show(pixelMm)}.`,
    );
}
