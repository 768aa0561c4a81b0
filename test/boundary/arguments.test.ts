/** Every way to call wrongly gets an error with its code; nothing crashes, nothing is computed on bad memory. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { metalTrace } from "../../lib/mar/sinogram.ts";
import { addon } from "../../lib/native/addon.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, nativeGeometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import { assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("arguments");
const image = { shape: [8, 6], pixelMm: 1 } as const;
const geometry = parallelBeam({ bins: 9, binMm: 1, angles: [0, 60, 120], image });
const sinogram = () => volume(new Float32Array(27), [3, 9]);
const slice = () => volume(new Float32Array(48), [8, 6]);

test("shapes and types", async () => {
  await assertRejects(() => project(volume(new Float32Array(48), [6, 8]), geometry), "ERR_SINO_SHAPE");
  await assertRejects(() => project(volume(new Float32Array(48), [48]), geometry), "ERR_SINO_SHAPE");
  await assertRejects(() => project([1, 2, 3] as never, geometry), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => project({ data: new Float32Array(40), shape: [8, 6] }, geometry), "ERR_SINO_SHAPE");
  await assertRejects(
    () => project({ data: new Float32Array(48), shape: [8, 6], stride: [6, 2] }, geometry),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(
    () => project({ data: new Float32Array(48), shape: [8, 6], stride: [-6, 1] }, geometry),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(() => project({ data: new Float32Array(48), shape: [8.5, 6] }, geometry), "ERR_SINO_SHAPE");
  await assertRejects(
    () => project({ data: new BigInt64Array(48) as never, shape: [8, 6] }, geometry),
    "ERR_SINO_ARG_TYPE",
  );
  await assertRejects(() => fbp(volume(new Float32Array(27), [9, 3]), geometry), "ERR_SINO_SHAPE");
});

test("a shape that disagrees with the geometry says both", async () => {
  const error = await assertRejects(() => fbp(volume(new Float32Array(20), [4, 5]), geometry), "ERR_SINO_SHAPE");
  assert.match(error.message, "3 × 9");
  assert.match(error.message, "[4, 5]");
});

test("what is no geometry, no signal and no callback", async () => {
  const { image: _, ...noImage } = geometry;
  const listed = { ...geometry, angles: [0, 60, 120] };
  for (const bad of [null, undefined, 5, {}, { beam: "cone" }, noImage, listed]) {
    await assertRejects(() => fbp(sinogram(), bad as never), "ERR_SINO_ARG_TYPE");
    await assertRejects(() => project(slice(), bad as never), "ERR_SINO_ARG_TYPE");
    await assertRejects(() => metalTrace(slice(), bad as never), "ERR_SINO_ARG_TYPE");
  }
  await assertRejects(() => fbp(sinogram(), geometry, { signal: {} as never }), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => fbp(sinogram(), geometry, { onProgress: 5 as never }), "ERR_SINO_ARG_TYPE");
});

test("NaN and infinity in a sinogram are counted and located", async () => {
  const bad = sinogram();
  bad.data[5] = Number.NaN;
  bad.data[20] = Number.POSITIVE_INFINITY;
  const error = await assertRejects(() => fbp(bad, geometry), "ERR_SINO_OUT_OF_RANGE");
  assert.equal(error.details, { count: 2, first: 5 });
});

test("options out of range", async () => {
  await assertRejects(() => fbp(sinogram(), geometry, { cutoff: 0 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => fbp(sinogram(), geometry, { cutoff: 1.5 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => fbp(sinogram(), geometry, { cutoff: Number.NaN }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => fbp(sinogram(), geometry, { filter: "butterworth" as never }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => fbp(sinogram(), geometry, { device: "tpu" as never }), "ERR_SINO_OUT_OF_RANGE");
});

test("a named device that is not there is an error, never a fallback", async () => {
  await assertRejects(() => fbp(sinogram(), geometry, { device: "cuda:7" }), "ERR_SINO_BACKEND_UNAVAILABLE");
});

test("geometries that cannot be", async () => {
  const make = (change: object) => () => parallelBeam({ bins: 9, binMm: 1, angles: [0], image, ...change } as never);
  for (const change of [
    { bins: 0 },
    { bins: 2.5 },
    { binMm: 0 },
    { binMm: Number.NaN },
    { angles: [] },
    { angles: [0, Number.NaN] },
    { angles: { span: 180, count: 0 } },
    { offsetBins: Number.POSITIVE_INFINITY },
    { image: { shape: [0, 4], pixelMm: 1 } },
    { image: { shape: [4, 4], pixelMm: 0 } },
  ])
    await assertRejects(make(change), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(make({ angles: 7 }), "ERR_SINO_ARG_TYPE");
  await assertRejects(make({ image: undefined }), "ERR_SINO_SHAPE");
  const fan = { detector: "flat", sod: 100, sdd: 200, bins: 9, binMm: 1, angles: [0], image } as const;
  await assertRejects(() => fanBeam({ ...fan, sdd: 50 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => fanBeam({ ...fan, binDeg: 1 } as never), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => fanBeam({ ...fan, detector: "round" as never }), "ERR_SINO_OUT_OF_RANGE");
  const inside = fanBeam({ ...fan, sod: 4 });
  await assertRejects(() => project(slice(), inside), "ERR_SINO_OUT_OF_RANGE");
  const wide = fanBeam({ ...fan, detector: "arc", bins: 2001, binMm: 1 });
  await assertRejects(() => project(slice(), wide), "ERR_SINO_OUT_OF_RANGE");
});

test("detached buffers", async () => {
  const array = slice();
  structuredClone(array.data.buffer, { transfer: [array.data.buffer] });
  await assertRejects(() => project(array, geometry), "ERR_SINO_BUFFER_DETACHED");
  const out = sinogram();
  structuredClone(out.data.buffer, { transfer: [out.data.buffer] });
  await assertRejects(() => project(slice(), geometry, { out }), "ERR_SINO_BUFFER_DETACHED");
});

test("an output may not be an input, nor belong to a running job", async () => {
  const memory = new Float32Array(48);
  const square = parallelBeam({ bins: 6, binMm: 1, angles: Array.from({ length: 8 }, (_, i) => i * 22), image });
  await assertRejects(
    () => project(volume(memory, [8, 6]), square, { out: volume(memory, [8, 6]) }),
    "ERR_SINO_BUFFER_IN_USE",
  );
  const slow = parallelBeam({
    bins: 512,
    binMm: 1,
    angles: { span: 180, count: 720 },
    image: { shape: [512, 512], pixelMm: 1 },
  });
  const big = volume(new Float32Array(512 * 512), [512, 512]);
  const out = volume(new Float32Array(720 * 512), [720, 512]);
  const first = project(big, slow, { out });
  await assertRejects(() => project(big, slow, { out }), "ERR_SINO_BUFFER_IN_USE");
  await first;
  await project(big, slow, { out });
});

test("two jobs may read one input", async () => {
  const x = slice();
  await Promise.all([project(x, geometry), project(x, geometry)]);
});

test("out of the wrong shape or type", async () => {
  await assertRejects(
    () => project(slice(), geometry, { out: volume(new Float32Array(27), [9, 3]) }),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(
    () => project(slice(), geometry, { out: volume(new Float64Array(27), [3, 9]) as never }),
    "ERR_SINO_SHAPE",
  );
});

test("empty batches give empty results", async () => {
  const none = await project(volume(new Float32Array(0), [0, 8, 6]), geometry);
  assert.equal(none.shape, [0, 3, 9]);
  assert.equal((await fbp(volume(new Float32Array(0), [0, 3, 9]), geometry)).shape, [0, 8, 6]);
  assert.equal((await projectTranspose(volume(new Float32Array(0), [0, 3, 9]), geometry)).shape, [0, 8, 6]);
});

test("memory that is not there is refused before it is allocated", async () => {
  const huge = parallelBeam({
    bins: 65536,
    binMm: 1,
    angles: { span: 180, count: 1_000_000 },
    image: { shape: [1, 1], pixelMm: 1 },
  });
  const error = await assertRejects(() => project(volume(new Float32Array(1), [1, 1]), huge), "ERR_SINO_OUT_OF_MEMORY");
  assert.is(error.details["needed"], 65536 * 1_000_000 * 4);
  assert.ok(error.details["available"]! > 0);
});

test("the addon checks again what TypeScript checked", () => {
  const native = addon();
  const start = (parameters: object) => () => native.start("project", parameters);
  const good = {
    device: "cpu",
    geometry: nativeGeometry(geometry),
    slices: 1,
    images: new Float32Array(48),
    sinograms: new Float32Array(27),
  };
  for (const change of [
    { images: new Float32Array(47) },
    { images: new Float64Array(48) },
    { images: undefined },
    { sinograms: new Float32Array(28) },
    { slices: -1 },
    { slices: 0.5 },
    { slices: 2 ** 53 },
    { slices: Number.NaN },
    { geometry: undefined },
    { geometry: { ...nativeGeometry(geometry), rows: 1e9 } },
    { geometry: { ...nativeGeometry(geometry), dx: 0 } },
    { geometry: { ...nativeGeometry(geometry), angles: new Float64Array(0) } },
    { device: 3 },
  ])
    assert.throws(start({ ...good, ...change }), (error: { code?: string }) =>
      String(error.code).startsWith("ERR_SINO_"),
    );
  assert.throws(() => native.start("fly", {}));
  assert.throws(() => (native.start as (...a: unknown[]) => unknown)());
});

test.run();
