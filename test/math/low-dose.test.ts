/** Less dose through the sinogram: as much noise as the missing photons make, none for the full dose, and the image's sharpness kept. */
import assert from "node:assert/strict";
import { volume } from "../../lib/core/arrays.ts";
import { combine } from "../../lib/image/pixels.ts";
import { noisePowerSpectrum } from "../../lib/metrics/index.ts";
import { lowDoseImages } from "../../lib/restore/low-dose.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("low dose");
const n = 96;
const water = volume(
  new Float32Array(n * n).map((_, i) => (Math.hypot((i % n) - 47.5, Math.floor(i / n) - 47.5) < 36 ? 0 : -1000)),
  [n, n],
);
const options = { pixelMm: 3, photons: 1e6, electronicNoise: 0, seed: 5 };

/** Deviation in the middle of what was added. */
async function sigmaOf(fraction: number, more: object = {}): Promise<number> {
  const noisy = await lowDoseImages(water, { ...options, fraction, ...more });
  const noise = await combine([
    [1, noisy],
    [-1, water],
  ]);
  return (await noisePowerSpectrum(noise, { size: 32, regions: [[32, 32]] })).sigma;
}

test("the full dose changes nothing, and a seed always gives the same noise", async () => {
  const same = await lowDoseImages(water, { ...options, fraction: 1 });
  assert.ok(same.data.every((v, i) => v === water.data[i]));
  const [a, b] = [
    await lowDoseImages(water, { ...options, fraction: 0.3 }),
    await lowDoseImages(water, { ...options, fraction: 0.3 }),
  ];
  assert.deepEqual(a.data, b.data);
  const other = await lowDoseImages(water, { ...options, fraction: 0.3, stream: 1 });
  assert.notDeepEqual(other.data, a.data);
});

test("noise grows as the missing photons say: √((1 − a)/a), and as the square root of fewer photons", async () => {
  const quarter = await sigmaOf(0.25);
  // the same draws, scaled: equal to rounding of float32 line integrals
  assert.ok(Math.abs((await sigmaOf(0.1)) / quarter - Math.sqrt(3)) < 1e-3);
  assert.ok(Math.abs((await sigmaOf(0.25, { photons: 25e4 })) / quarter - 2) < 1e-3);
  assert.ok((await sigmaOf(0.25, { filter: "ram-lak" })) > 1.2 * quarter);
  assert.ok((await sigmaOf(0.25, { cutoff: 0.6 })) < 0.8 * quarter);
});

test("what is no share of a dose is refused, and NaN", async () => {
  for (const fraction of [0, -1, 1.1, Number.NaN])
    await assert.rejects(lowDoseImages(water, { ...options, fraction }), { code: "ERR_SINO_OUT_OF_RANGE" });
  const bad = volume(Float32Array.of(0, Number.NaN, 0, 0), [2, 2]);
  await assert.rejects(lowDoseImages(bad, { ...options, fraction: 0.5 }), { code: "ERR_SINO_OUT_OF_RANGE" });
});

test.run();
