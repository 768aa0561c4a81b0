/** Dice and Hausdorff against pairs of points, MS-SSIM against SSIM of its scales; each against other packages where they are. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { msSsim } from "../../lib/metrics/ms-ssim.ts";
import { dice, hausdorff } from "../../lib/metrics/overlap.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("overlap metrics");

type Shape = readonly [slices: number, rows: number, columns: number];

function blob([slices, rows, columns]: Shape, at: readonly [number, number, number], radius: number): Uint8Array {
  return Uint8Array.from({ length: slices * rows * columns }, (_, i) => {
    const z = Math.floor(i / (rows * columns));
    const y = Math.floor(i / columns) % rows;
    return Math.hypot(z - at[0], y - at[1], (i % columns) - at[2]) <= radius ? 255 : 0;
  });
}

/** Distances between the surfaces, both ways, sorted; every pair looked at. */
function directedOracle(a: Uint8Array, b: Uint8Array, [slices, rows, columns]: Shape, spacing: readonly number[]) {
  const surface = (mask: Uint8Array) => {
    const points: number[][] = [];
    const set = (z: number, y: number, x: number) => {
      const inside = z >= 0 && z < slices && y >= 0 && y < rows && x >= 0 && x < columns;
      return !inside || mask[(z * rows + y) * columns + x]! > 0;
    };
    for (let i = 0; i < mask.length; i++) {
      const [z, y, x] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
      const isInner = [-1, 1].every((d) => set(z + d, y, x) && set(z, y + d, x) && set(z, y, x + d));
      if (mask[i]! > 0 && !isInner) points.push([z * spacing[0]!, y * spacing[1]!, x * spacing[2]!]);
    }
    return points;
  };
  const [one, two] = [surface(a), surface(b)];
  const nearest = (p: number[], others: number[][]) =>
    others.reduce((least, q) => Math.min(least, Math.hypot(p[0]! - q[0]!, p[1]! - q[1]!, p[2]! - q[2]!)), Infinity);
  return [one.map((p) => nearest(p, two)), two.map((p) => nearest(p, one))].map((d) => d.sort((x, y) => x - y));
}

const percentile = (sorted: number[], share: number) => {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const next = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return sorted[below]! + (place - below) * (next - sorted[below]!);
};

test("Hausdorff in three dimensions, with spacings", async () => {
  const shape = [9, 20, 24] as const;
  const a = blob(shape, [4, 9, 10], 3.4);
  const b = blob(shape, [5, 10, 12], 3.9);
  const spacing = [2.5, 0.7, 0.9] as const;
  const [there, back] = directedOracle(a, b, shape, spacing) as [number[], number[]];
  for (const share of [0.5, 0.9, 0.95, 1]) {
    const options = { dimensions: 3, sampling: spacing, percentile: share } as const;
    const found = await hausdorff(volume(a, shape), volume(b, shape), options);
    assertClose(found, [Math.max(percentile(there, share), percentile(back, share))], { rtol: 1e-6 }, `${share}`);
  }
});

test("slice by slice; empty masks", async () => {
  const shape = [3, 16, 17] as const;
  const size = 16 * 17;
  const a = blob(shape, [0, 8, 8], 4);
  const b = blob(shape, [0, 8, 10], 4);
  const found = await hausdorff(volume(a, shape), volume(b, shape), { percentile: 1 });
  for (let s = 0; s < 3; s++) {
    const part = [a, b].map((mask) => mask.subarray(s * size, (s + 1) * size)) as [Uint8Array, Uint8Array];
    const [there, back] = directedOracle(...part, [1, 16, 17], [1, 1, 1]) as [number[], number[]];
    assertClose([found[s]!], [Math.max(there.at(-1)!, back.at(-1)!)], { rtol: 1e-6 });
  }
  const none = new Uint8Array(size);
  const lonely = await hausdorff(volume(a.subarray(0, size), [16, 17]), volume(none, [16, 17]));
  assert.ok(!Number.isFinite(lonely[0]));
  assert.is((await hausdorff(volume(a, shape), volume(a, shape)))[0], 0);
});

test("Dice counts", async () => {
  const shape = [2, 10, 12] as const;
  const a = blob(shape, [0, 5, 5], 3);
  const b = blob(shape, [0, 5, 7], 3);
  const count = (mask: Uint8Array, s: number) => mask.subarray(s * 120, (s + 1) * 120).filter((v) => v > 0).length;
  const both = a.map((v, i) => (v > 0 && b[i]! > 0 ? 1 : 0));
  const per = [0, 1].map((s) => (2 * count(both, s)) / (count(a, s) + count(b, s)));
  assertClose(await dice(volume(a, shape), volume(b, shape)), per, { atol: 1e-12 });
  const all = (2 * (count(both, 0) + count(both, 1))) / [a, b].reduce((n, m) => n + count(m, 0) + count(m, 1), 0);
  assertClose(await dice(volume(a, shape), volume(b, shape), { dimensions: 3 }), [all], { atol: 1e-12 });
  const none = volume(new Uint8Array(120), [10, 12]);
  assert.ok(Number.isNaN((await dice(none, none))[0]));
  await assertRejects(() => dice(volume(a, shape), none), "ERR_SINO_SHAPE");
  await assertRejects(() => hausdorff(none, none, { percentile: 0 }), "ERR_SINO_OUT_OF_RANGE");
});

/** Means of contrast·structure, and of SSIM, over all whole windows, in double. */
function ssimTerms(a: Float64Array, b: Float64Array, rows: number, columns: number, range: number) {
  const [c1, c2] = [(0.01 * range) ** 2, (0.03 * range) ** 2];
  const taps = Array.from({ length: 11 }, (_, k) => Math.exp(-((k - 5) ** 2) / (2 * 1.5 ** 2)));
  const total = taps.reduce((sum, t) => sum + t) ** 2;
  let [structure, whole, count] = [0, 0, 0];
  for (let y = 0; y + 11 <= rows; y++)
    for (let x = 0; x + 11 <= columns; x++) {
      let [ma, mb, aa, bb, ab] = [0, 0, 0, 0, 0];
      for (let j = 0; j < 11; j++)
        for (let i = 0; i < 11; i++) {
          const w = (taps[j]! * taps[i]!) / total;
          const [p, q] = [a[(y + j) * columns + x + i]!, b[(y + j) * columns + x + i]!];
          ma += w * p;
          mb += w * q;
          aa += w * p * p;
          bb += w * q * q;
          ab += w * p * q;
        }
      const cs = (2 * (ab - ma * mb) + c2) / (aa - ma * ma + bb - mb * mb + c2);
      structure += cs;
      whole += (cs * (2 * ma * mb + c1)) / (ma * ma + mb * mb + c1);
      count++;
    }
  return { structure: structure / count, whole: whole / count };
}

const halved = (image: Float64Array, rows: number, columns: number) =>
  Float64Array.from({ length: (rows / 2) * (columns / 2) }, (_, i) => {
    const at = 2 * Math.floor(i / (columns / 2)) * columns + 2 * (i % (columns / 2));
    return (image[at]! + image[at + 1]! + image[at + columns]! + image[at + columns + 1]!) / 4;
  });

test("MS-SSIM is the product over its scales", async () => {
  const [rows, columns] = [176, 192] as const;
  const next = randomSource(6);
  const reference = Float32Array.from({ length: rows * columns }, (_, i) => {
    return Math.sin(i / columns / 9) * Math.cos((i % columns) / 7) + 0.2 * next();
  });
  const image = reference.map((v) => v + 0.3 * (next() - 0.5));
  let [a, b, r, c] = [Float64Array.from(image), Float64Array.from(reference), rows as number, columns as number];
  let expected = 1;
  for (const [scale, weight] of [0.0448, 0.2856, 0.3001, 0.2363, 0.1333].entries()) {
    const { structure, whole } = ssimTerms(a, b, r, c, 2);
    expected *= (scale === 4 ? whole : structure) ** weight;
    [a, b, r, c] = [halved(a, r, c), halved(b, r, c), r / 2, c / 2];
  }
  const shape = [rows, columns];
  const found = await msSsim(volume(image, shape), volume(reference, shape), { range: 2 });
  assertClose(found, [expected], { atol: 1e-6 });
  const batch = volume(Float32Array.from([...reference, ...image]), [2, ...shape]);
  const twice = volume(Float32Array.from([...reference, ...reference]), [2, ...shape]);
  const two = await msSsim(batch, twice, { range: 2 });
  assertClose(two, [1, expected], { atol: 1e-6 });
  const small = volume(new Float32Array(175 * 200), [175, 200]);
  await assertRejects(() => msSsim(small, small), "ERR_SINO_SHAPE");
});

test.run();
