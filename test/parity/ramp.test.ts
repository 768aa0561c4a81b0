/** Filtered views against direct convolution in double: every beam, odd numbers of rows and bins. */
import { volume } from "../../lib/core/arrays.ts";
import { filters, filterViews } from "../../lib/tomography/fbp.ts";
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
  // transforms of 24, 48, 96 and 32, 64, 128 points; last steps of 4 and 8; parts narrower than a register
  ...[12, 24, 37, 13, 31, 50].map((bins): [string, Geometry, number] => [
    `${bins} bins`,
    parallelBeam({ bins, binMm: 1, angles: { span: 180, count: 5 }, image }),
    Math.PI / 5,
  ]),
  [
    "729 bins, 1536 points",
    parallelBeam({ bins: 729, binMm: 1, angles: { span: 180, count: 33 }, image }),
    Math.PI / 33,
  ],
  [
    "a long row",
    fanBeam({ detector: "arc", sod: 500, sdd: 900, bins: 1025, binMm: 1, angles: fullScan(5), image }),
    Math.PI / 5,
  ],
  [
    "4097 bins, 12288 points",
    parallelBeam({ bins: 4097, binMm: 1, angles: { span: 180, count: 2 }, image }),
    Math.PI / 2,
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
        // float32 FFT of up to 12288 points: 14 stages of 6e-8 each
        assertClose(filtered.data.subarray(s * rays, (s + 1) * rays), expected, { atol: 8e-7 * largest }, `slice ${s}`);
      }
    });

// What a window makes of one bin: the ramp's taps to 128 frequencies, multiplied there, and back, by plain sums. 37 bins go
// through 96 points, 50 through 128: the taps are the same.
const atFrequency: Record<(typeof filters)[number], (f: number) => number> = {
  "ram-lak": () => 1,
  "shepp-logan": (f) => (f === 0 ? 1 : Math.sin((Math.PI * f) / 2) / ((Math.PI * f) / 2)),
  cosine: (f) => Math.cos((Math.PI * f) / 2),
  hamming: (f) => 0.54 + 0.46 * Math.cos(Math.PI * f),
  hann: (f) => 0.5 + 0.5 * Math.cos(Math.PI * f),
};
for (const [filter, window] of filters.map((name) => [name, atFrequency[name]] as const))
  for (const cutoff of [1, 0.6])
    for (const bins of [37, 50])
      test(`${filter} up to ${cutoff}, ${bins} bins`, async () => {
        const n = 128;
        const cosine = (i: number) => Math.cos((2 * Math.PI * i) / n);
        const taps = Float64Array.from({ length: n }, (_, i) => {
          const k = Math.min(i, n - i);
          return k === 0 ? 1 / 4 : k % 2 === 0 || k >= bins ? 0 : -1 / (Math.PI * k) ** 2;
        });
        const response = taps.map((_, f) => {
          const share = Math.min(f, n - f) / (n / 2) / cutoff;
          return share > 1 ? 0 : taps.reduce((sum, tap, k) => sum + tap * cosine(k * f), 0) * window(share);
        });
        const geometry = parallelBeam({ bins, binMm: 1, angles: { span: 180, count: 1 }, image });
        const impulse = new Float32Array(bins).fill(0);
        impulse[3] = 1;
        const filtered = await filterViews(volume(impulse, [1, 1, bins]), geometry, { filter, cutoff });
        const expected = Float64Array.from(
          impulse,
          (_, k) => (Math.PI * response.reduce((sum, h, f) => sum + h * cosine((k - 3) * f), 0)) / n,
        );
        assertClose(filtered.data, expected, { atol: 3e-7 }, "taps"); // a largest tap of 0.8, float32
      });

test.run();
