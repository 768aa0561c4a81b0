/** The median against sorting. */
import { volume } from "../../lib/core/arrays.ts";
import { median } from "../../lib/image/denoise.ts";
import { medianOracle } from "../oracle/denoise.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("median parity");

for (const [slices, rows, columns] of [
  [1, 1, 1],
  [1, 1, 37],
  [2, 18, 5],
  [1, 17, 33],
] as const)
  for (const radius of [0, 1, 2, 3, 7])
    test(`${slices}×${rows}×${columns}, radius ${radius}`, async () => {
      const image = randomFloats(slices * rows * columns, radius + 1).map((v) => Math.round(8 * v)); // ties too
      const { data } = await median(volume(image, [slices, rows, columns]), { radius });
      for (let s = 0; s < slices; s++) {
        const part = image.subarray(s * rows * columns, (s + 1) * rows * columns);
        const expected = medianOracle({ data: part, rows, columns }, radius);
        assertClose(data.subarray(s * rows * columns, (s + 1) * rows * columns), expected, {});
      }
    });

test("what is refused", async () => {
  const image = volume(new Float32Array(16), [4, 4]);
  await assertRejects(() => median(image, { radius: 8 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => median(image, { radius: 0.5 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
