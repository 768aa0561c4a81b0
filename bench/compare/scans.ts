/** The scans that are compared, as plain numbers that every contender understands, and as our geometry. */
import { fanBeam, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";

export interface Scan {
  beam: "parallel" | "fan";
  /** Image of size × size pixels of 1 mm. */
  size: number;
  bins: number;
  /** Pitch on the detector, mm. */
  binMm: number;
  /** Degrees. */
  angles: number[];
  /**
   * What the rotation axis goes through: the middle of the image and of the detector, or pixel and bin number size // 2 (that is
   * scikit-image's convention, half a pixel away for an even size).
   */
  axis: "middle" | "pixel";
  sod: number;
  sdd: number;
}

const spaced = (span: number, views: number) => Array.from({ length: views }, (_, i) => (i * span) / views);

/** 180°, bins of one pixel. `bins` defaults to what covers the image's diagonal, an odd number. */
export function parallelScan(size: number, views = (size * 360) / 256, bins = coveringBins(size)): Scan {
  return { beam: "parallel", size, bins, binMm: 1, angles: spaced(180, views), axis: "middle", sod: 0, sdd: 0 };
}

/** 365, 729 and 1457 for 256, 512 and 1024. */
function coveringBins(size: number): number {
  const known: Record<number, number> = { 256: 365, 512: 729, 1024: 1457 };
  return known[size] ?? 2 * Math.ceil(size * Math.SQRT1_2) + 3;
}

/** 512² seen by a flat fan, source and detector at 1024 from the axis. */
export function flatFanScan(views = 640, bins = 641): Scan {
  return {
    beam: "fan",
    size: 512,
    bins,
    binMm: 1.66,
    angles: spaced(360, views),
    axis: "middle",
    sod: 1024,
    sdd: 2048,
  };
}

export function geometryOf(scan: Scan): Geometry {
  const { size, bins, binMm, angles, sod, sdd } = scan;
  const shift = scan.axis === "pixel" && size % 2 === 0 ? 0.5 : 0;
  const image = { shape: [size, size], pixelMm: 1, centreMm: [-shift, shift] };
  if (scan.beam === "parallel") return parallelBeam({ bins, binMm, offsetBins: shift, angles, image });
  return fanBeam({ detector: "flat", sod, sdd, bins, binMm, offsetBins: shift, angles, image });
}

/** Pixel-view updates of one slice. */
export const updatesOf = (scan: Scan): number => scan.size ** 2 * scan.angles.length;
