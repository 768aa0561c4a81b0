/** Resampling against the definition of each method, pixel by pixel. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { resample } from "../../lib/image/resample.ts";
import { resampleOracle } from "../oracle/resample.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("resample parity");
const methods = ["nearest", "linear", "cubic", "area", "lanczos"] as const;

for (const [rows, columns] of [
  [1, 1],
  [7, 1],
  [1, 5],
  [13, 17],
  [16, 6],
] as const)
  for (const shape of [
    [1, 1],
    [3, 7],
    [13, 17],
    [32, 12],
    [26, 5],
  ] as const)
    test(`${rows}×${columns} to ${shape.join("×")}`, async () => {
      const slices = 3;
      const plane = rows * columns;
      const image = randomFloats(slices * plane, 4);
      for (const method of methods) {
        const result = await resample(volume(image, [slices, rows, columns]), { shape, method });
        assert.equal(result.shape, [slices, ...shape]);
        const size = shape[0] * shape[1];
        for (let s = 0; s < slices; s++) {
          const expected = resampleOracle(image.subarray(s * plane, (s + 1) * plane), [rows, columns], shape, method);
          const found = result.data.subarray(s * size, (s + 1) * size);
          // float32 weights and sums of values up to 1 (cubic: up to 1.3)
          assertClose(
            found,
            method === "nearest" ? Float32Array.from(expected) : expected,
            method === "nearest" ? {} : { atol: 1e-6 },
            method,
          );
        }
      }
    });

test("the same grid copies bit for bit, NaN included and not spread", async () => {
  const image = randomFloats(35, 1);
  image[17] = Number.NaN;
  for (const method of methods)
    assertClose((await resample(volume(image, [5, 7]), { shape: [5, 7], method })).data, image, {});
});

test("area keeps the mean, linear and cubic keep a ramp inside", async () => {
  const image = randomFloats(12 * 18, 6);
  const small = await resample(volume(image, [12, 18]), { shape: [5, 7], method: "area" });
  const mean = (x: Float32Array) => x.reduce((a, b) => a + b, 0) / x.length;
  assert.ok(Math.abs(mean(small.data) - mean(image)) < 1e-6);
  const ramp = Float32Array.from({ length: 16 }, (_, k) => k);
  for (const method of ["linear", "cubic"] as const) {
    const { data } = await resample(volume(ramp, [1, 16]), { shape: [1, 40], method });
    for (let k = 6; k < 34; k++)
      assert.ok(Math.abs(data[k]! - ((k + 0.5) * 0.4 - 0.5)) < 1e-5, `${method} ${k}: ${data[k]}`);
  }
});

test("empty and wrong input", async () => {
  assert.equal((await resample(volume(new Float32Array(0), [0, 3, 3]), { shape: [2, 2] })).shape, [0, 2, 2]);
  const image = volume(new Float32Array(4), [2, 2]);
  await assertRejects(() => resample(volume(new Float32Array(0), [1, 0, 3]), { shape: [2, 2] }), "ERR_SINO_SHAPE");
  await assertRejects(() => resample(image, { shape: [0, 2] }), "ERR_SINO_SHAPE");
  await assertRejects(() => resample(image, {} as never), "ERR_SINO_SHAPE");
  await assertRejects(() => resample(image, { shape: [2, 2], method: "sinc" as "cubic" }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
