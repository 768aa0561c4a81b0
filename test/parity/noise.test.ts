/** Random numbers: the published gold values, the right distributions, and the same numbers in pieces as at once. */
import * as assert from "uvu/assert";
import { runJob } from "../../lib/native/job.ts";
import { normalNoise, photonNoise } from "../../lib/physics/index.ts";
import { philoxOracle } from "../oracle/philox.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("noise parity");

async function bits(count: number, seed: number, stream = 0, first = 0): Promise<Uint32Array> {
  const output = new Int32Array(count);
  await runJob("randomBits", { device: "cpu", seed, stream, first, count, output });
  return new Uint32Array(output.buffer);
}

const hex = (words: ArrayLike<number>) => Array.from(words, (word) => word.toString(16).padStart(8, "0"));

test("Philox4x32-10 gives the gold values of Salmon et al.", async () => {
  assert.equal(hex(await bits(4, 0)), ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]);
  const ones = 0xffffffff;
  assert.equal(hex(philoxOracle([ones, ones, ones, ones], [ones, ones])), [
    "408f276d",
    "41c83b0e",
    "a20bc7c6",
    "6d5451fd",
  ]);
  const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
  assert.equal(hex(philoxOracle(pi, [0xa4093822, 0x299f31d0])), ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"]);
});

test("seed, stream and position go where the reference puts them", async () => {
  const seed = 2 ** 53 - 12345;
  const first = 2 ** 36 + 8;
  const found = await bits(11, seed, 0xdeadbeef, first);
  const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
  const expected = [0, 1, 2].flatMap((i) => {
    const index = first / 4 + i;
    return philoxOracle([index % 2 ** 32, Math.floor(index / 2 ** 32), 0, 0xdeadbeef], key);
  });
  assert.equal(hex(found), hex(expected.slice(0, 11)));
});

/** Counts behind a ray that only scattered photons reach: Poisson of that mean, with 0 read as 1. */
async function counts(mean: number, n: number, seed: number): Promise<Float64Array> {
  const opaque = { data: new Float32Array(n).fill(60), shape: [n] };
  const noisy = await photonNoise(opaque, { photons: 1, scatter: mean, seed });
  return Float64Array.from(noisy.data, (q) => Math.exp(-q));
}

for (const mean of [3, 9.9, 10, 25, 400, 1e5, 2e7])
  test(`photon counts of mean ${mean} have mean and variance ${mean}`, async () => {
    const n = 200_000;
    const found = await counts(mean, n, 7);
    const average = found.reduce((sum, x) => sum + x, 0) / n;
    const variance = found.reduce((sum, x) => sum + (x - average) ** 2, 0) / n;
    // 0 read as 1 raises mean and lowers variance by e^−mean at mean 3; 5 standard errors otherwise
    const zeros = Math.exp(-mean);
    assert.ok(Math.abs(average - mean - zeros) < 5 * Math.sqrt(mean / n), `mean ${average}`);
    assert.ok(
      Math.abs(variance / mean - 1) < 5 * Math.sqrt(2 / n + 1 / (mean * n)) + 2.5 * zeros,
      `variance ${variance}`,
    );
  });

for (const mean of [2, 9.9, 12, 40])
  test(`photon counts of mean ${mean} follow Poisson's law (χ²)`, async () => {
    const n = 400_000;
    const found = await counts(mean, n, 11);
    const limit = Math.ceil(mean + 12 * Math.sqrt(mean));
    const observed = new Float64Array(limit);
    for (const x of found) observed[Math.min(limit - 1, Math.round(x))]!++;
    let statistic = 0;
    let cells = 0;
    let probability = Math.exp(-mean);
    let pooledObserved = 0;
    let pooledExpected = 0;
    for (let k = 0; k < limit; k++) {
      pooledObserved += observed[k]!;
      pooledExpected += probability * n;
      probability *= mean / (k + 1);
      if (pooledExpected < 20 || k === 0) continue; // k = 0 is read as 1
      statistic += (pooledObserved - pooledExpected) ** 2 / pooledExpected;
      cells++;
      pooledObserved = 0;
      pooledExpected = 0;
    }
    assert.ok(statistic < cells + 5 * Math.sqrt(2 * cells), `χ² ${statistic} with ${cells} cells`);
  });

test("noise of a scan: spread 1/√N around the line integral, scatter added to the mean", async () => {
  const n = 100_000;
  const p = { data: new Float32Array(n).fill(4), shape: [n] };
  const noisy = await photonNoise(p, { photons: 2e7, scatter: 20, seed: 3 });
  const mean = 2e7 * Math.exp(-4) + 20;
  const average = noisy.data.reduce((sum, q) => sum + q, 0) / n;
  const spread = Math.sqrt(noisy.data.reduce((sum, q) => sum + (q - average) ** 2, 0) / n);
  assert.ok(Math.abs(average + Math.log(mean / 2e7)) < 1e-5);
  assert.ok(Math.abs(spread * Math.sqrt(mean) - 1) < 0.01);
});

test("a set in pieces equals the set at once; another seed or stream does not", async () => {
  const n = 50_001;
  const p = Float32Array.from({ length: n }, (_, i) => (i % 100) / 8);
  const options = { photons: 1e5, scatter: 5, seed: 42 };
  const whole = await photonNoise({ data: p, shape: [n] }, options);
  const again = await photonNoise({ data: p, shape: [n] }, options);
  const tail = await photonNoise({ data: p.slice(12_345), shape: [n - 12_345] }, { ...options, first: 12_345 });
  const bytes = (a: Float32Array) => Buffer.from(a.buffer, a.byteOffset, a.byteLength);
  assert.ok(bytes(whole.data).equals(bytes(again.data)));
  assert.ok(bytes(whole.data.subarray(12_345)).equals(bytes(tail.data)));
  const other = await photonNoise({ data: p, shape: [n] }, { ...options, seed: 43 });
  const stream = await photonNoise({ data: p, shape: [n] }, { ...options, stream: 1 });
  for (const different of [other, stream])
    assert.ok(whole.data.filter((x, i) => x === different.data[i]).length < n / 20);
});

test("normal noise: Box–Muller of the reference words, moments of a normal law", async () => {
  const small = await normalNoise([6], { seed: 5 });
  const unit = (word: number) => (word + 0.5) / 2 ** 32;
  const expected = [0, 1].flatMap((i) => {
    const w = philoxOracle([i, 0, 0, 0], [5, 0]).map(unit) as [number, number, number, number];
    return [0, 2].flatMap((h) => {
      const radius = Math.sqrt(-2 * Math.log(w[h]!));
      return [radius * Math.cos(2 * Math.PI * w[h + 1]!), radius * Math.sin(2 * Math.PI * w[h + 1]!)];
    });
  });
  assertClose(small.data, expected.slice(0, 6), { atol: 1e-6 });
  const n = 1_000_000;
  const { data } = await normalNoise([n], { seed: 6 });
  const moment = (power: number) => data.reduce((sum, z) => sum + z ** power, 0) / n;
  assert.ok(Math.abs(moment(1)) < 0.005 && Math.abs(moment(2) - 1) < 0.007);
  assert.ok(Math.abs(moment(3)) < 0.02 && Math.abs(moment(4) - 3) < 0.05);
});

test("NaN stays NaN; seeds and doses that make no sense are refused", async () => {
  const p = { data: Float32Array.from([Number.NaN, 1]), shape: [2] };
  const { data } = await photonNoise(p, { photons: 100, seed: 1 });
  assert.ok(Number.isNaN(data[0]!) && Number.isFinite(data[1]!));
  for (const seed of [-1, 0.5, 2 ** 53, Number.NaN, "1"])
    await assertRejects(() => photonNoise(p, { photons: 100, seed: seed as number }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => photonNoise(p, { photons: 0, seed: 1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => photonNoise(p, { photons: 1e3, scatter: -1, seed: 1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => normalNoise([4], { seed: 1, first: 3 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
