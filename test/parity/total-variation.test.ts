/** Total variation: the minimum of its energy, by the gap between primal and dual, and by scikit-image's where it is installed. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { totalVariation } from "../../lib/image/denoise.ts";
import { variationEnergy } from "../oracle/denoise.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { randomFloats, randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("total variation parity");

const step = (rows: number, columns: number, seed: number) =>
  randomFloats(rows * columns, seed).map((n, i) => 0.3 * n + ((i % columns) * 2 < columns ? 0 : 1));

for (const [slices, rows, columns] of [
  [1, 1, 1],
  [1, 1, 19],
  [1, 23, 1],
  [2, 17, 35],
  [1, 70, 33],
] as const)
  test(`${slices}×${rows}×${columns}: nothing near has less energy`, async () => {
    const weight = [0.2, 0.05];
    const size = rows * columns;
    const image = step(slices * rows, columns, 3);
    const sigma = weight.slice(0, slices);
    const { data } = await totalVariation(volume(image, [slices, rows, columns]), { sigma, iterations: 2000 });
    const next = randomSource(4);
    for (let s = 0; s < slices; s++) {
      const slice = { data: image.subarray(s * size, (s + 1) * size), rows, columns };
      const found = data.subarray(s * size, (s + 1) * size);
      const least = variationEnergy(found, slice, sigma[s]!);
      for (let k = 0; k < 60; k++) {
        const centre = [next() * rows, next() * columns, next() * 8] as const;
        const change = (next() - 0.5) * 0.02;
        const other = found.map((v, p) =>
          Math.hypot(Math.floor(p / columns) - centre[0], (p % columns) - centre[1]) <= centre[2] ? v + change : v,
        );
        // float32 leaves 1e-6 of the energy
        assert.ok(variationEnergy(other, slice, sigma[s]!) >= least * (1 - 1e-6), `${centre}: ${change}`);
      }
    }
  });

test("two pixels in closed form, and bounds", async () => {
  const pair = volume(Float32Array.of(0, 1), [1, 2]);
  assertClose((await totalVariation(pair, { sigma: 0.2, iterations: 500 })).data, [0.2, 0.8], { atol: 1e-6 });
  assertClose((await totalVariation(pair, { sigma: 0.7, iterations: 500 })).data, [0.5, 0.5], { atol: 1e-6 });
  assertClose((await totalVariation(pair, { sigma: 0 })).data, [0, 1], {});
  const bounded = await totalVariation(pair, { sigma: 0.2, iterations: 500, low: 0.3, high: 0.6 });
  assertClose(bounded.data, [0.3, 0.6], { atol: 1e-6 });
});

test("100 steps are enough", async () => {
  const image = step(64, 64, 8);
  const energy = async (iterations: number) => {
    const { data } = await totalVariation(volume(image, [64, 64]), { sigma: 0.2, iterations });
    return variationEnergy(data, { data: image, rows: 64, columns: 64 }, 0.2);
  };
  assert.ok((await energy(100)) < 1.002 * (await energy(3000)));
});

test("what is refused", async () => {
  const image = volume(new Float32Array(16), [4, 4]);
  await assertRejects(() => totalVariation(image, { strength: -1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => totalVariation(image, { iterations: 0 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => totalVariation(image, { low: 1, high: 0 }), "ERR_SINO_OUT_OF_RANGE");
});

test.skipUnless(pythonHas("skimage"), "scikit-image is not installed")("as scikit-image has it", async () => {
  const image = step(40, 30, 5);
  const script = `
import json, sys, numpy as np
from skimage.restoration import denoise_tv_chambolle
image = np.array(json.loads(sys.argv[1]), np.float64).reshape(40, 30)
print(json.dumps(denoise_tv_chambolle(image, weight=0.2, eps=1e-9, max_num_iter=5000).ravel().tolist()))`;
  const theirs = pythonJson(script, JSON.stringify([...image])) as number[];
  const { data } = await totalVariation(volume(image, [40, 30]), { sigma: 0.2, iterations: 3000 });
  // both within their last steps of one minimum
  assertClose(data, theirs, { atol: 2e-3 });
});

test.run();
