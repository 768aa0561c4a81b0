/** Filtered views against direct convolution in double: every beam, odd numbers of rows and bins. */
import { volume } from "../../lib/core/arrays.ts";
import { filterViews } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { filterDirect } from "../oracle/fbp.ts";
import { assertClose } from "../support/assert-close.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("ramp parity");
const image = { shape: [4, 4], pixelMm: 1 } as const;

const cases: [string, Geometry, number][] = [
  ["parallel", smallGeometries["parallel 180"]!, Math.PI / 31],
  ["flat fan", smallGeometries["flat fan"]!, Math.PI / 29],
  ["arc fan", smallGeometries["arc fan"]!, Math.PI / 30],
  ["one bin", parallelBeam({ bins: 1, binMm: 2, angles: { span: 180, count: 3 }, image }), Math.PI / 3],
  [
    "a power of two of bins",
    parallelBeam({ bins: 64, binMm: 0.5, angles: { span: 180, count: 7 }, image }),
    Math.PI / 7,
  ],
  ["one bin more", parallelBeam({ bins: 65, binMm: 0.5, angles: { span: 180, count: 7 }, image }), Math.PI / 7],
  [
    "a long row",
    fanBeam({ detector: "arc", sod: 500, sdd: 900, bins: 1025, binMm: 1, angles: fullScan(5), image }),
    Math.PI / 5,
  ],
];

for (const [name, geometry, share] of cases)
  for (const slices of [1, 7])
    test(`${name}, ${slices} slices`, async () => {
      const rays = geometry.angles.length * geometry.bins;
      const sinograms = randomFloats(slices * rays, 4);
      const filtered = await filterViews(volume(sinograms, [slices, geometry.angles.length, geometry.bins]), geometry);
      for (let s = 0; s < slices; s++) {
        const expected = filterDirect(sinograms.subarray(s * rays, (s + 1) * rays), geometry, () => share);
        const largest = expected.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
        // float32 FFT of up to 4096 points: 12 stages of 6e-8 each
        assertClose(filtered.data.subarray(s * rays, (s + 1) * rays), expected, { atol: 8e-7 * largest }, `slice ${s}`);
      }
    });

test.run();
