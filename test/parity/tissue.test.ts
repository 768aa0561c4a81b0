/** NMAR's tissue classes against k-means by the book. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { tissuePrior, tissueThresholds } from "../../lib/image/tissue.ts";
import { tissueOracle } from "../oracle/tissue.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("tissue parity");
const muWater = 0.192;

/** Air, soft tissue and bone with noise, in shares that differ from slice to slice. */
function body(slices: number, pixels: number, seed: number): Float32Array<ArrayBuffer> {
  const next = randomSource(seed);
  return Float32Array.from({ length: slices * pixels }, (_, i) => {
    const which = next() + Math.floor(i / pixels) / 20;
    const centre = which < 0.4 ? 0 : which < 0.9 ? 0.19 : 0.38;
    return centre + (next() + next() + next() - 1.5) * 0.06;
  });
}

for (const [slices, rows, columns] of [
  [1, 1, 1],
  [1, 3, 1],
  [2, 13, 17],
  [3, 101, 47],
] as const)
  test(`${slices}×${rows}×${columns}`, async () => {
    const pixels = rows * columns;
    const image = body(slices, pixels, 5);
    if (pixels > 50) image[20] = Number.NaN;
    if (pixels > 50) image[21] = Infinity;
    const { water, bone } = await tissueThresholds(volume(image, [slices, rows, columns]), { muWater });
    for (let s = 0; s < slices; s++) {
      const expected = tissueOracle(image.subarray(s * pixels, (s + 1) * pixels), muWater);
      assert.ok(Math.abs(water[s]! - expected.water) < 1e-9, `water ${water[s]} instead of ${expected.water}`);
      assert.ok(Math.abs(bone[s]! - expected.bone) < 1e-9, `bone ${bone[s]} instead of ${expected.bone}`);
    }
    const prior = await tissuePrior(volume(image, [slices, rows, columns]), { water, bone, muWater });
    const expected = image.map((v, i) => {
      const s = Math.floor(i / pixels);
      if (v >= Math.fround(bone[s]!)) return v;
      return v > water[s]! ? muWater : 0;
    });
    assertClose(prior.data, expected, {});
  });

test("values on the thresholds", async () => {
  const image = volume(Float32Array.of(0.125, 0.126, 0.249, 0.25, 9, Number.NaN), [2, 3]);
  const { data } = await tissuePrior(image, { water: 0.125, bone: 0.25, muWater: 0.5 });
  assertClose(data, Float32Array.of(0, 0.5, 0.5, 0.25, 9, 0), {});
});

test("bone starts at 1.2 muWater at the least, even where its class reaches lower", async () => {
  const counts = [
    [0, 10],
    [0.1, 1000],
    [0.22, 100],
    [0.3, 10],
  ] as const;
  const image = Float32Array.from(counts.flatMap(([value, count]) => new Array<number>(count).fill(value)));
  const { water, bone } = await tissueThresholds(volume(image, [1, image.length]), { muWater });
  assert.is(water[0], Math.fround(0.1));
  assert.is(bone[0], 1.2 * muWater); // 0.22 belongs to the upper class
});

test("one class only: thresholds stay finite", async () => {
  for (const value of [0, 0.19, 0.5, Number.NaN]) {
    const { water, bone } = await tissueThresholds(volume(new Float32Array(12).fill(value), [3, 4]), { muWater });
    assert.ok(Number.isFinite(water[0]) && bone[0]! >= 1.2 * muWater, `${value}: ${water[0]}, ${bone[0]}`);
  }
});

test("empty and wrong input", async () => {
  const empty = volume(new Float32Array(0), [0, 4, 4]);
  assert.is((await tissueThresholds(empty, { muWater })).water.length, 0);
  assert.is((await tissuePrior(empty, { muWater, water: 0, bone: 1 })).data.length, 0);
  const image = volume(new Float32Array(4), [2, 2]);
  await assertRejects(() => tissueThresholds(image, { muWater: 0 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => tissueThresholds(image, undefined as never), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => tissuePrior(image, { muWater, water: [0, 1], bone: 1 }), "ERR_SINO_SHAPE");
  await assertRejects(() => tissuePrior(image, { muWater, water: Number.NaN, bone: 1 }), "ERR_SINO_SHAPE");
});

test.run();
