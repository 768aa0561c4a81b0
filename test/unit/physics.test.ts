/** Tables of spectra and materials, the water fit, and what happens to wrong ones. */
import * as assert from "uvu/assert";
import { readMat } from "../../lib/data/mat5.ts";
import {
  attenuationRatios,
  fieldWaterCorrection,
  fitWaterCorrection,
  kVp120,
  linearAttenuation,
  makeSpectrum,
  massAttenuation,
  materialOf,
  metalPaths,
  polychromatic,
  spectrumOf,
  splitTissue,
} from "../../lib/physics/index.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { noRealData, realData } from "../support/data.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("physics");

test("the 120 kVp spectrum: 101 energies, mean 55.1 keV, sum 1", () => {
  const { energiesKeV, photons } = kVp120;
  assert.is(energiesKeV.length, 101);
  assert.equal([energiesKeV[0], energiesKeV[100]], [20, 120]);
  assert.ok(Math.abs(photons.reduce((sum, n) => sum + n, 0) - 1) < 1e-12);
  const mean = photons.reduce((sum, n, i) => sum + n * energiesKeV[i]!, 0);
  assert.ok(Math.abs(mean - 55.117) < 1e-3, `${mean}`);
  assert.is(spectrumOf("120kVp"), kVp120);
});

test("mass attenuation at 70 keV as NIST lists it, and titanium's 2.41245 1/cm", () => {
  const tabulated = ["water", "bone", "titanium", "iron", "copper", "gold"];
  const at70 = Object.fromEntries(tabulated.map((name) => [name, massAttenuation(materialOf(name), 70)]));
  assert.equal(at70, { water: 0.1929, bone: 0.257, titanium: 0.5361, iron: 0.8164, copper: 1.064, gold: 3.054 });
  assert.ok(Math.abs(linearAttenuation(materialOf("Ti"), 70) - 0.241245) < 1e-12);
  assert.ok(Math.abs(linearAttenuation(materialOf("titanium"), 70, 4.0) - 0.21444) < 1e-12);
  assert.is(materialOf("gold").density, 19.3);
});

test("between energies attenuation lies between its neighbours; ratios are 1 at the reference", () => {
  const water = materialOf("water");
  const between = massAttenuation(water, 30.5);
  assert.ok(between < massAttenuation(water, 30) && between > massAttenuation(water, 31));
  assert.is(massAttenuation(water, 120), 0.1614);
  assert.is(attenuationRatios(water, kVp120, 70)[50], 1);
});

test("the water fit gives the field's cubic and straightens water to 1.5 %", () => {
  const fitted = fitWaterCorrection(kVp120);
  assertClose(fitted, fieldWaterCorrection, { atol: 1e-7 });
  const ratios = attenuationRatios(materialOf("water"), kVp120, 70);
  for (const path of [1, 3, 6, 9]) {
    const p = -Math.log(kVp120.photons.reduce((sum, n, e) => sum + n * Math.exp(-path * ratios[e]!), 0));
    const corrected = fitted.reduce((sum, c, k) => sum + c * p ** (k + 1), 0);
    assert.ok(Math.abs(corrected / path - 1) < 0.015, `${path}: ${corrected}`);
  }
});

test("a monochromatic spectrum needs no correction", () => {
  const mono = makeSpectrum({ energiesKeV: [70], photons: [5] });
  assertClose(fitWaterCorrection(mono, { order: 2 }), [1, 0], { atol: 1e-9 });
});

test("wrong spectra and materials are refused in words", async () => {
  const bad = (energiesKeV: number[], photons: number[]) =>
    assertRejects(() => makeSpectrum({ energiesKeV, photons }), "ERR_SINO_OUT_OF_RANGE");
  await bad([], []);
  await bad([30, 20], [1, 1]);
  assert.match((await bad([0.03, 0.06], [1, 1])).message, /MeV/);
  assert.match((await bad([30_000, 60_000], [1, 1])).message, /eV\? Divide/);
  await bad([30, 60], [0, 0]);
  await bad([30, 60], [1, -1]);
  await bad([30, Number.NaN], [1, 1]);
  await assertRejects(() => makeSpectrum({ energiesKeV: [30], photons: [1, 2] }), "ERR_SINO_SHAPE");
  await assertRejects(() => spectrumOf("8kVp"), "ERR_SINO_OUT_OF_RANGE");
  assert.match((await assertRejects(() => materialOf("unobtainium"), "ERR_SINO_OUT_OF_RANGE")).message, /titanium/);
  await assertRejects(() => massAttenuation(materialOf("water"), 151), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => fitWaterCorrection(kVp120, { order: 0 }), "ERR_SINO_OUT_OF_RANGE");
});

test("wrong arrays are refused in words", async () => {
  const two = { data: new Float32Array(2), shape: [2] };
  const three = { data: new Float32Array(3), shape: [3] };
  await assertRejects(() => polychromatic([]), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(
    () =>
      polychromatic([
        { material: "water", paths: two },
        { material: "bone", paths: three },
      ]),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(() => splitTissue(two, { unit: "HU" as never }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => splitTissue(two, { lowHu: 500, highHu: 500 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => metalPaths(two, { attenuation: 1, edge: "soft" as never }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => metalPaths(two, { attenuation: "1" as never }), "ERR_SINO_ARG_TYPE");
});

const files = {
  water: "H2O",
  bone: "BONE_Cortical_ICRU44",
  titanium: "Ti",
  iron: "Fe",
  copper: "Cu",
  gold: "Au",
} as const;

test.skipUnless(realData("tables/MiuofTi.mat"), noRealData)("every table entry equals the published one", async () => {
  for (const [name, file] of Object.entries(files)) {
    const variables = await readMat(realData(`tables/Miuof${file}.mat`)!);
    const table = Object.values(variables)[0] as { data: Float64Array; shape: number[] };
    const rows = Array.from({ length: table.shape[0]! }, (_, r) => table.data.subarray(r * 8, r * 8 + 8));
    for (let keV = 20; keV <= 120; keV++) {
      const row = rows.find((r) => Math.abs(r[0]! * 1000 - keV) < 1e-6)!;
      assert.is(massAttenuation(materialOf(name), keV), row[6], `${name} at ${keV} keV`);
    }
  }
});

test.run();
