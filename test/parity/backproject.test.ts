/** Weighted back-projection of arbitrary views against one pixel and view at a time in double. */
import { volume } from "../../lib/core/arrays.ts";
import { backproject } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { backprojectDirect } from "../oracle/fbp.ts";
import { assertClose } from "../support/assert-close.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("backproject parity");

/** Scans whose views are each other's images, wholly or in part, and bins so fine that tiles are cut. */
const symmetricScans: Record<string, Geometry> = {
  "parallel, even, mirrored pairs": parallelBeam({
    bins: 75,
    binMm: 0.9,
    offsetBins: 0.3,
    angles: { span: 180, count: 36 },
    image: { shape: [45, 61], pixelMm: [1.1, 0.9] },
  }),
  "parallel, pairs out of order": parallelBeam({
    bins: 61,
    binMm: 1,
    angles: [150, 10, 30, 170, 170, 45, 135, 80, 0, 10, 100],
    image: { shape: [32, 33], pixelMm: 1 },
  }),
  "flat fan, four quarters": fanBeam({
    detector: "flat",
    sod: 120,
    sdd: 240,
    bins: 101,
    binMm: 1.9,
    offsetBins: 0.25,
    angles: fullScan(40, { start: 3 }),
    image: { shape: [61, 61], pixelMm: 1 },
  }),
  "arc fan, two halves": fanBeam({
    detector: "arc",
    sod: 120,
    sdd: 200,
    bins: 91,
    binMm: 1.8,
    angles: fullScan(24),
    image: { shape: [63, 40], pixelMm: [1, 1.1] },
  }),
  "arc fan, short scan": fanBeam({
    detector: "arc",
    sod: 110,
    sdd: 200,
    bins: 95,
    binMm: -1.5,
    angles: { start: -17, span: 240, count: 48 },
    image: { shape: [62, 62], pixelMm: 1 },
  }),
  "flat fan, fine bins": fanBeam({
    detector: "flat",
    sod: 60,
    sdd: 90,
    bins: 900,
    binMm: 0.08,
    angles: fullScan(8),
    image: { shape: [32, 32], pixelMm: 1 },
  }),
  "parallel, finest bins": parallelBeam({
    bins: 1500,
    binMm: 0.02,
    angles: { span: 180, count: 6 },
    image: { shape: [19, 18], pixelMm: 1 },
  }),
};

/** Bins that a tile of 16 × 16 pixels spans, at most. */
function binsUnderTile(geometry: Geometry): number {
  const { pixelMm, shape } = geometry.image;
  const across = 15 * Math.hypot(...pixelMm);
  if (geometry.beam === "parallel") return across / Math.abs(geometry.binMm);
  const nearest = geometry.sod - Math.hypot(shape[0] * pixelMm[0], shape[1] * pixelMm[1]) / 2;
  return (across * geometry.sdd) / nearest / Math.abs(geometry.binMm);
}

for (const [name, geometry] of Object.entries({ ...smallGeometries, ...symmetricScans }))
  for (const slices of [1, 2, 9, 16])
    test(`${name}, ${slices} slices`, async () => {
      const rays = geometry.angles.length * geometry.bins;
      const pixels = geometry.image.shape[0] * geometry.image.shape[1];
      const views = randomFloats(slices * rays, 5);
      const images = await backproject(volume(views, [slices, geometry.angles.length, geometry.bins]), geometry);
      for (let s = 0; s < slices; s++) {
        const expected = backprojectDirect(views.subarray(s * rays, (s + 1) * rays), geometry);
        const largest = expected.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
        // positions err by 1.2e-7 of the bins of a tile, 24 to 50 in most scans, and neighbouring bins of white noise differ by the largest value
        assertClose(
          images.data.subarray(s * pixels, (s + 1) * pixels),
          expected,
          { atol: 1.2e-7 * Math.max(50, binsUnderTile(geometry)) * largest },
          `slice ${s}`,
        );
      }
    });

test.run();
