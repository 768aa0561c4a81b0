/** Noise power, edges and the observer: against their definitions and against what the images were made of. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { edgeProfile, hotellingObserver, noisePowerSpectrum } from "../../lib/metrics/quality.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("image quality parity");

function normals(count: number, seed: number): Float32Array<ArrayBuffer> {
  const next = randomSource(seed);
  return Float32Array.from({ length: count }, () => {
    return Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
  });
}

/** |DFT|² of the regions less their mean, averaged over size². */
function powerOracle(
  image: Float32Array,
  columns: number,
  regions: readonly (readonly [number, number])[],
  size: number,
) {
  const power = new Float64Array(size * size);
  for (const [row, column] of regions) {
    const value = (y: number, x: number) => image[(row + y) * columns + column + x]!;
    let mean = 0;
    for (let i = 0; i < size * size; i++) mean += value(Math.floor(i / size), i % size) / size ** 2;
    for (let k = 0; k < size * size; k++) {
      let [re, im] = [0, 0];
      for (let i = 0; i < size * size; i++) {
        const turns = (Math.floor(k / size) * Math.floor(i / size) + (k % size) * (i % size)) / size;
        const v = value(Math.floor(i / size), i % size) - mean;
        re += v * Math.cos(2 * Math.PI * turns);
        im -= v * Math.sin(2 * Math.PI * turns);
      }
      power[k]! += (re * re + im * im) / size ** 2 / regions.length;
    }
  }
  return power;
}

for (const size of [2, 5, 12, 16])
  test(`noise power of ${size}² regions is that of the plain transform`, async () => {
    const image = normals(24 * 31, size);
    const regions = [
      [0, 0],
      [24 - size, 31 - size],
      [3, 4],
    ] as const;
    const found = await noisePowerSpectrum(volume(image, [24, 31]), { size, regions, trend: "mean", pixelMm: 0.5 });
    const expected = powerOracle(image, 31, regions, size).map((p) => p * 0.25);
    assertClose(found.power.data, expected, { atol: 1e-9 });
  });

test("white noise has a flat spectrum of its variance; trends are taken off", async () => {
  const noise = normals(12 * 96 * 96, 4).map((v, i) => 3 * v + 0.5 * (i % 96) - Math.floor(i / 96) / 96);
  const { radial, sigma, frequencies, count } = await noisePowerSpectrum(volume(noise, [12, 96, 96]), {
    size: 32,
    pixelMm: 0.7,
  });
  assert.is(count, 12 * 25);
  assert.ok(Math.abs(sigma - 3) < 0.05, `${sigma}`);
  assert.ok(Math.abs(frequencies.at(-1)! - 1 / (2 * 0.7)) < 1e-12);
  // about 300 regions, half of them independent: a ring of eight frequencies varies by 3 %
  radial.slice(2).forEach((p) => {
    assert.ok(Math.abs(p / (9 * 0.49) - 1) < 0.15, `${p}`);
  });
  assert.ok(radial[0]! < 0.2);
  const quadric = Float32Array.from({ length: 400 }, (_, i) => (i % 20) ** 2 - 3 * (i % 20) * Math.floor(i / 20));
  const { sigma: left } = await noisePowerSpectrum(volume(quadric, [20, 20]), { size: 20, trend: "quadric" });
  assert.ok(left < 1e-6);
});

const erf = (x: number) => {
  let [sum, term] = [0, x];
  for (let k = 0; k < 60; k++) {
    sum += term / (2 * k + 1);
    term *= (-x * x) / (k + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};

/** A Gaussian-blurred step of 100 at a signed distance. */
const step = (distance: number, blur: number) =>
  50 * (1 + erf(Math.max(-4, Math.min(4, distance / (blur * Math.SQRT2)))));

for (const isTurned of [false, true])
  test(`the MTF of a slanted ${isTurned ? "horizontal" : "vertical"} edge is that of its blur`, async () => {
    const blur = 0.9;
    const angle = (4 * Math.PI) / 180;
    const image = Float32Array.from({ length: 61 * 80 }, (_, i) => {
      const [y, x] = isTurned ? [i % 80, Math.floor(i / 80)] : [Math.floor(i / 80), i % 80];
      return step((x - 33.3) * Math.cos(angle) + (y - 30) * Math.sin(angle), blur);
    });
    const { frequencies, mtf, mtf50, riseMm } = await edgeProfile(volume(image, [61, 80]), { pixelMm: 0.5, reach: 12 });
    frequencies.forEach((f, k) => {
      if (f > 1) return;
      const expected = Math.exp(-2 * (Math.PI * f * blur * 0.5) ** 2);
      // quarter pixels are means over their width: sinc(f/4) at f of one per pixel is 0.9
      assert.ok(Math.abs(mtf[k]! - expected) < 0.03, `${f}: ${mtf[k]} instead of ${expected}`);
    });
    assert.ok(Math.abs(mtf50 - Math.sqrt(Math.LN2 / 2) / (Math.PI * blur * 0.5)) < 0.02, `${mtf50}`);
    assert.ok(Math.abs(riseMm - 2.563 * blur * 0.5) < 0.05, `${riseMm}`);
  });

test("a circular edge", async () => {
  const image = Float32Array.from({ length: 100 * 100 }, (_, i) => {
    return step(30.2 - Math.hypot(Math.floor(i / 100) - 49.3, (i % 100) - 50.1), 1.2);
  });
  const edge = { row: 49.3, column: 50.1, radius: 30.2 };
  const { mtf50, values } = await edgeProfile(volume(image, [100, 100]), { edge });
  assert.ok(values[0]! > 99 && values.at(-1)! < 1);
  assert.ok(Math.abs(mtf50 - Math.sqrt(Math.LN2 / 2) / (Math.PI * 1.2)) < 0.01, `${mtf50}`);
});

test("the observer's d′ in white noise is that of the matched filter", async () => {
  const [count, side, sigma] = [400, 33, 10] as const;
  const blob = (i: number) => 6 * Math.exp(-((Math.floor(i / side) - 16) ** 2 + ((i % side) - 16) ** 2) / (2 * 3 ** 2));
  const noise = (seed: number) => normals(count * side * side, seed).map((v) => sigma * v);
  const absent = noise(1);
  const present = noise(2).map((v, i) => v + blob(i % (side * side)));
  const shape = [count, side, side];
  const { dPrime, auc } = await hotellingObserver(volume(present, shape), volume(absent, shape), { width: 11 });
  let energy = 0;
  for (let i = 0; i < side * side; i++) energy += blob(i) ** 2;
  const ideal = Math.sqrt(energy) / sigma;
  // 400 images of each: d′ is known to a tenth
  assert.ok(Math.abs(dPrime - ideal) < 0.3, `${dPrime} instead of ${ideal}`);
  assert.ok(auc > 0.9 && auc < 1);
  const none = await hotellingObserver(volume(noise(3), shape), volume(absent, shape), { width: 11 });
  assert.ok(none.dPrime < 0.4 && none.auc < 0.65);
});

test("what is refused", async () => {
  const image = volume(new Float32Array(400), [20, 20]);
  await assertRejects(() => noisePowerSpectrum(image, { size: 21 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => noisePowerSpectrum(image, { size: 8, regions: [[13, 0]] }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => noisePowerSpectrum(image, { trend: "cubic" as "plane" }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => edgeProfile(image, { reach: 0 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(
    () => edgeProfile(image, { edge: { row: 900, column: 900, radius: 3 } }),
    "ERR_SINO_OUT_OF_RANGE",
  );
  const few = volume(new Float32Array(5 * 16), [5, 4, 4]);
  await assertRejects(() => hotellingObserver(few, few, { width: 3 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
