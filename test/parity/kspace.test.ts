/** What goes wrong on the way to an image: k-space against plain sums, the others against their definitions; all of it seeded. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { runJob } from "../../lib/native/job.ts";
import {
  addBiasField,
  coarserPixels,
  fewerViews,
  ricianNoise,
  simulateMotion,
  thickerSlices,
  truncateKspace,
  undersample,
} from "../../lib/restore/degrade.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("kspace parity");

type Moves = { turn: Float64Array; down: Float64Array; right: Float64Array };

/** |IDFT(mask · K)|, line v of K from the image moved by (down[v], right[v]); sums over everything. */
function oracle(image: Float32Array, rows: number, columns: number, mask?: Float32Array, moves?: Moves): Float64Array {
  const kept: { v: number; u: number; re: number; im: number }[] = [];
  for (let line = 0; line < rows; line++)
    for (let column = 0; column < columns; column++) {
      const v = line - Math.floor(rows / 2);
      const u = column - Math.floor(columns / 2);
      let [re, im] = [0, 0];
      image.forEach((value, i) => {
        const turns = (v * Math.floor(i / columns)) / rows + (u * (i % columns)) / columns;
        re += value * Math.cos(2 * Math.PI * turns);
        im -= value * Math.sin(2 * Math.PI * turns);
      });
      const shift = moves ? -2 * Math.PI * ((v * moves.down[line]!) / rows + (u * moves.right[line]!) / columns) : 0;
      const factor = mask ? mask[line * columns + column]! : 1;
      const [c, s] = [Math.cos(shift) * factor, Math.sin(shift) * factor];
      kept.push({ v, u, re: re * c - im * s, im: re * s + im * c });
    }
  return Float64Array.from(image, (_, i) => {
    let [re, im] = [0, 0];
    for (const k of kept) {
      const angle = 2 * Math.PI * ((k.v * Math.floor(i / columns)) / rows + (k.u * (i % columns)) / columns);
      re += k.re * Math.cos(angle) - k.im * Math.sin(angle);
      im += k.re * Math.sin(angle) + k.im * Math.cos(angle);
    }
    return Math.hypot(re, im) / image.length;
  });
}

async function through(image: Float32Array, rows: number, columns: number, extra: object): Promise<Float32Array> {
  const output = new Float32Array(image.length);
  await runJob("kspace", { device: "cpu", slices: 1, rows, columns, input: image, output, ...extra });
  return output;
}

for (const [rows, columns] of [
  [1, 1],
  [1, 7],
  [9, 11],
  [15, 13],
  [12, 10],
] as const)
  test(`${rows}×${columns}: masks and shifts`, async () => {
    const image = randomFloats(rows * columns, 3).map(Math.abs);
    assertClose(await through(image, rows, columns, {}), image, { atol: 1e-6 });
    const mask = randomFloats(rows * columns, 4);
    assertClose(await through(image, rows, columns, { mask }), oracle(image, rows, columns, mask), { atol: 1e-6 });
    // an even axis has a frequency without a partner, which only whole pixels move as the sum says
    const whole = rows % 2 === 0 || columns % 2 === 0;
    const draw = (seed: number) =>
      Float64Array.from(randomFloats(rows, seed), (v) => (whole ? Math.round(3 * v) : 3 * v));
    const moves = { turn: new Float64Array(rows), down: draw(5), right: draw(6) };
    assertClose(await through(image, rows, columns, moves), oracle(image, rows, columns, undefined, moves), {
      atol: 1e-5,
    });
  });

/** A blob that is smooth enough to turn without ringing. */
const blob = (y0: number, x0: number, size = 48) =>
  Float32Array.from({ length: size * size }, (_, i) => {
    const y = Math.floor(i / size) - (size - 1) / 2 - y0;
    const x = (i % size) - (size - 1) / 2 - x0;
    return Math.exp(-(x * x + y * y) / (2 * 2.5 ** 2));
  });

test("a turn of all lines is the turned image, counter-clockwise", async () => {
  const all = (value: number) => new Float64Array(48).fill(value);
  const angle = (25 * Math.PI) / 180;
  const turned = await through(blob(-4, 9), 48, 48, { turn: all(25), down: all(2), right: all(-3) });
  // row 0 is at the top: counter-clockwise, what lies to the right goes up
  const expected = blob(-4 * Math.cos(angle) - 9 * Math.sin(angle) + 2, -4 * Math.sin(angle) + 9 * Math.cos(angle) - 3);
  assertClose(turned, expected, { atol: 2e-3 });
});

test("motion: seeded, about the middle line, by kind", async () => {
  const image = volume(Float32Array.from([...blob(0, 6), ...blob(5, 0)]), [2, 48, 48]);
  for (const kind of ["sudden", "periodic"] as const) {
    const moved = await simulateMotion(image, { seed: 7, kind, degrees: 10, pixels: 4 });
    const again = await simulateMotion(image, { seed: 7, kind, degrees: 10, pixels: 4 });
    assertClose(again.image.data, moved.image.data, {});
    assert.is(moved.turn[24], 0);
    assert.is(moved.right[48 + 24], 0);
    assert.ok(Math.max(...moved.turn.map(Math.abs)) > 1);
    assert.ok(Math.max(...moved.turn.map(Math.abs)) <= 20);
    const positions = new Set(moved.down.subarray(0, 48));
    assert.ok(kind === "sudden" ? positions.size <= 3 && positions.size > 1 : positions.size > 12, `${positions.size}`);
    assert.ok(moved.image.data.some((v, i) => Math.abs(v - image.data[i]!) > 0.05));
  }
  const still = await simulateMotion(image, { seed: 1, degrees: 0, pixels: 0 });
  assertClose(still.image.data, image.data, { atol: 1e-6 });
});

test("undersampling: so many lines, the middle always; truncation", async () => {
  const image = volume(blob(3, -5), [48, 48]);
  for (const pattern of ["random", "regular"] as const) {
    const { lines, image: aliased } = await undersample(image, { seed: 3, acceleration: 4, centre: 0.1, pattern });
    assert.is(lines.filter((v) => v === 1).length, 12);
    assert.ok([22, 23, 24, 25].every((v) => lines[v] === 1));
    const mask = Float32Array.from({ length: 48 * 48 }, (_, i) => lines[Math.floor(i / 48)]!);
    assertClose(aliased.data, oracle(image.data, 48, 48, mask), { atol: 1e-5 });
  }
  const all = await undersample(image, { seed: 3, acceleration: 1 });
  assertClose(all.image.data, image.data, { atol: 1e-6 });
  const low = await truncateKspace(image, { fraction: [0.5, 0.25] });
  const mask = Float32Array.from({ length: 48 * 48 }, (_, i) => {
    const [v, u] = [Math.floor(i / 48) - 24, (i % 48) - 24];
    return v >= -12 && v < 12 && u >= -6 && u < 6 ? 1 : 0;
  });
  assertClose(low.data, oracle(image.data, 48, 48, mask), { atol: 1e-5 });
});

test("Rician noise has Rice's moments, and goes on where it stopped", async () => {
  const image = volume(new Float32Array(40000).fill(30), [200, 200]);
  const { data } = await ricianNoise(image, { seed: 5, sigma: 10 });
  const mean = data.reduce((a, b) => a + b, 0) / data.length;
  const square = data.reduce((a, b) => a + b * b, 0) / data.length;
  // 200² values of spread 10: means to 0.05
  assert.ok(Math.abs(mean - 31.77) < 0.2, `${mean}`); // Koay's formula for a = 30, σ = 10
  assert.ok(Math.abs(square - (30 ** 2 + 2 * 10 ** 2)) < 15, `${square}`);
  const rest = volume(new Float32Array(100).fill(30), [100]);
  const tail = await ricianNoise(rest, { seed: 5, sigma: 10, first: 39900 });
  assertClose(tail.data, data.subarray(39900), {});
});

test("a bias field is smooth, seeded and about as strong as asked", async () => {
  const ones = volume(new Float32Array(5 * 32 * 40).fill(1), [5, 32, 40]);
  const { data } = await addBiasField(ones, { seed: 2, strength: 0.4 });
  const logs = data.map(Math.log);
  const largest = Math.max(...logs.map(Math.abs));
  assert.ok(largest > 0.1 && largest < 0.8, `${largest}`);
  assert.ok(logs.every((v, i) => i % 40 === 39 || Math.abs(logs[i + 1]! - v) < 0.1));
  assertClose((await addBiasField(ones, { seed: 2, strength: 0.4 })).data, data, {});
  assert.ok((await addBiasField(ones, { seed: 3, strength: 0.4 })).data.some((v, i) => Math.abs(v - data[i]!) > 0.01));
});

test("fewer views, with their geometry; thicker slices; coarser pixels", async () => {
  const geometry = smallGeometries["parallel 180"]!;
  const sinogram = volume(randomFloats(2 * 31 * 47, 1), [2, 31, 47]);
  const sparse = await fewerViews(sinogram, geometry, { every: 4, first: 2 });
  assert.equal(sparse.sinogram.shape, [2, 8, 47]);
  assertClose(
    sparse.geometry.angles,
    Float64Array.from({ length: 8 }, (_, k) => geometry.angles[2 + 4 * k]!),
    {},
  );
  for (const s of [0, 1])
    for (let k = 0; k < 8; k++) assert.is(sparse.sinogram.get(s, k, 5), sinogram.get(s, 2 + 4 * k, 5));
  assert.equal((await fbp(sparse.sinogram, sparse.geometry)).shape, [2, 32, 32]);
  const limited = await fewerViews(sinogram, geometry, { degrees: 90 });
  assert.is(limited.geometry.angles.length, 16); // 31 views over 180°: 5.8° each
  const whole = await fewerViews(sinogram, geometry, {});
  assertClose(whole.sinogram.data, sinogram.data, {});
  assert.ok(whole.sinogram.data.buffer !== sinogram.data.buffer);

  const stack = volume(randomFloats(7 * 6, 8), [7, 2, 3]);
  const thick = await thickerSlices(stack, { slices: 3, step: 2 });
  assert.equal(thick.shape, [3, 2, 3]);
  for (let z = 0; z < 3; z++)
    for (let i = 0; i < 6; i++) {
      const mean = [0, 1, 2].reduce((sum, k) => sum + stack.data[(2 * z + k) * 6 + i]! / 3, 0);
      assert.ok(Math.abs(thick.data[z * 6 + i]! - mean) < 1e-6);
    }
  const coarse = await coarserPixels(volume(new Float32Array(9 * 15).fill(4), [9, 15]), { factor: 3 });
  assert.equal(coarse.shape, [3, 5]);
  assertClose(coarse.data, new Float32Array(15).fill(4), { rtol: 1e-6 });
});

test("what is refused", async () => {
  const image = volume(new Float32Array(16), [4, 4]);
  await assertRejects(() => undersample(image, { seed: -1, acceleration: 2 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => undersample(image, { seed: 1, acceleration: 0.5 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => truncateKspace(image, { fraction: 0 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => simulateMotion(image, { seed: 1, degrees: 60 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => thickerSlices(image, { slices: 2 }), "ERR_SINO_SHAPE");
  await assertRejects(() => coarserPixels(image, { factor: 0.5 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => ricianNoise(image, { seed: 1, sigma: Number.NaN }), "ERR_SINO_OUT_OF_RANGE");
  const geometry = smallGeometries["parallel 180"]!;
  await assertRejects(() => fewerViews(image, geometry, {}), "ERR_SINO_SHAPE");
});

test.run();
