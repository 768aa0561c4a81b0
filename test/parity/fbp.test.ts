/** FBP against direct convolution and back-projection in double, full scans of every beam. */
import { volume } from "../../lib/core/arrays.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { fbpDirect } from "../oracle/fbp.ts";
import { assertClose } from "../support/assert-close.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("fbp parity");

/** `span`: bins that a tile of 16 pixels covers at worst; positions inside it are float32, so they err in proportion. */
const cases: Record<string, { geometry: Geometry; share: number; span?: number }> = {
  "parallel 180": { geometry: smallGeometries["parallel 180"]!, share: Math.PI / 31 },
  "parallel, reversed bins, 360": { geometry: smallGeometries["parallel, reversed bins"]!, share: Math.PI / 17 },
  "flat fan": { geometry: smallGeometries["flat fan"]!, share: Math.PI / 29 },
  "arc fan": { geometry: smallGeometries["arc fan"]!, share: Math.PI / 30 },
  "arc fan, reversed": { geometry: smallGeometries["arc fan, reversed, quarter offset"]!, share: Math.PI / 23 },
  "flat fan, source close to a non-square image": {
    geometry: fanBeam({
      detector: "flat",
      sod: 40,
      sdd: 90,
      bins: 97,
      binMm: 0.9,
      angles: fullScan(19),
      image: { shape: [50, 35], pixelMm: [0.9, 0.7] },
    }),
    share: Math.PI / 19,
    span: 150,
  },
  "arc fan, source close to a non-square image": {
    geometry: fanBeam({
      detector: "arc",
      sod: 40,
      sdd: 90,
      bins: 97,
      binMm: 1.2,
      angles: fullScan(19),
      image: { shape: [50, 35], pixelMm: [0.9, 0.7] },
    }),
    share: Math.PI / 19,
  },
  "bins much finer than pixels": {
    geometry: parallelBeam({
      bins: 401,
      binMm: 0.1,
      angles: { span: 180, count: 9 },
      image: { shape: [19, 23], pixelMm: 1.7 },
    }),
    share: Math.PI / 9,
    span: 385,
  },
  "one view": {
    geometry: parallelBeam({
      bins: 13,
      binMm: 1,
      angles: { span: 180, count: 1 },
      image: { shape: [9, 7], pixelMm: 1 },
    }),
    share: Math.PI,
  },
  "one bin": {
    geometry: parallelBeam({
      bins: 1,
      binMm: 5,
      angles: { span: 180, count: 7 },
      image: { shape: [9, 7], pixelMm: 1 },
    }),
    share: Math.PI / 7,
  },
};

for (const [name, { geometry, share, span = 24 }] of Object.entries(cases)) {
  const pixels = geometry.image.shape[0] * geometry.image.shape[1];
  const rays = geometry.angles.length * geometry.bins;
  for (const slices of [1, 5, 17]) {
    test(`${name}, ${slices} slices`, async () => {
      const sinograms = randomFloats(slices * rays, 3);
      const images = await fbp(volume(sinograms, [slices, geometry.angles.length, geometry.bins]), geometry);
      for (const s of [0, slices - 1]) {
        const expected = fbpDirect(sinograms.subarray(s * rays, (s + 1) * rays), geometry, () => share);
        const largest = expected.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
        // positions err by 1e-7 of the span, and neighbouring filtered bins of white noise differ by the largest value
        assertClose(
          images.data.subarray(s * pixels, (s + 1) * pixels),
          expected,
          { atol: (6e-6 + 1e-7 * span) * largest },
          `slice ${s}`,
        );
      }
    });
  }
}

test.run();
