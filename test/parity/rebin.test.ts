/** Parallel views from fans against one ray at a time in double, FBP through them, and what cannot be rebinned. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { type FanGeometry, fanBeam, fullScan, shortScan } from "../../lib/tomography/geometry.ts";
import { project } from "../../lib/tomography/project.ts";
import { rebin, rebinnedGeometry } from "../../lib/tomography/rebin.ts";
import { phantomSinogram, smooth } from "../oracle/phantoms.ts";
import { rebinDirect } from "../oracle/rebin.ts";
import { assertClose, assertRejects, relativeError } from "../support/assert-close.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("rebin");
const image = { shape: [20, 20], pixelMm: 1 } as const;
const flat = { detector: "flat", sod: 90, sdd: 160, image } as const;
const arc = { detector: "arc", sod: 90, sdd: 160, image } as const;
const guard = 64;

const fans: [string, FanGeometry][] = [
  ...Object.entries(smallGeometries).filter((entry): entry is [string, FanGeometry] => entry[1].beam === "fan"),
  ["fewer bins than lanes", fanBeam({ ...flat, bins: 11, binMm: 5, angles: fullScan(17) })],
  ["one bin", fanBeam({ ...arc, bins: 1, binMm: 5, angles: fullScan(5) })],
  ["many views of few bins", fanBeam({ ...arc, bins: 19, binDeg: 1.9, angles: fullScan(501) })],
  [
    "backwards, begun anywhere",
    fanBeam({ ...flat, bins: 47, binMm: 1.4, angles: { start: 77, span: -360, count: 44 } }),
  ],
  [
    "in any order",
    fanBeam({ ...arc, bins: 33, binMm: 2, angles: Array.from({ length: 40 }, (_, i) => ((i * 7) % 40) * 9) }),
  ],
  ["wide and flat", fanBeam({ ...flat, sdd: 90, bins: 101, binMm: 1.5, angles: fullScan(60) })],
  ["off the middle", fanBeam({ ...arc, bins: 60, binMm: 1.2, offsetBins: 0.3, angles: fullScan(50) })],
];

for (const [name, fan] of fans)
  for (const slices of [1, 3])
    test(`${name}, ${slices} slices`, async () => {
      const parallel = rebinnedGeometry(fan);
      const rays = fan.angles.length * fan.bins;
      const size = parallel.angles.length * parallel.bins;
      const sinograms = randomFloats(slices * rays, 6);
      const memory = new Float32Array(slices * size + 2 * guard).fill(-77);
      const out = volume(memory.subarray(guard, guard + slices * size), [
        slices,
        parallel.angles.length,
        parallel.bins,
      ]);
      await rebin(volume(sinograms, [slices, fan.angles.length, fan.bins]), fan, { out });
      for (let s = 0; s < slices; s++) {
        const expected = rebinDirect(sinograms.subarray(s * rays, (s + 1) * rays), fan, parallel);
        // 32 products of float32 weights, whose sizes sum to at most 2.5
        assertClose(out.data.subarray(s * size, (s + 1) * size), expected, { atol: 2e-6 }, `slice ${s}`);
      }
      assert.ok(memory.subarray(0, guard).every((x) => x === -77) && memory.subarray(-guard).every((x) => x === -77));
    });

const grid = { shape: [120, 128], pixelMm: [1, 0.9], centreMm: [2, -3] } as const;
const scans: [string, FanGeometry][] = [
  [
    "flat, full turn",
    fanBeam({ detector: "flat", sod: 300, sdd: 500, bins: 280, binMm: 1.5, angles: fullScan(360), image: grid }),
  ],
  [
    "arc, odd number of views",
    fanBeam({ detector: "arc", sod: 300, sdd: 500, bins: 280, binMm: 1.5, angles: fullScan(361), image: grid }),
  ],
  [
    "arc, pushed sideways",
    fanBeam({
      detector: "arc",
      sod: 300,
      sdd: 500,
      bins: 220,
      binMm: 1.5,
      offsetBins: 40.25,
      angles: fullScan(360),
      image: grid,
    }),
  ],
  [
    "flat, reversed, quarter offset",
    fanBeam({
      detector: "flat",
      sod: 300,
      sdd: 500,
      bins: 281,
      binMm: -1.5,
      offsetBins: 0.25,
      angles: fullScan(360),
      image: grid,
    }),
  ],
  ...[240, 300, 335].map((span): [string, FanGeometry] => [
    `arc, short scan of ${span} degrees`,
    fanBeam({
      detector: "arc",
      sod: 300,
      sdd: 500,
      bins: 280,
      binMm: 1.5,
      angles: { start: 33, span, count: span + 5 },
      image: grid,
    }),
  ]),
  [
    "arc, short scan backwards",
    fanBeam({
      detector: "arc",
      sod: 300,
      sdd: 500,
      bins: 280,
      binMm: 1.5,
      angles: { span: -245, count: 250 },
      image: grid,
    }),
  ],
];

for (const [name, fan] of scans)
  test(`${name}: rebinned views are the exact ones, and images those of the direct route`, async () => {
    const phantom = smooth(56);
    const sinogram = volume(phantomSinogram(phantom, fan), [fan.angles.length, fan.bins]);
    const parallel = rebinnedGeometry(fan);
    // four-point interpolation of Gaussians of at least 5 bins: 1e-4 of the largest integral
    const views = await rebin(sinogram, fan);
    const error = relativeError(views.data, phantomSinogram(phantom, parallel));
    assert.ok(error < 3e-4, `views differ by ${error}`);
    const direct = await fbp(sinogram, fan);
    const rebinned = await fbp(sinogram, fan, { route: "rebinned" });
    const difference = relativeError(rebinned.data, direct.data);
    assert.ok(difference < 2e-3, `images differ by ${difference}`);
    // the route is rebin and parallel FBP, nothing else
    assert.ok(relativeError((await fbp(views, parallel)).data, rebinned.data) < 1e-6);
  });

test("a shortest scan and one view more than a full turn's grid needs", async () => {
  const base = { detector: "arc", sod: 300, sdd: 500, bins: 280, binMm: 1.5, image: grid } as const;
  const fan = fanBeam({ ...base, angles: shortScan(fanBeam({ ...base, angles: [0] }), 220) });
  const sinogram = volume(phantomSinogram(smooth(56), fan), [fan.angles.length, fan.bins]);
  const difference = relativeError(
    (await fbp(sinogram, fan, { route: "rebinned" })).data,
    (await fbp(sinogram, fan)).data,
  );
  assert.ok(difference < 4e-3, `images differ by ${difference}`);
});

test("parallel beams, missing and uneven views are refused in words, and so are other operations", async () => {
  const route = "rebinned";
  const sinogram = (g: { angles: Float64Array; bins: number }) =>
    volume(new Float32Array(g.angles.length * g.bins), [g.angles.length, g.bins]);
  const parallel = smallGeometries["parallel 180"]!;
  const uneven = fanBeam({ ...arc, bins: 33, binMm: 2, angles: Array.from({ length: 40 }, (_, i) => i * 9 + (i % 2)) });
  const half = fanBeam({ ...arc, bins: 33, binMm: 2, angles: { span: 150, count: 40 } });
  const one = fanBeam({ ...arc, bins: 33, binMm: 2, angles: [3] });
  for (const geometry of [parallel, uneven, half, one]) {
    await assertRejects(() => fbp(sinogram(geometry), geometry, { route }), "ERR_SINO_UNSUPPORTED");
    await assertRejects(() => rebin(sinogram(geometry), geometry), "ERR_SINO_UNSUPPORTED");
  }
  const fan = smallGeometries["arc fan"]!;
  await assertRejects(() => project(volume(new Float32Array(1024), [32, 32]), fan, { route }), "ERR_SINO_UNSUPPORTED");
  const bad = sinogram(fan);
  bad.data[7] = Number.NaN;
  await assertRejects(() => fbp(bad, fan, { route }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => rebin(bad, fan), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => rebin(sinogram(parallel), fan), "ERR_SINO_SHAPE");
});

test.run();
