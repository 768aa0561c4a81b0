/** Filters in three dimensions: against plain sums, against their 2-D selves, with unequal spacings; and what they gain. */
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { bilateral, nonLocalMeans, totalVariation } from "../../lib/image/denoise.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats, randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("filters of volumes");

type Shape = readonly [slices: number, rows: number, columns: number];

const step = ([slices, rows, columns]: Shape, seed: number) =>
  randomFloats(slices * rows * columns, seed).map(
    (n, i) => 0.2 * n + ((i % columns) * 2 < columns ? 0 : 1) + (i < (slices * rows * columns) / 2 ? 0 : 0.4),
  );

const mirrored = (i: number, n: number): number => {
  if (n === 1) return 0;
  const at = ((i % (2 * n - 2)) + 2 * n - 2) % (2 * n - 2);
  return at < n ? at : 2 * n - 2 - at;
};

interface Given {
  patch: number;
  search: number;
  depth: number;
  apart: number;
  spread: number;
  sigma: number;
  h: number;
}

/** The sum over shifts written out: neighbourhoods within slices, slices beside where there are any. */
function nonLocalOracle(image: Float32Array, [slices, rows, columns]: Shape, given: Given): Float64Array {
  const { patch, search, depth, apart, spread, sigma, h } = given;
  const at = (z: number, y: number, x: number) =>
    image[(z * rows + mirrored(y, rows)) * columns + mirrored(x, columns)]!;
  return Float64Array.from(image, (_, i) => {
    const [z, y, x] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
    let [top, bottom] = [0, 0];
    for (let t = Math.max(0, z - depth); t <= Math.min(slices - 1, z + depth); t++)
      for (let dy = -search; dy <= search; dy++)
        for (let dx = -search; dx <= search; dx++) {
          let distance = 0;
          for (let j = -patch; j <= patch; j++)
            for (let k = -patch; k <= patch; k++)
              distance += (at(z, y + j, x + k) - at(t, y + dy + j, x + dx + k)) ** 2 / (2 * patch + 1) ** 2;
          const away = spread > 0 ? (dy ** 2 + dx ** 2 + (apart * (t - z)) ** 2) / (2 * spread ** 2) : 0;
          const w = Math.exp(-Math.max(0, distance - 2 * sigma ** 2) / h ** 2 - away);
          top += w * at(t, y + dy, x + dx);
          bottom += w;
        }
    return top / bottom;
  });
}

for (const shape of [
  [5, 9, 37],
  [2, 35, 12],
  [7, 1, 3],
] as const)
  for (const depth of [1, 3])
    test(`non-local means and bilateral of ${shape.join("×")}, ${depth} slices to each side`, async () => {
      const image = step(shape, 5);
      const [sigma, strength] = [0.1, 0.9];
      const options = { dimensions: 3, sampling: [2.4, 0.8, 0.8], sigma, depth } as const;
      const means = await nonLocalMeans(volume(image, shape), { ...options, patch: 1, search: 2, strength });
      const given = { patch: 1, search: 2, depth, apart: 3, spread: 0, sigma, h: strength * sigma };
      // as in two dimensions: float32 sums of distances over h²
      assertClose(means.data, nonLocalOracle(image, shape, given), { atol: 2e-5 });
      const smooth = await bilateral(volume(image, shape), { ...options, spread: 2.5, search: 3, strength: 4 });
      const both = { ...given, patch: 0, search: 3, spread: 2.5, sigma: 0, h: 4 * sigma * Math.SQRT2 };
      // float32 sums of up to 7·49 values
      assertClose(smooth.data, nonLocalOracle(image, shape, both), { atol: 4e-6 });
    });

/** ½|x − z|² + λ·TV(x), differences across slices times `ratio`. */
function energy(
  x: Float32Array,
  z: Float32Array,
  [slices, rows, columns]: Shape,
  weight: number,
  ratio: number,
): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const [s, r, c] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
    const right = c + 1 < columns ? x[i + 1]! - x[i]! : 0;
    const below = r + 1 < rows ? x[i + columns]! - x[i]! : 0;
    const behind = s + 1 < slices ? ratio * (x[i + rows * columns]! - x[i]!) : 0;
    sum += 0.5 * (x[i]! - z[i]!) ** 2 + weight * Math.hypot(right, below, behind);
  }
  return sum;
}

for (const [shape, ratio] of [
  [[6, 17, 21], 1],
  [[4, 23, 9], 0.3],
  [[9, 2, 1], 2],
] as [Shape, number][])
  test(`total variation of ${shape.join("×")}, slices ${1 / ratio} pixels apart: nothing near has less energy`, async () => {
    const image = step(shape, 3);
    const given = { dimensions: 3, sampling: [1 / ratio, 1, 1], sigma: 0.15, iterations: 3000 } as const;
    const { data } = await totalVariation(volume(image, shape), given);
    const least = energy(data, image, shape, 0.15, ratio);
    const next = randomSource(4);
    const [slices, rows, columns] = shape;
    for (let k = 0; k < 60; k++) {
      const centre = [next() * slices, next() * rows, next() * columns] as const;
      const [size, change] = [next() * 6, (next() - 0.5) * 0.02];
      const other = data.map((v, i) => {
        const [z, y, x] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
        return Math.hypot(z - centre[0], y - centre[1], x - centre[2]) <= size ? v + change : v;
      });
      // float32 leaves 1e-6 of the energy
      assert.ok(energy(other, image, shape, 0.15, ratio) >= least * (1 - 1e-6), `${centre}, ${size}: ${change}`);
    }
  });

test("a Gaussian across slices", async () => {
  const shape = [7, 6, 5] as const;
  const image = step(shape, 8);
  const { data } = await gaussian(volume(image, shape), { sigma: [1.2, 0, 0] });
  const taps = Array.from({ length: 11 }, (_, k) => Math.exp(-((k - 5) ** 2) / (2 * 1.2 ** 2)));
  const total = taps.reduce((a, b) => a + b);
  const expected = Float64Array.from(image, (_, i) => {
    const [z, rest] = [Math.floor(i / 30), i % 30];
    const near = (k: number) => image[Math.min(6, Math.max(0, z + k - 5)) * 30 + rest]!;
    return taps.reduce((sum, w, k) => sum + (w * near(k)) / total, 0);
  });
  assertClose(data, expected, { atol: 1e-6 });
  const plane = await gaussian(volume(image, shape), { sigma: [0, 1, 2] });
  assertClose(plane.data, (await gaussian(volume(image, shape), { sigma: [1, 2] })).data, {});
  const one = await gaussian(volume(image, shape), { sigma: [1, 1, 1], radius: 2 });
  assert.ok(one.data.some((v, i) => Math.abs(v - plane.data[i]!) > 1e-3));
});

test("a volume of one slice is the slice", async () => {
  const image = volume(step([1, 40, 31], 2), [1, 40, 31]);
  const given = { dimensions: 3, sampling: [3, 1, 1], sigma: 0.1 } as const;
  for (const filter of [nonLocalMeans, bilateral])
    assertClose((await filter(image, given)).data, (await filter(image, { sigma: 0.1 })).data, {});
  // the step is shorter where there are neighbours across slices, so the same minimum is approached another way
  const [volumeOf, sliceOf] = [
    await totalVariation(image, { ...given, iterations: 3000 }),
    await totalVariation(image, { sigma: 0.1, iterations: 3000 }),
  ];
  assertClose(volumeOf.data, sliceOf.data, { atol: 2e-4 });
});

/** Cylinders and balls that go on from slice to slice, range 1000, with noise of 40. */
function drawn([slices, rows, columns]: Shape, apart: number) {
  const next = randomSource(6);
  const normal = () => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
  const clean = Float32Array.from({ length: slices * rows * columns }, (_, i) => {
    const [z, y, x] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
    const depth = apart * (z - slices / 2);
    const ball = Math.hypot(depth, y - 24, x - 22) < 13 ? 300 : 0;
    const vessel = Math.hypot(y - 44 + 0.3 * depth, x - 44) < 5 ? 200 : 0;
    const texture = 60 * Math.sin(y / 3) * Math.sin(x / 4 + 0.05 * depth);
    return (Math.hypot(y - 32, x - 32) < 29 ? 400 : 0) + ball + vessel + texture;
  });
  const noisy = clean.map((v) => v + 40 * normal());
  return { clean, noisy: volume(noisy, [slices, rows, columns]) };
}

const decibels = ({ data }: Volume, clean: Float32Array): number =>
  10 * Math.log10(1000 ** 2 / (data.reduce((sum, v, i) => sum + (v - clean[i]!) ** 2, 0) / clean.length));

test("at the same strength a volume gains over its slices", async () => {
  const shape = [12, 64, 64] as const;
  // dB, as measured less a tenth or so, for slices 1 and 3 pixels apart
  const gains = { nlm: [2.4, 2.2], bilateral: [1.6, 0.4], tv: [2, 0.4], gaussian: [0.6, 0] };
  for (const [k, apart] of [1, 3].entries()) {
    const { clean, noisy } = drawn(shape, apart);
    const given = { sigma: 40, strength: 0.5 };
    const volumes = { dimensions: 3, sampling: [apart, 1, 1], sigma: 40 } as const;
    const pairs = {
      nlm: [await nonLocalMeans(noisy, { sigma: 40 }), await nonLocalMeans(noisy, volumes)],
      bilateral: [await bilateral(noisy, { sigma: 40 }), await bilateral(noisy, volumes)],
      tv: [await totalVariation(noisy, given), await totalVariation(noisy, { ...volumes, ...given })],
      gaussian: [await gaussian(noisy, { sigma: 0.6 }), await gaussian(noisy, { sigma: [0.6 / apart, 0.6, 0.6] })],
    } as const;
    for (const name of ["nlm", "bilateral", "tv", "gaussian"] as const) {
      const [slices, together] = pairs[name].map((image) => decibels(image, clean)) as [number, number];
      assert.ok(together - slices >= gains[name][k]!, `${name}, ${apart}: ${slices} and ${together} dB`);
    }
  }
});

test("what is refused", async () => {
  const plane = volume(new Float32Array(16), [4, 4]);
  const image = volume(new Float32Array(32), [2, 4, 4]);
  for (const filter of [nonLocalMeans, bilateral, totalVariation]) {
    await assertRejects(() => filter(plane, { dimensions: 3 }), "ERR_SINO_SHAPE");
    await assertRejects(() => filter(image, { dimensions: 4 as 3 }), "ERR_SINO_OUT_OF_RANGE");
    await assertRejects(() => filter(image, { dimensions: 3, sampling: [1, 1] }), "ERR_SINO_OUT_OF_RANGE");
    await assertRejects(() => filter(image, { dimensions: 3, sampling: [0, 1, 1] }), "ERR_SINO_OUT_OF_RANGE");
  }
  await assertRejects(() => nonLocalMeans(image, { depth: 1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => gaussian(plane, { sigma: [1, 1, 1] }), "ERR_SINO_SHAPE");
  await assertRejects(() => gaussian(image, { sigma: [1, 1, -1] }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
