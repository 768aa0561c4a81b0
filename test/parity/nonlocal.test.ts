/** Non-local means, the bilateral filter and the noise level against their definitions. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { bilateral, noiseLevel, nonLocalMeans } from "../../lib/image/denoise.ts";
import { noiseOracle, nonLocalOracle } from "../oracle/denoise.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { randomFloats, randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("nonlocal parity");

/** A step with noise, which patches can tell apart. */
function noisyStep(slices: number, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const noise = randomFloats(slices * rows * columns, 7);
  return noise.map((n, i) => ((i % columns) * 2 < columns ? 0 : 1) + 0.1 * n);
}

for (const [slices, rows, columns] of [
  [1, 1, 1],
  [1, 1, 19],
  [1, 23, 2],
  [2, 35, 17],
  [1, 70, 33],
] as const)
  for (const given of [
    { patch: 0, search: 1, strength: 1 },
    { patch: 1, search: 3, strength: 0.8 },
    { patch: 2, search: 4, strength: 1.2, patchSigma: 0.9 },
    { patch: 3, search: 0, strength: 1 },
  ])
    test(`${slices}×${rows}×${columns}, patch ${given.patch}, search ${given.search}`, async () => {
      const image = noisyStep(slices, rows, columns);
      const sigma = Array.from({ length: slices }, (_, s) => 0.05 + 0.03 * s);
      const { data } = await nonLocalMeans(volume(image, [slices, rows, columns]), { ...given, sigma });
      for (let s = 0; s < slices; s++) {
        const part = { data: image.subarray(s * rows * columns, (s + 1) * rows * columns), rows, columns };
        const expected = nonLocalOracle(part, { ...given, sigma: sigma[s]!, h: given.strength * sigma[s]! });
        // float32 sums of distances up to 1 over h² of 0.0025: weights to 1e-4 of themselves
        assertClose(data.subarray(s * rows * columns, (s + 1) * rows * columns), expected, { atol: 2e-5 });
      }
    });

/** Whole numbers, a disc with noise, so that both programs read the same numbers from text. */
function noisyDiscs(size: number): Float32Array<ArrayBuffer> {
  const noise = randomFloats(4 * size * size, 11);
  return Float32Array.from({ length: size * size }, (_, i) => {
    const distance = Math.hypot((i % size) - 20, Math.floor(i / size) - 25);
    const normal = noise[4 * i]! + noise[4 * i + 1]! + noise[4 * i + 2]! + noise[4 * i + 3]!;
    return Math.round((distance < 12 ? 200 : 80) + 9 * normal);
  });
}

// scikit-image's fast mode, an integral image, sums 2·⌊patch_size/2⌋ pixels a side and divides by patch_size²: smaller patches and a larger
// h than it is asked for. Its other mode has Gaussian weights of (patch_size − 1)/4.
test.skipUnless(pythonHas("skimage"), "scikit-image is not installed")(
  "scikit-image's exact mode is the same sum",
  async () => {
    const size = 48;
    const image = noisyDiscs(size);
    for (const patch of [1, 2, 3]) {
      const { data } = await nonLocalMeans(volume(image, [size, size]), {
        patch,
        search: 5,
        sigma: 10,
        strength: 0.9,
        patchSigma: patch / 2,
      });
      const script = `
import json, sys, numpy as np
from skimage.restoration import denoise_nl_means
image = np.array(json.loads(sys.argv[1]), np.float64).reshape(${size}, ${size})
print(json.dumps(denoise_nl_means(image, ${2 * patch + 1}, 5, 9, fast_mode=False, sigma=10, preserve_range=True).ravel().tolist()))`;
      const expected = pythonJson(script, JSON.stringify([...image])) as number[];
      // it takes exp from a table of powers of two: weights to some percent, which moves means by some percent of σ = 10
      const apart = Math.sqrt(data.reduce((sum, v, i) => sum + (v - expected[i]!) ** 2, 0) / data.length);
      assert.ok(apart < 0.3, `${patch}: ${apart}`);
    }
  },
);

test("bilateral is its sum", async () => {
  const image = noisyStep(1, 21, 40);
  const { data } = await bilateral(volume(image, [21, 40]), { sigma: 0.1, spread: 1.2, strength: 3, search: 5 });
  const part = { data: image, rows: 21, columns: 40 };
  const expected = nonLocalOracle(part, { patch: 0, search: 5, spread: 1.2, sigma: 0, h: 0.3 * Math.SQRT2 });
  assertClose(data, expected, { atol: 1e-6 });
});

test("equal values and no noise change nothing", async () => {
  const flat = volume(new Float32Array(400).fill(-1000), [20, 20]);
  for (const filter of [nonLocalMeans, bilateral]) assertClose((await filter(flat)).data, flat.data, { rtol: 1e-6 });
});

test("the noise level is that of the noise, whatever it lies on", async () => {
  const next = randomSource(9);
  const normal = () => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
  const image = Float32Array.from({ length: 3 * 128 * 128 }, (_, i) => {
    const y = Math.floor(i / 128) % 128;
    if (y < 20) return -1000;
    return 3 * y - 2 * (i % 128) + (i % 128 > 60 ? 200 : 0) + 12 * (1 + Math.floor(i / 16384)) * normal();
  });
  const levels = await noiseLevel(volume(image, [3, 128, 128]));
  levels.forEach((sigma, s) => {
    assert.ok(Math.abs(sigma / (12 * (s + 1)) - 1) < 0.05, `${sigma}`);
    const part = { data: image.subarray(s * 16384, (s + 1) * 16384), rows: 128, columns: 128 };
    assert.ok(Math.abs(sigma / noiseOracle(part) - 1) < 1e-6);
  });
  assert.ok(Number.isNaN((await noiseLevel(volume(new Float32Array(81).fill(3), [9, 9])))[0]));
  assert.ok(Number.isNaN((await noiseLevel(volume(new Float32Array(2), [1, 2])))[0]));
});

test("what is refused", async () => {
  const image = volume(new Float32Array(16), [4, 4]);
  await assertRejects(() => nonLocalMeans(image, { sigma: -1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => nonLocalMeans(image, { sigma: [1, 2] }), "ERR_SINO_SHAPE");
  await assertRejects(() => nonLocalMeans(image, { patch: 1.5 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => nonLocalMeans(image, { strength: 0 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => bilateral(image, { spread: 0 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => bilateral(volume(new Float32Array(4), [4])), "ERR_SINO_SHAPE");
});

test.run();
