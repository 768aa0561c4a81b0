/** The Fourier route against plain sums in double precision, its exact transpose, and how near it comes to the direct route. */
import * as assert from "uvu/assert";
import { parallelOf } from "../../bench/ops/accuracy.bench.ts";
import { volume } from "../../lib/core/arrays.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { type Geometry, type ParallelGeometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import { fourierProject, fourierTranspose } from "../oracle/fourier.ts";
import { phantomSinogram, smooth } from "../oracle/phantoms.ts";
import { assertRejects, relativeError } from "../support/assert-close.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats, randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("fourier route");
const route = "fourier";
const guard = 64;

const parallels: [string, ParallelGeometry][] = [
  ...Object.entries(smallGeometries),
  [
    "parallel, bins twice as wide as pixels",
    parallelBeam({
      bins: 30,
      binMm: 2,
      offsetBins: 0.3,
      angles: { span: 180, count: 70, start: 3 },
      image: { shape: [40, 33], pixelMm: 1 },
    }),
  ],
  [
    "parallel, detector beside the middle",
    parallelBeam({
      bins: 13,
      binMm: 0.7,
      offsetBins: 9,
      angles: { span: 360, count: 21 },
      image: { shape: [24, 30], pixelMm: [1, 0.8], centreMm: [4, 3] },
    }),
  ],
].filter((entry): entry is [string, ParallelGeometry] => (entry[1] as Geometry).beam === "parallel");

/** Smallest cheap length that holds detector and image, as the library chooses it; the discrete sum depends on it a little. */
function periodOf({ image, bins, binMm, offsetBins }: ParallelGeometry): number {
  const [dy, dx] = image.pixelMm;
  const reach =
    (Math.hypot(image.shape[1] * dx, image.shape[0] * dy) / 2 + Math.hypot(...image.centreMm)) / Math.abs(binMm);
  const centre = (bins - 1) / 2 + offsetBins;
  const least = Math.ceil(Math.max(4, bins, reach + centre, reach + bins - 1 - centre));
  let best = 0;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let n = least + (least % 2); n < 2 * least + 16; n += 2) {
    let rest = n;
    let cost = 4;
    for (const [radix, passes] of [
      [4, 1],
      [5, 1.5],
      [3, 1],
      [2, 0.7],
    ] as const)
      for (; rest % radix === 0; rest /= radix) cost += passes;
    if (rest === 1 && n * cost < bestCost) [best, bestCost] = [n, n * cost];
  }
  return best;
}

// the kernel: 3.4e-5 over an image, 1e-4 in its corners
const kernelError = 1e-4;

for (const [name, geometry] of parallels) {
  const { shape } = geometry.image;
  const views = geometry.angles.length;
  const pixels = shape[0] * shape[1];
  const rays = views * geometry.bins;
  const period = periodOf(geometry);
  for (const slices of [1, 3]) {
    test(`${name}, ${slices} slices: projection and transpose`, async () => {
      const images = randomFloats(slices * pixels, 1);
      const memory = new Float32Array(slices * rays + 2 * guard).fill(-77);
      const out = volume(memory.subarray(guard, guard + slices * rays), [slices, views, geometry.bins]);
      await project(volume(images, [slices, ...shape]), geometry, { out, route });
      const sinograms = randomFloats(slices * rays, 2);
      const back = await projectTranspose(volume(sinograms, [slices, views, geometry.bins]), geometry, { route });
      for (let s = 0; s < slices; s++) {
        const image = images.subarray(s * pixels, (s + 1) * pixels);
        const sinogram = sinograms.subarray(s * rays, (s + 1) * rays);
        const projected = relativeError(
          out.data.subarray(s * rays, (s + 1) * rays),
          fourierProject(image, geometry, { period }),
        );
        const spread = relativeError(
          back.data.subarray(s * pixels, (s + 1) * pixels),
          fourierTranspose(sinogram, geometry, { period }),
        );
        assert.ok(projected < kernelError, `slice ${s}: projection errs by ${projected}`);
        assert.ok(spread < kernelError, `slice ${s}: transpose errs by ${spread}`);
      }
      assert.ok(memory.subarray(0, guard).every((x) => x === -77) && memory.subarray(-guard).every((x) => x === -77));
    });
  }
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

for (const [name, geometry] of [...parallels, ["parallel 256", parallelOf(256)] as const])
  test(`${name}: transpose exact to 1e-6`, async () => {
    const next = randomSource(11);
    const x = Float32Array.from({ length: geometry.image.shape[0] * geometry.image.shape[1] }, next);
    const y = Float32Array.from({ length: geometry.angles.length * geometry.bins }, next);
    const ax = await project(volume(x, geometry.image.shape), geometry, { route });
    const aty = await projectTranspose(volume(y, [geometry.angles.length, geometry.bins]), geometry, { route });
    const [left, right] = [dot(ax.data, y), dot(x, aty.data)];
    assert.ok(Math.abs(left - right) <= 1e-6 * Math.abs(left), `${left} against ${right}: ${left / right - 1}`);
  });

test("results do not depend on what else is in the batch", async () => {
  const geometry = parallelOf(256);
  const image = randomFloats(256 * 256, 5);
  const three = new Float32Array(3 * image.length);
  for (let s = 0; s < 3; s++) three.set(image, s * image.length);
  const one = await project(volume(image, [256, 256]), geometry, { route });
  const all = await project(volume(three, [3, 256, 256]), geometry, { route });
  const back = await projectTranspose(all, geometry, { route });
  for (let s = 0; s < 3; s++) {
    assert.is(relativeError(all.data.subarray(s * one.data.length, (s + 1) * one.data.length), one.data), 0);
    const first = back.data.subarray(0, image.length);
    assert.is(relativeError(back.data.subarray(s * image.length, (s + 1) * image.length), first), 0);
  }
});

test("FBP agrees with the direct route: offset, reversed and full-turn detectors", async () => {
  for (const change of [
    { offsetBins: 0 },
    { offsetBins: 3.25, binMm: -1 },
    { offsetBins: 60, bins: 301, angles: { span: 360, count: 720 } },
    { binMm: 0.75, bins: 487 },
    { binMm: 1.25, bins: 293 },
  ]) {
    const geometry = parallelBeam({
      bins: 365,
      binMm: 1,
      angles: { span: 180, count: 360 },
      image: { shape: [200, 256], pixelMm: [1.1, 1], centreMm: [2, -3] },
      ...change,
    });
    const sinogram = phantomSinogram(smooth(105), geometry);
    const array = volume(sinogram, [geometry.angles.length, geometry.bins]);
    const direct = await fbp(array, geometry);
    const fourier = await fbp(array, geometry, { route });
    const error = relativeError(fourier.data, direct.data);
    assert.ok(error < 1e-3, `${JSON.stringify(change)}: routes differ by ${error}`);
  }
});

test("a fan, an unknown route and a detector of far too fine bins are refused in words", async () => {
  const fan = smallGeometries["flat fan"]!;
  const image = volume(new Float32Array(33 * 33), [33, 33]);
  await assertRejects(() => project(image, fan, { route }), "ERR_SINO_UNSUPPORTED");
  await project(image, fan, { route: "auto" });
  await assertRejects(() => project(image, fan, { route: "fast" as "auto" }), "ERR_SINO_OUT_OF_RANGE");
  const fine = parallelBeam({ bins: 5, binMm: 1e-4, angles: [0], image: { shape: [33, 33], pixelMm: 1 } });
  await assertRejects(() => project(image, fine, { route }), "ERR_SINO_UNSUPPORTED");
});

test("auto takes the Fourier route for many views of a large image and the direct one otherwise", async () => {
  for (const [geometry, taken] of [
    [parallelOf(256), "fourier"],
    [smallGeometries["parallel 180"]!, "direct"],
  ] as const) {
    const { shape } = geometry.image;
    const image = volume(randomFloats(shape[0] * shape[1], 3), shape);
    const auto = await project(image, geometry, { route: "auto" });
    const named = await project(image, geometry, { route: taken });
    assert.is(relativeError(auto.data, named.data), 0);
  }
});

test("an abort ends the call", async () => {
  const geometry = parallelOf(512);
  const image = volume(new Float32Array(8 * 512 * 512), [8, 512, 512]);
  const controller = new AbortController();
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 2);
  try {
    await project(image, geometry, { route, signal: controller.signal });
  } catch (error) {
    assert.is(error, reason);
    return;
  }
  assert.unreachable("finished although aborted");
});

test.run();
