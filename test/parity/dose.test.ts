/** Detected photons and lower doses: the laws of their noise, the bow-tie, and the same numbers in pieces as at once. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { detectedPhotons, lowerDose, photonNoise } from "../../lib/physics/index.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("dose parity");

const n = 200_000;
const flat = (p: number) => volume(new Float32Array(n).fill(p), [n / 100, 100]);
function moments(values: ArrayLike<number>): [mean: number, variance: number] {
  const mean = Array.prototype.reduce.call(values, (sum, x) => (sum as number) + x, 0) as number;
  let square = 0;
  for (let i = 0; i < values.length; i++) square += (values[i]! - mean / n) ** 2;
  return [mean / n, square / n];
}

test("without bow-tie and electronics the counts of a whole mean are photonNoise's", async () => {
  const options = { seed: 3, photons: 2e6, scatter: 20 };
  const [a, b] = [await detectedPhotons(flat(0), options), await photonNoise(flat(0), options)];
  assertClose(a.data, b.data, { atol: 0 });
});

for (const [p, air, photons, electronic] of [
  [2, 0, 1e5, 0],
  [4, 0, 1e5, 30],
  [3, 1.5, 1e6, 10],
] as const)
  test(`counts behind p = ${p}, air ${air}: Poisson's variance and ${electronic}² more`, async () => {
    const { data } = await detectedPhotons(flat(p), {
      seed: 4,
      photons,
      electronicNoise: electronic,
      air: new Float32Array(100).fill(air),
    });
    const open = photons * Math.exp(-air);
    const [mean, variance] = moments(data.map((q) => open * Math.exp(-q)));
    const expected = open * Math.exp(-p);
    // 5 standard errors; float32 of q adds 3e-7 relative
    assert.ok(
      Math.abs(mean - expected) < 5 * Math.sqrt((expected + electronic ** 2) / n) + 3e-7 * expected,
      `mean ${mean}`,
    );
    assert.ok(Math.abs(variance / (expected + electronic ** 2) - 1) < 5 * Math.sqrt(2 / n), `variance ${variance}`);
  });

for (const fraction of [0.5, 0.25, 0.1])
  test(`a full-dose scan brought to ${fraction} has the noise of one made at ${fraction}`, async () => {
    const [photons, electronicNoise] = [1e5, 20];
    const full = await detectedPhotons(flat(3), { seed: 5, photons, electronicNoise });
    const low = await lowerDose(full, { seed: 5, stream: 1, photons, electronicNoise, fraction });
    const made = await detectedPhotons(flat(3), { seed: 6, photons: photons * fraction, electronicNoise });
    const [mean, variance] = moments(low.data);
    const [madeMean, madeVariance] = moments(made.data);
    // the logarithm's own bias, half the variance, is in `made` alone beyond that of the full dose
    assert.ok(Math.abs(mean - madeMean) < madeVariance, `mean ${mean} beside ${madeMean}`);
    assert.ok(Math.abs(variance / madeVariance - 1) < 0.02, `variance ${variance} beside ${madeVariance}`);
  });

test("the whole dose changes nothing; opaque rays and NaN do no harm", async () => {
  const rays = volume(Float32Array.from([0, 3, 40, 2000, Number.NaN, -0.1]), [2, 3]);
  const whole = await lowerDose(rays, { seed: 1, photons: 1e5, fraction: 1 });
  assertClose(whole.data, rays.data, { atol: 0 });
  const low = await lowerDose(rays, { seed: 1, photons: 1e5, electronicNoise: 5, fraction: 0.25 });
  assert.equal(Array.from(low.data, Number.isFinite), [true, true, true, true, false, true]);
  const counted = await detectedPhotons(rays, { seed: 1, photons: 1e5, electronicNoise: 5 });
  assert.equal(Array.from(counted.data, Number.isFinite), [true, true, true, true, false, true]);
});

test("in pieces as at once", async () => {
  const options = { seed: 9, photons: 1e4, electronicNoise: 4, fraction: 0.3 };
  for (const f of [detectedPhotons, lowerDose] as const) {
    const all = await f(flat(2), options);
    const part = await f(volume(new Float32Array(700).fill(2), [7, 100]), { ...options, first: 1300 });
    assertClose(part.data, all.data.subarray(1300, 2000), { atol: 0 });
  }
});

test("wrong arguments are refused in words", async () => {
  const line = volume(new Float32Array(6), [6]);
  const good = { seed: 1, photons: 1e5, fraction: 0.5 };
  for (const bad of [{ photons: 0 }, { fraction: 0 }, { fraction: 1.5 }, { electronicNoise: -1 }, { seed: 0.5 }])
    await assertRejects(() => lowerDose(line, { ...good, ...bad }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => detectedPhotons(line, { ...good, scatter: -1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => detectedPhotons(line, { ...good, air: new Float32Array(5) }), "ERR_SINO_SHAPE");
});

test.run();
