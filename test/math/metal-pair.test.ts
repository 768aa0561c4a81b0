/** The simulated pair as a whole: against the reference chain, its noise floor, reproducibility, what metal may change. */
import * as assert from "uvu/assert";
import { kVp120, type Material, massAttenuation, materialOf, simulateMetalPair } from "../../lib/physics/index.ts";
import { fanBeam, fullScan } from "../../lib/tomography/geometry.ts";
import { josephProject } from "../oracle/joseph.ts";
import { metalPathOracle, polychromaticOracle, tissueOracle } from "../oracle/polychromatic.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("metal pair");

const n = 48;
const geometry = fanBeam({
  detector: "flat",
  sod: 400,
  sdd: 800,
  bins: 61,
  binMm: 10,
  angles: fullScan(40, { cellCentred: true }),
  image: { shape: [n, n], pixelMm: 6 },
});
const shape = [n, n];

/** A body with a bone ring, in HU, shifted by `move` pixels. */
function body(move: number): Float32Array {
  return Float32Array.from({ length: n * n }, (_, i) => {
    const r = Math.hypot((i % n) - 23.5 - move, (Math.floor(i / n) - 23.5) * 1.2);
    return r > 20 ? -1000 : r > 12 && r < 15 ? 900 : 30;
  });
}
const hu = { data: body(0), shape };
const metal = {
  data: Uint8Array.from({ length: n * n }, (_, i) =>
    Math.hypot((i % n) - 30, Math.floor(i / n) - 20) < 2.5 ? 255 : 0,
  ),
  shape,
};
const field = [0.80370341, 0.02301414, -0.0008444];

function oracle(withMetal: boolean): Float64Array {
  const tissue = Array.from(hu.data, (value) => tissueOracle(value, 0.0192, 100, 1500));
  const projected = (values: number[]) => josephProject(Float32Array.from(values), geometry);
  const lengths = Array.from(projected(Array.from(metal.data, (m) => (m ? 1 : 0))));
  const perMm = (4.5 * massAttenuation(materialOf("titanium"), 70)) / 10;
  const paths =
    geometry.angles.length === 0
      ? []
      : Array.from(geometry.angles).flatMap(
          (_, v) => metalPathOracle(lengths.slice(v * 61, v * 61 + 61), perMm, true).paths,
        );
  const layer = (material: Material, p: ArrayLike<number>) => ({
    massAttenuation: Array.from(kVp120.energiesKeV, (keV) => massAttenuation(material, keV)),
    atReference: massAttenuation(material, 70),
    paths: p,
  });
  const layers = [
    layer(materialOf("water"), projected(tissue.map((t) => t.water))),
    layer(materialOf("bone"), projected(tissue.map((t) => t.bone))),
    ...(withMetal ? [layer(materialOf("titanium"), paths)] : []),
  ];
  return polychromaticOracle(Array.from(kVp120.photons), layers).map(
    (p) => p * (field[0]! + p * (field[1]! + p * field[2]!)),
  );
}

test("without noise both sinograms equal the reference chain", async () => {
  const pair = await simulateMetalPair(hu, metal, { geometry, seed: 1, photons: Number.POSITIVE_INFINITY });
  assertClose(pair.cleanSinogram.data, oracle(false), { atol: 2e-5, rtol: 2e-6 }, "clean");
  assertClose(pair.sinogram.data, oracle(true), { atol: 2e-5, rtol: 2e-6 }, "with metal");
  assert.ok(pair.trace.data.some((t) => t === 1) && pair.trace.data.some((t) => t === 0));
  assert.equal(pair.sinogram.shape, [40, 61]);
});

test("noise has the spread of photon counting, and metal changes nothing outside its trace", async () => {
  const pair = await simulateMetalPair(hu, metal, { geometry, seed: 5, photons: 1e6 });
  const ideal = await simulateMetalPair(hu, metal, { geometry, seed: 5, photons: Number.POSITIVE_INFINITY });
  let outside = 0;
  let sum = 0;
  for (let i = 0; i < pair.trace.data.length; i++) {
    if (pair.trace.data[i] === 1) continue;
    outside++;
    assert.is(pair.sinogram.data[i], pair.cleanSinogram.data[i]);
    // S ≈ c₁p near p = 0 and steeper later: dS/dp from the cubic, var p = e^p/I₀ for p found from S by one Newton step
    const s = ideal.cleanSinogram.data[i]!;
    let p = s / field[0]!;
    for (let k = 0; k < 6; k++)
      p -=
        (p * (field[0]! + p * (field[1]! + p * field[2]!)) - s) /
        (field[0]! + 2 * p * field[1]! + 3 * p * p * field[2]!);
    const slope = field[0]! + 2 * p * field[1]! + 3 * p * p * field[2]!;
    sum += (pair.sinogram.data[i]! - s) ** 2 / (slope ** 2 * (Math.exp(p) / 1e6));
  }
  assert.ok(Math.abs(sum / outside - 1) < 5 * Math.sqrt(2 / outside) + 0.01, `χ² per ray ${sum / outside}`);
});

test("the same seed gives the same bytes; a batch equals its slices simulated alone", async () => {
  const images = { data: Float32Array.from([...body(0), ...body(2), ...body(-3)]), shape: [3, n, n] };
  const all = await simulateMetalPair(images, metal, { geometry, seed: 9 });
  assert.equal(all.sinogram.shape, [3, 40, 61]);
  for (const slice of [0, 2]) {
    const image = { data: images.data.subarray(slice * n * n, (slice + 1) * n * n), shape };
    const alone = await simulateMetalPair(image, metal, { geometry, seed: 9, firstSlice: slice });
    const rays = 40 * 61;
    assertClose(all.sinogram.data.subarray(slice * rays, (slice + 1) * rays), alone.sinogram.data, { atol: 1e-6 });
    assert.equal(Buffer.from(all.trace.data.subarray(slice * rays, (slice + 1) * rays)), Buffer.from(alone.trace.data));
  }
  const again = await simulateMetalPair(images, metal, { geometry, seed: 9 });
  assert.ok(Buffer.from(all.sinogram.data.buffer).equals(Buffer.from(again.sinogram.data.buffer)));
});

test("one mask per slice", async () => {
  const images = { data: Float32Array.from([...body(0), ...body(0)]), shape: [2, n, n] };
  const masks = { data: Uint8Array.from([...metal.data, ...new Uint8Array(n * n)]), shape: [2, n, n] };
  const pair = await simulateMetalPair(images, masks, { geometry, seed: 2 });
  const rays = 40 * 61;
  assert.ok(pair.trace.data.subarray(0, rays).some((t) => t === 1));
  assert.ok(pair.trace.data.subarray(rays).every((t) => t === 0));
  assertClose(pair.sinogram.data.subarray(rays), pair.cleanSinogram.data.subarray(rays), { atol: 0 });
});

test("wrong input is refused before anything is computed", async () => {
  const wrong = { data: new Float32Array(20 * n), shape: [20, n] };
  await assertRejects(() => simulateMetalPair(wrong, metal, { geometry, seed: 1 }), "ERR_SINO_SHAPE");
  await assertRejects(() => simulateMetalPair(hu, wrong, { geometry, seed: 1 }), "ERR_SINO_SHAPE");
  const two = { data: new Uint8Array(2 * n * n), shape: [2, n, n] };
  await assertRejects(() => simulateMetalPair(hu, two, { geometry, seed: 1 }), "ERR_SINO_SHAPE");
  await assertRejects(() => simulateMetalPair(hu, metal, { geometry, seed: -1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => simulateMetalPair(hu, metal, { geometry, seed: 1, density: 0 }), "ERR_SINO_OUT_OF_RANGE");
  const holed = { data: hu.data.slice(), shape };
  holed.data[0] = Number.NaN;
  await assertRejects(() => simulateMetalPair(holed, metal, { geometry, seed: 1 }), "ERR_SINO_OUT_OF_RANGE");
  const signal = AbortSignal.abort(new Error("stop"));
  try {
    await simulateMetalPair(hu, metal, { geometry, seed: 1, signal });
    assert.unreachable();
  } catch (error) {
    assert.is(error, signal.reason);
  }
});

test.run();
