/** Small geometries that between them use every field: beams, offsets, non-square images and pixels, odd angle lists. */
import { fanBeam, fullScan, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";

export const smallGeometries: Record<string, Geometry> = {
  "parallel 180": parallelBeam({
    bins: 47,
    binMm: 1,
    angles: { span: 180, count: 31 },
    image: { shape: [32, 32], pixelMm: 1 },
  }),
  "parallel, offset, non-square": parallelBeam({
    bins: 53,
    binMm: 0.8,
    offsetBins: -2.25,
    angles: [0, 90, 180, 270, 45, 135, 10.5, 300, 44.999, 89.999, 90.001],
    image: { shape: [37, 21], pixelMm: [0.7, 1.3], centreMm: [1.5, -2] },
  }),
  // fewer rows than a block of 16 rays is wide, and neighbouring views that share no window
  "parallel, low image, shuffled views": parallelBeam({
    bins: 37,
    binMm: 1,
    offsetBins: 0.3,
    angles: [0, 72, 144, 36, 108],
    image: { shape: [13, 33], pixelMm: 1 },
  }),
  "parallel, reversed bins": parallelBeam({
    bins: 64,
    binMm: -0.5,
    offsetBins: 0.25,
    angles: { start: 7, span: 360, count: 17 },
    image: { shape: [16, 31], pixelMm: 0.9 },
  }),
  "flat fan": fanBeam({
    detector: "flat",
    sod: 80,
    sdd: 150,
    bins: 71,
    binMm: 1.1,
    angles: fullScan(29, { cellCentred: true }),
    image: { shape: [33, 33], pixelMm: 1 },
  }),
  "flat fan, offset, non-square": fanBeam({
    detector: "flat",
    sod: 60,
    sdd: 60,
    bins: 45,
    binMm: 1.3,
    offsetBins: 3.5,
    angles: fullScan(13, { start: -20 }),
    image: { shape: [17, 40], pixelMm: [1.2, 0.8], centreMm: [-2, 1] },
  }),
  "arc fan": fanBeam({
    detector: "arc",
    sod: 70,
    sdd: 120,
    bins: 61,
    binDeg: 0.7,
    angles: fullScan(30),
    image: { shape: [32, 32], pixelMm: 1 },
  }),
  "arc fan, reversed, quarter offset": fanBeam({
    detector: "arc",
    sod: 55,
    sdd: 95,
    bins: 50,
    binMm: -1.2,
    offsetBins: 0.25,
    angles: fullScan(23, { start: 90 }),
    image: { shape: [24, 19], pixelMm: [0.9, 1.4] },
  }),
  "one pixel, one bin, one view": parallelBeam({
    bins: 1,
    binMm: 1,
    angles: [30],
    image: { shape: [1, 1], pixelMm: 1 },
  }),
};
