/** Histogram equalisation and CLAHE against their definition. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { clahe, equalizeHistogram } from "../../lib/image/equalize.ts";
import { equalizeOracle } from "../oracle/equalize.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("equalize parity");

for (const [slices, rows, columns] of [
  [1, 1, 1],
  [1, 1, 23],
  [2, 17, 31],
  [1, 40, 40],
] as const)
  for (const [tiles, limit, bins] of [
    [[1, 1], 0, 16],
    [[2, 3], 2, 32],
    [[8, 8], 1.5, 64],
    [[40, 40], 4, 8],
  ] as const)
    test(`${slices}×${rows}×${columns}, ${tiles.join("×")} tiles, limit ${limit}`, async () => {
      const image = randomFloats(slices * rows * columns, 5).map((v) => v * v * v * 1000);
      const window = [-300, 500] as const;
      const of = volume(image, [slices, rows, columns]);
      const result =
        limit > 0 ? await clahe(of, { tiles, limit, bins, window }) : await equalizeHistogram(of, { bins, window });
      const used = [Math.min(tiles[0], rows), Math.min(tiles[1], columns)] as const;
      for (let s = 0; s < slices; s++) {
        const [begin, end] = [s * rows * columns, (s + 1) * rows * columns];
        const expected = equalizeOracle(image.subarray(begin, end), rows, columns, {
          tiles: used,
          limit,
          bins,
          window,
        });
        // tables in float32, of a range of 800
        assertClose(result.data.subarray(begin, end), expected, { atol: 2e-3 });
      }
    });

test("equalised values are spread evenly over the span of the slice", async () => {
  const image = randomFloats(64 * 64, 2).map((v) => v * Math.abs(v));
  const { data } = await equalizeHistogram(volume(image, [64, 64]), { bins: 1024 });
  const [low, high] = [Math.min(...image), Math.max(...image)];
  for (const quarter of [0.25, 0.5, 0.75]) {
    const below = data.filter((v) => v < low + quarter * (high - low)).length / data.length;
    assert.ok(Math.abs(below - quarter) < 0.06, `${below} instead of ${quarter}`);
  }
});

test("NaN stays where it is, and constant images are what they were", async () => {
  const image = randomFloats(100, 3);
  image[37] = Number.NaN;
  const { data } = await clahe(volume(image, [10, 10]), { tiles: [2, 2] });
  data.forEach((v, i) => {
    assert.is(Number.isNaN(v), i === 37);
  });
  assertClose((await clahe(volume(new Float32Array(64).fill(7), [8, 8]))).data, new Float32Array(64).fill(7), {});
});

test("what is refused", async () => {
  const image = volume(new Float32Array(16), [4, 4]);
  await assertRejects(() => clahe(image, { limit: 0.5 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => clahe(image, { tiles: [0, 1] }), "ERR_SINO_SHAPE");
  await assertRejects(() => clahe(image, { window: [1, 1] }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => equalizeHistogram(image, { bins: 1 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
