/** A slice's result is the same bits whatever slices are worked on beside it. */
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { backproject, fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("grouping");
const slices = 19;

const fan = { sod: 160, sdd: 300, bins: 131, binMm: 1.9, image: { shape: [90, 90] as [number, number], pixelMm: 1 } };
const geometries: Record<string, Geometry> = {
  ...smallGeometries,
  "flat fan, quarters": fanBeam({ ...fan, detector: "flat", angles: fullScan(96) }),
  "arc fan, quarters": fanBeam({ ...fan, detector: "arc", angles: fullScan(96) }),
  "flat fan, fine bins": fanBeam({ ...fan, detector: "flat", binMm: 0.4, offsetBins: 3.5, angles: fullScan(31) }),
  "coarse arc": fanBeam({ ...fan, detector: "arc", bins: 31, binMm: 12, angles: fullScan(16) }),
  "parallel, pairs": parallelBeam({
    bins: 131,
    binMm: 0.9,
    angles: { span: 180, count: 90 },
    image: { shape: [90, 77], pixelMm: 1 },
  }),
  "parallel, odd number of views": parallelBeam({
    bins: 97,
    binMm: 1,
    angles: { span: 180, count: 71 },
    image: { shape: [64, 64], pixelMm: 1 },
  }),
};

type Operator = (input: Volume, geometry: Geometry) => Promise<{ data: Float32Array }>;

async function check(what: string, run: Operator, geometry: Geometry, rows: number, columns: number) {
  const size = rows * columns;
  const input = randomFloats(slices * size, 4);
  const part = (first: number, count: number) =>
    run(volume(input.subarray(first * size, (first + count) * size), [count, rows, columns]), geometry);
  const { data: all } = await part(0, slices);
  const length = all.length / slices;
  for (const [first, count] of [
    [0, 1],
    [18, 1],
    [1, 2],
    [3, 4],
    [2, 7],
    [5, 13],
    [1, 17],
  ] as const) {
    const { data } = await part(first, count);
    const expected = all.subarray(first * length, (first + count) * length);
    const apart = data.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i]!)), 0);
    assert.is(apart, 0, `${what}: slices ${first} to ${first + count - 1}`);
  }
}

for (const [name, geometry] of Object.entries(geometries))
  test(name, async () => {
    const [rows, columns] = geometry.image.shape;
    const [views, bins] = [geometry.angles.length, geometry.bins];
    await check("project", project, geometry, rows, columns);
    await check("transpose", projectTranspose, geometry, views, bins);
    await check("backproject", backproject, geometry, views, bins);
    await check("fbp", fbp, geometry, views, bins);
    if (geometry.beam !== "parallel" || views < 2) return;
    await check("fourier fbp", (input, g) => fbp(input, g, { route: "fourier" }), geometry, views, bins);
    await check("fourier project", (input, g) => project(input, g, { route: "fourier" }), geometry, rows, columns);
  });

for (const detector of ["flat", "arc"] as const)
  test(`rebinned ${detector}`, () => {
    const geometry = fanBeam({ ...fan, detector, angles: fullScan(95) });
    return check("fbp", (input, g) => fbp(input, g, { route: "rebinned" }), geometry, 95, fan.bins);
  });

test.run();
