/** The distance transform against trying every zero, scipy, and its own definition, in 2-D and 3-D, for every spacing. */
import { join } from "node:path";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { writeNpy } from "../../lib/data/npy.ts";
import { type DistanceOptions, distanceTransform } from "../../lib/image/distance.ts";
import { distanceOracle } from "../oracle/distance.ts";
import { assertClose } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("distance parity");

function randomMask(length: number, zeros: number, seed: number): Uint8Array<ArrayBuffer> {
  const next = randomSource(seed);
  return Uint8Array.from({ length }, () => (next() < zeros ? 0 : 1 + Math.floor(next() * 255)));
}

/** float32 of the exact distance; with unequal spacings the double result may differ by an ulp, rarely across a rounding border. */
function tolerance(spacing: readonly number[]) {
  return spacing.every((s) => s === spacing[0]) ? {} : { rtol: 6e-8 };
}

/** Every named position must be a zero, and as far away as the distance says. */
function checkIndices(
  mask: Uint8Array,
  shape: readonly number[],
  spacing: readonly number[],
  named: Int32Array,
  distances: Float32Array,
) {
  const size = mask.length;
  const rank = spacing.length;
  for (let i = 0; i < size; i++) {
    let rest = i;
    let at = 0;
    let sum = 0;
    let step = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const here = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
      const k = axis - (shape.length - rank);
      const there = k >= 0 ? named[k * size + i]! : here;
      if (there < 0 || there >= shape[axis]!) throw new Error(`pixel ${i} names ${there} on axis ${axis}`);
      if (k >= 0) sum += ((there - here) * spacing[k]!) ** 2;
      at += there * step;
      step *= shape[axis]!;
    }
    if (mask[at] !== 0) throw new Error(`pixel ${i} names ${at}, which is not zero`);
    if (Math.abs(Math.sqrt(sum) - distances[i]!) > 1e-6 * distances[i]!)
      throw new Error(`pixel ${i} names a zero at ${Math.sqrt(sum)} instead of ${distances[i]}`);
  }
}

async function checkAll(mask: Uint8Array<ArrayBuffer>, shape: number[], spacing: number[], options: DistanceOptions) {
  const { distances, indices } = await distanceTransform(volume(mask, shape), {
    ...options,
    sampling: spacing,
    indices: true,
  });
  const without = await distanceTransform(volume(mask, shape), { ...options, sampling: spacing });
  assert.equal(distances.shape, shape);
  assert.equal(indices!.shape, [spacing.length, ...shape]);
  assertClose(without.distances.data, distances.data, {}, "without indices");
  const one = shape.slice(shape.length - spacing.length);
  const size = one.reduce((a, b) => a * b, 1);
  for (let start = 0; start < mask.length; start += size) {
    const expected = distanceOracle(mask.subarray(start, start + size), one, spacing);
    assertClose(distances.data.subarray(start, start + size), Float32Array.from(expected), tolerance(spacing));
    if (!Number.isFinite(expected[0])) {
      for (let axis = 0; axis < spacing.length; axis++)
        assert.ok(
          indices!.data.subarray(axis * mask.length + start, axis * mask.length + start + size).every((i) => i === -1),
        );
      return;
    }
  }
  checkIndices(mask, shape, spacing, indices!.data, distances.data);
}

for (const shape of [
  [1, 1],
  [1, 7],
  [7, 1],
  [13, 31],
  [31, 13],
  [3, 17, 64],
  [5, 1, 65],
  [2, 67, 3],
])
  for (const spacing of [
    [1, 1],
    [2.5, 2.5],
    [0.7, 1.3],
    [3, 0.25],
  ])
    for (const zeros of [0.02, 0.5, 0.95])
      test(`2-D ${shape.join("×")}, spacing ${spacing}, ${zeros * 100} % zeros`, async () => {
        const mask = randomMask(
          shape.reduce((a, b) => a * b),
          zeros,
          11,
        );
        await checkAll(mask, shape, spacing, {});
      });

for (const shape of [
  [1, 1, 1],
  [7, 1, 1],
  [1, 5, 9],
  [9, 11, 13],
  [4, 5, 37],
])
  for (const spacing of [
    [1, 1, 1],
    [2, 2, 2],
    [3, 0.7, 0.8],
  ])
    for (const zeros of [0, 0.01, 0.6])
      test(`3-D ${shape.join("×")}, spacing ${spacing}, ${zeros * 100} % zeros`, async () => {
        const mask = randomMask(
          shape.reduce((a, b) => a * b),
          zeros,
          5,
        );
        await checkAll(mask, shape, spacing, { dimensions: 3 });
      });

test("any mask, any spacing: equal to trying every zero", async () => {
  const cases = fc.tuple(
    fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })),
    fc.tuple(...[0, 1, 2].map(() => fc.constantFrom(1, 2, 0.3, 1.7))),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.integer(),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ([shape, spacing, zeros, seed]) => {
      const mask = randomMask(shape[0] * shape[1] * shape[2], zeros, seed);
      await checkAll(mask, shape, spacing as number[], { dimensions: 3 });
      if (mask.includes(0)) await checkAll(mask, [shape[0] * shape[1], shape[2]], (spacing as number[]).slice(1), {});
    }),
    { numRuns: 150, seed: 3 },
  );
});

test("near and far zeros in one image: outward and by envelopes, in float and beside indices", async () => {
  // Crowded in the first half, nearly empty in the other: what looking outward manages at first, it gives up later.
  for (const [shape, dimensions] of [
    [[60, 500], 2],
    [[500, 60], 2],
    [[600, 2, 21], 3],
    [[40, 2, 300], 3],
  ] as [number[], 2 | 3][]) {
    const size = shape.reduce((a, b) => a * b);
    const next = randomSource(size);
    const mask = Uint8Array.from({ length: size }, (_, i) => (next() < (i < size / 2 ? 0.01 : 2 / size) ? 0 : 1));
    await checkAll(mask, shape, new Array<number>(dimensions).fill(1), { dimensions });
  }
});

test("large planes are shared out, with the same result as small ones", async () => {
  const [rows, columns] = [601, 257];
  const mask = new Uint8Array(rows * columns).fill(1);
  for (const p of [0, 300 * columns + 128, 500 * columns + 7]) mask[p] = 0;
  const alone = await distanceTransform(volume(mask, [rows, columns]));
  const batch = new Uint8Array(3 * mask.length);
  for (const s of [0, 1, 2]) batch.set(mask, s * mask.length);
  const together = await distanceTransform(volume(batch, [3, rows, columns]));
  assertClose(alone.distances.data, Float32Array.from(distanceOracle(mask, [rows, columns], [1, 1])), {});
  for (const s of [0, 1, 2])
    assertClose(together.distances.data.subarray(s * mask.length, (s + 1) * mask.length), alone.distances.data, {});
});

test("lines too long for exact float squares are worked in double", async () => {
  const length = 9001;
  const mask = new Uint8Array(length).fill(1);
  mask[0] = 0;
  const { distances } = await distanceTransform(volume(mask, [1, length]));
  assertClose(
    distances.data,
    Float32Array.from({ length }, (_, i) => i),
    {},
  );
});

test("without a zero: infinite, index −1; all zero: 0, own index; no slices: empty", async () => {
  const none = await distanceTransform(volume(new Uint8Array(6).fill(9), [2, 3]), { indices: true });
  assert.ok(none.distances.data.every((d) => d === Infinity) && none.indices!.data.every((i) => i === -1));
  const all = await distanceTransform(volume(new Uint8Array(6), [2, 3]), { indices: true });
  assert.equal([...all.distances.data], [0, 0, 0, 0, 0, 0]);
  assert.equal([...all.indices!.data], [0, 0, 0, 1, 1, 1, 0, 1, 2, 0, 1, 2]);
  for (const shape of [
    [0, 4, 4],
    [2, 0, 4],
    [2, 4, 0],
  ])
    assert.is((await distanceTransform(volume(new Uint8Array(0), shape), { indices: true })).distances.data.length, 0);
});

test.skipUnless(pythonHas("scipy"), "python3 with scipy is not here")("scipy's distance_transform_edt", async () => {
  const folder = temporaryFolder();
  for (const [n, [shape, spacing]] of (
    [
      [
        [97, 203],
        [1, 1],
      ],
      [
        [97, 203],
        [0.8, 1.9],
      ],
      [
        [19, 40, 31],
        [2.5, 0.5, 0.7],
      ],
    ] as [number[], number[]][]
  ).entries()) {
    const mask = randomMask(
      shape.reduce((a, b) => a * b),
      0.003,
      n + 1,
    );
    const path = join(folder, `${n}.npy`);
    const dimensions = shape.length as 2 | 3;
    const { distances } = await distanceTransform(volume(mask, shape), { sampling: spacing, dimensions });
    await writeNpy(path, volume(mask, shape));
    await writeNpy(`${path}.d.npy`, distances);
    const worst = pythonJson(
      `import sys, json, numpy as np, scipy.ndimage as n
m = np.load(sys.argv[1]); d = np.load(sys.argv[1] + ".d.npy")
e = n.distance_transform_edt(m, sampling=json.loads(sys.argv[2]))
print(float(np.max(np.abs(d - e) / np.maximum(e, 1))))`,
      path,
      JSON.stringify(spacing),
    );
    assert.ok((worst as number) <= 6e-8, `worst relative difference ${worst}`);
  }
});

test.run();
