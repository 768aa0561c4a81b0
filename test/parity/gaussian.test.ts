/** Gaussian smoothing against the two-dimensional kernel. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { gaussianOracle } from "../oracle/gaussian.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("gaussian parity");
const tolerance = { atol: 1e-6 }; // float32 sums of values up to 1

for (const [slices, rows, columns] of [
  [1, 1, 1],
  [1, 1, 9],
  [2, 17, 5],
  [3, 7, 23],
] as const)
  for (const sigma of [
    [1, 1],
    [0, 2],
    [1.7, 0],
    [0.6, 3],
    [0, 0],
  ] as const)
    test(`${slices}×${rows}×${columns}, sigma ${sigma}`, async () => {
      const plane = rows * columns;
      const image = randomFloats(slices * plane, 2);
      const cases = [
        { radius: undefined, used: [Math.round(4 * sigma[0]), Math.round(4 * sigma[1])] },
        { radius: 2, used: [2, 2] },
        { radius: [3, 1], used: [3, 1] },
      ] as const;
      for (const { radius, used } of cases) {
        const { data } = await gaussian(volume(image, [slices, rows, columns]), { sigma, radius });
        for (let s = 0; s < slices; s++) {
          const one = image.subarray(s * plane, (s + 1) * plane);
          assertClose(
            data.subarray(s * plane, (s + 1) * plane),
            gaussianOracle(one, rows, columns, sigma, used),
            tolerance,
          );
        }
      }
    });

test("sigma 1 and radius 2 is the 5×5 kernel of NMAR", async () => {
  const image = new Float32Array(81);
  image[40] = 1;
  const { data } = await gaussian(volume(image, [9, 9]), { sigma: 1, radius: 2 });
  assertClose(data.subarray(4 * 9 + 2, 4 * 9 + 7), [0.0219, 0.0983, 0.1621, 0.0983, 0.0219], { atol: 5e-5 });
  assert.ok(Math.abs(data.reduce((a, b) => a + b) - 1) < 1e-6);
});

test("NaN spreads over the kernel and no further", async () => {
  const image = new Float32Array(11 * 11);
  image[60] = Number.NaN;
  const { data } = await gaussian(volume(image, [11, 11]), { sigma: [1, 2], radius: [1, 2] });
  data.forEach((x, p) => {
    const isNear = Math.abs(Math.floor(p / 11) - 5) <= 1 && Math.abs((p % 11) - 5) <= 2;
    if (Number.isNaN(x) !== isNear) throw new Error(`pixel ${p} is ${x}`);
  });
});

test("empty and wrong input", async () => {
  assert.is((await gaussian(volume(new Float32Array(0), [0, 3, 3]), { sigma: 1 })).data.length, 0);
  const image = volume(new Float32Array(4), [2, 2]);
  await assertRejects(() => gaussian(image, { sigma: -1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(
    () => gaussian(image, { sigma: [1, 2, 3, 4] as unknown as [number, number] }),
    "ERR_SINO_ARG_TYPE",
  );
  await assertRejects(() => gaussian(image, undefined as unknown as { sigma: number }), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => gaussian(image, { sigma: 1, radius: 0.5 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => gaussian(volume(new Float32Array(4), [4]), { sigma: 1 }), "ERR_SINO_SHAPE");
});

test.run();
