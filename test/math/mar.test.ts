/** LI and NMAR on small simulated cases: what they must leave alone, what they must improve, and what they refuse. */
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { correctImages, correctSinogram, metalTrace, reinsertMetal, segmentMetal } from "../../lib/mar/index.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan } from "../../lib/tomography/geometry.ts";
import { project } from "../../lib/tomography/project.ts";
import { josephProject } from "../oracle/joseph.ts";
import { assertClose, assertRejects, relativeError } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("mar");
const n = 128;
const geometry = fanBeam({
  detector: "flat",
  sod: 300,
  sdd: 600,
  bins: 211,
  binMm: 1.8,
  angles: fullScan(240, { cellCentred: true }),
  image: { shape: [n, n], pixelMm: 1 },
});
const mu = 0.0192;

/** A body of water with bone, and two metal discs whose rays see less metal than there is, the more the longer the path. */
async function scan(): Promise<{ mask: Volume<Uint8Array>; measured: Volume; clean: Volume }> {
  const truth = volume(new Float32Array(n * n), [n, n]);
  const mask = volume(new Uint8Array(n * n), [n, n]);
  for (let r = 0; r < n; r++)
    for (let c = 0; c < n; c++) {
      const x = c - 63.5;
      const y = 63.5 - r;
      if ((x / 52) ** 2 + (y / 40) ** 2 <= 1) truth.set(r, c, mu);
      for (const side of [-1, 1]) {
        if (Math.hypot(x - side * 30, y - 5) <= 11) truth.set(r, c, 1.7 * mu);
        if (Math.hypot(x - side * 30, y - 5) <= 5) mask.set(r, c, 1);
      }
    }
  const clean = await project(truth, geometry);
  const path = await project(mask, geometry);
  const measured = volume(
    clean.data.map((p, i) => p + 2.5 * (1 - Math.exp(-0.12 * path.data[i]!))),
    clean.shape,
  );
  return { mask: mask as Volume<Uint8Array>, measured, clean };
}

const { mask, measured, clean } = await scan();
/** What a perfect method could reach: the scan without metal, reconstructed. */
const reference = await fbp(clean, geometry);
/** Relative difference to it, leaving out the metal and the two pixels around it, where its own blurred edge lies. */
const near = (i: number) =>
  [-1, 1].some((side) => Math.hypot((i % n) - 63.5 - side * 30, 63.5 - Math.floor(i / n) - 5) <= 7.5);
const masked = (image: Float32Array) => image.map((x, i) => (near(i) ? 0 : x));
const error = (image: Volume) => relativeError(masked(image.data), masked(reference.data));

test("the trace is where the mask projects", async () => {
  const trace = await metalTrace(mask, geometry);
  const path = josephProject(Float32Array.from(mask.data), geometry);
  // a ray that grazes a pixel by less than float32 rounding may fall on either side
  const wrong = trace.data.reduce((count, t, i) => count + Number(t !== (path[i]! > 0 ? 1 : 0) && path[i]! > 1e-5), 0);
  assert.is(wrong, 0);
});

test("NMAR beats LI beats nothing, and neither touches rays outside the trace", async () => {
  const uncorrected = error(await fbp(measured, geometry));
  const li = await correctSinogram(measured, { metalMask: mask }, geometry, { method: "li" });
  const nmar = await correctSinogram(measured, { metalMask: mask }, geometry, { method: "nmar" });
  assert.ok(error(li.images) < 0.6 * uncorrected, `LI ${error(li.images)} of ${uncorrected}`);
  assert.ok(error(nmar.images) < 0.8 * error(li.images), `NMAR ${error(nmar.images)} of LI ${error(li.images)}`);
  for (const result of [li, nmar]) {
    const changed = result.sinograms.data.findIndex((x, i) => !result.trace.data[i] && x !== measured.data[i]);
    assert.is(changed, -1);
  }
});

test("the trace alone is enough", async () => {
  const trace = await metalTrace(mask, geometry);
  const byTrace = await correctSinogram(measured, { trace }, geometry, { method: "li" });
  const byMask = await correctSinogram(measured, { metalMask: mask }, geometry, { method: "li" });
  assertClose(byTrace.images.data, byMask.images.data, {}, "images");
});

test("batches of any size give what single slices give", async () => {
  const single = (await correctSinogram(measured, { metalMask: mask }, geometry)).images.data;
  for (const slices of [2, 19]) {
    const many = volume(new Float32Array(slices * measured.data.length), [slices, ...measured.shape]);
    const masks = volume(new Uint8Array(slices * n * n), [slices, n, n]);
    for (let s = 0; s < slices; s++) {
      many.data.set(measured.data, s * measured.data.length);
      masks.data.set(mask.data, s * n * n);
    }
    const { images } = await correctSinogram(many, { metalMask: masks }, geometry);
    for (const s of [0, slices - 1])
      assertClose(images.data.subarray(s * n * n, (s + 1) * n * n), single, { atol: 1e-6 }, `slice ${s} of ${slices}`);
  }
});

test("an empty mask is plain FBP; metal is put back on request", async () => {
  const nothing = volume(new Uint8Array(n * n), [n, n]);
  const { images } = await correctSinogram(measured, { metalMask: nothing }, geometry);
  const plain = await fbp(measured, geometry);
  assertClose(images.data, plain.data, {}, "empty mask");
  const corrected = (await correctSinogram(measured, { metalMask: mask }, geometry)).images;
  const back = await reinsertMetal(corrected, plain, mask);
  assertClose(
    back.data,
    plain.data.map((x, i) => (mask.data[i] ? x : corrected.data[i]!)),
    {},
    "reinserted",
  );
});

test("bad masks are refused in words", async () => {
  const full = volume(new Uint8Array(n * n).fill(1), [n, n]);
  await assertRejects(() => correctSinogram(measured, { metalMask: full }, geometry), "ERR_SINO_OUT_OF_RANGE");
  const other = volume(new Uint8Array(64 * 64), [64, 64]);
  await assertRejects(() => correctSinogram(measured, { metalMask: other }, geometry), "ERR_SINO_SHAPE");
  await assertRejects(() => correctSinogram(measured, {}, geometry), "ERR_SINO_ARG_TYPE");
  const everything = volume(new Uint8Array(measured.data.length).fill(1), measured.shape);
  await assertRejects(() => correctSinogram(measured, { trace: everything }, geometry), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => correctSinogram(measured, { trace: mask }, geometry), "ERR_SINO_SHAPE");
  const nan = volume(Float32Array.from(measured.data).fill(Number.NaN, 7, 8), measured.shape);
  await assertRejects(() => correctSinogram(nan, { metalMask: mask }, geometry), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(
    () => correctSinogram(measured, { metalMask: mask }, geometry, { muWater: 0.192 }),
    "ERR_SINO_OUT_OF_RANGE",
  );
  await assertRejects(
    () => correctSinogram(measured, { metalMask: mask }, geometry, { method: "magic" as never }),
    "ERR_SINO_OUT_OF_RANGE",
  );
});

/** The clinical image of `scan`, in HU: what a scanner would have stored, streaks and all. */
async function clinical(): Promise<Float32Array> {
  const image = await fbp(measured, geometry);
  return image.data.map((x) => Math.max(-1024, (x / mu - 1) * 1000));
}

test("from images alone: better, metal and slices without metal untouched", async () => {
  const streaky = await clinical();
  const water = new Float32Array(n * n).fill(-1000);
  for (let i = 0; i < n * n; i++) if (Math.hypot((i % n) - 63.5, Math.floor(i / n) - 63.5) < 40) water[i] = (i % 7) - 3;
  water[0] = -3024; // padding
  const images = volume(new Float32Array(3 * n * n), [3, n, n]);
  images.data.set(streaky, 0);
  images.data.set(water, n * n);
  images.data.set(streaky, 2 * n * n);
  const events: number[] = [];
  const result = await correctImages(images, {
    pixelMm: 1,
    metalHu: 2500,
    onProgress: ({ done, total }) => events.push(done / total),
  });
  assert.equal(result.changed, [true, false, true]);
  assert.is(result.metalPixels[0], result.metalPixels[2]);
  assert.ok(result.metalPixels[0]! > 100);
  const slice = (s: number) => result.hu.data.subarray(s * n * n, (s + 1) * n * n);
  assertClose(slice(1), water, {}, "slice without metal");
  for (let i = 0; i < n * n; i++) if (result.metal.data[i]) assert.is(slice(0)[i], streaky[i]);
  const toMu = (hu: Float32Array) =>
    volume(
      hu.map((x) => (x / 1000 + 1) * mu),
      [n, n],
    );
  const before = error(toMu(streaky));
  const after = error(toMu(slice(0)));
  // streaks are consistent with some image and so partly survive the virtual scan: less than from raw data
  assert.ok(after < 0.75 * before, `${after} of ${before}`);
  assert.is(events.at(-1), 1);
});

test("from images alone: a dense body around metal stays, without a dark rim", async () => {
  // a port: metal in a body of 1500 HU, no artefacts at all, so that whatever changes is damage
  const hu = volume(new Float32Array(n * n).fill(-1000), [n, n]);
  const from = (i: number, x: number) => Math.hypot((i % n) - x, Math.floor(i / n) - 60);
  for (let i = 0; i < n * n; i++) {
    if (from(i, 63.5) < 50) hu.data[i] = 0;
    if (from(i, 40) < 9) hu.data[i] = 1500;
    if (from(i, 40) < 4) hu.data[i] = 4000;
  }
  for (const method of ["li", "nmar"] as const) {
    const { hu: after } = await correctImages(hu, { pixelMm: 1, method });
    const lost = (inner: number, outer: number) => {
      const ring = [...hu.data.keys()].filter(
        (i) => hu.data[i] === 1500 && from(i, 40) >= inner && from(i, 40) < outer,
      );
      return ring.reduce((sum, i) => sum + 1500 - after.data[i]!, 0) / ring.length;
    };
    // with the metal in the virtual sinogram: 800 to 1200 HU of the rim, a quarter of the body
    assert.ok(Math.abs(lost(4, 5)) < 150, `${method}: the rim loses ${lost(4, 5)} HU`);
    assert.ok(Math.abs(lost(5, 9)) < 120, `${method}: the body loses ${lost(5, 9)} HU`);
  }
});

test("values beyond 3071 HU survive, and images without metal come back as they were", async () => {
  const hu = volume(
    Float32Array.from({ length: n * n }, (_, i) => (i === 5000 ? 20000 : -1000)),
    [n, n],
  );
  const result = await correctImages(hu, { pixelMm: [0.5, 0.7], minimumPixels: 1 });
  assert.is(result.hu.data[5000], 20000);
  const none = await correctImages(volume(new Float32Array(n * n), [n, n]), { pixelMm: 1 });
  assert.equal(none.changed, [false]);
  assert.is(
    none.hu.data.every((x) => x === 0),
    true,
  );
});

test("metal by threshold: specks go, the support is larger, a senseless threshold is told", async () => {
  const hu = volume(new Float32Array(n * n), [n, n]);
  hu.set(10, 10, 3000);
  for (let r = 40; r < 44; r++) for (let c = 40; c < 44; c++) hu.set(r, c, 2500);
  const { metal, support, pixels } = await segmentMetal(hu);
  assert.equal(pixels, [16]);
  assert.is(metal.get(10, 10), 0);
  assert.is(
    support.data.reduce((a, b) => a + b, 0),
    32,
  );
  assert.equal((await segmentMetal(hu, { minimumPixels: 1, dilatePixels: 0 })).pixels, [17]);
  await assertRejects(() => segmentMetal(hu, { metalHu: -500 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => segmentMetal(hu, { metalHu: "2500" as never }), "ERR_SINO_ARG_TYPE");
});

test("where images are clipped below the usual threshold, metal is what is clipped", async () => {
  const hu = volume(new Float32Array(64 * 64).fill(40), [64, 64]);
  for (let r = 20; r < 26; r++) for (let c = 20; c < 26; c++) hu.set(r, c, 2248);
  hu.set(20, 19, 2100);
  const found = await segmentMetal(hu);
  assert.equal(found.pixels, [37]);
  assert.ok(Math.abs(found.metalHu - 0.9 * 2248) < 1e-3);
  const bone = volume(
    hu.data.map((x, i) => (x > 2000 ? 1400 + (i % 60) * 10 : x)),
    [64, 64],
  );
  assert.equal((await segmentMetal(bone)).pixels, [0], "bone does not pile up at one value");
  assert.is((await segmentMetal(hu, { metalHu: 2200 })).metalHu, 2200);
});

test("small holes in metal are metal, the inside of a ring is not", async () => {
  const hu = volume(new Float32Array(64 * 64).fill(40), [64, 64]);
  for (let r = 5; r < 15; r++) for (let c = 5; c < 15; c++) hu.set(r, c, 3071);
  for (let r = 8; r < 11; r++) for (let c = 8; c < 11; c++) hu.set(r, c, -1024);
  for (let r = 30; r < 50; r++)
    for (let c = 30; c < 50; c++) if (Math.min(r - 30, c - 30, 49 - r, 49 - c) < 2) hu.set(r, c, 3071);
  const { metal, pixels } = await segmentMetal(hu);
  assert.equal([metal.get(9, 9), metal.get(40, 40)], [1, 0]);
  assert.equal(pixels, [100 + 400 - 256]);
});

test("abort in the middle of a correction", async () => {
  const many = volume(new Float32Array(64 * n * n).fill(100), [64, n, n]);
  for (let s = 0; s < 64; s++) for (let i = 0; i < 40; i++) many.data[s * n * n + 64 * n + i] = 4000;
  const controller = new AbortController();
  const reason = new Error("enough");
  const job = correctImages(many, {
    pixelMm: 1,
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  let caught: unknown;
  await job.catch((error) => {
    caught = error;
  });
  assert.is(caught, reason);
});

test.run();
