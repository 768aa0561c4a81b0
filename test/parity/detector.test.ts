/** Means of intensity, crosstalk and scatter against double-precision references: one bin, odd sizes, wide kernels, opaque rays. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { detectorResponse, meanIntensity } from "../../lib/physics/index.ts";
import { detectorResponseOracle, meanIntensityOracle } from "../oracle/detector.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("detector parity");

// p up to 20 in float32: half a step of its last place is 1e-6 at most
const rounding = { atol: 1e-7, rtol: 1.2e-7 };
const rays = (length: number, seed: number) => randomFloats(length, seed).map((x) => 10 + 10 * x);

for (const [inputs, lines, bins, parts] of [
  [1, 1, 1, 1],
  [1, 3, 7, 5],
  [3, 2, 11, 1],
  [9, 5, 13, 3],
] as const)
  test(`mean intensity of ${inputs} × ${parts} rays, ${lines} lines of ${bins} bins`, async () => {
    const arrays = Array.from({ length: inputs }, (_, i) =>
      volume(rays(lines * bins * parts, i + 1), [lines, bins * parts]),
    );
    const found = await meanIntensity(arrays, { parts });
    assert.equal([...found.shape], [lines, bins]);
    assertClose(
      found.data,
      meanIntensityOracle(
        arrays.map((a) => a.data),
        parts,
      ),
      rounding,
    );
  });

test("the mean of intensities lies below the mean of line integrals, and opaque rays stay finite", async () => {
  const array = volume(Float32Array.from([0, 4, 2000, 3000, 2000, 2]), [1, 6]);
  const { data } = await meanIntensity([array], { parts: 2 });
  assertClose(data, [-Math.log((1 + Math.exp(-4)) / 2), 2000 + Math.LN2, 2 + Math.LN2], rounding);
});

for (const [lines, bins, taps] of [
  [1, 1, 1],
  [2, 1, 5],
  [3, 17, 3],
  [37, 41, 121],
] as const)
  test(`response of ${lines} lines of ${bins} bins to a kernel of ${taps}`, async () => {
    const array = volume(rays(lines * bins, 3), [lines, bins]);
    const kernel = Array.from(randomFloats(taps, 5), (x) => 1 + x);
    const air = randomFloats(bins, 6);
    const found = await detectorResponse(array, { kernel, floor: 1e-4, air });
    const expected = Array.from({ length: lines }, (_, line) =>
      detectorResponseOracle(array.data.subarray(line * bins, (line + 1) * bins), kernel, 1e-4, air),
    ).flat();
    assertClose(found.data, expected, { atol: 5e-7, rtol: 1.2e-7 }); // p of either sign up to 10, air subtracted in double
  });

test("without kernel, floor and air line integrals come back; where nothing arrives the bin keeps its own", async () => {
  const array = volume(Float32Array.from([0, 1.5, -0.25, 20, 5000]), [5]);
  const { data } = await detectorResponse(array);
  assertClose(data, array.data, rounding);
});

test("wrong arguments are refused in words", async () => {
  const line = volume(new Float32Array(6), [6]);
  await assertRejects(() => meanIntensity([], {}), "ERR_SINO_SHAPE");
  await assertRejects(() => meanIntensity([line], { parts: 4 }), "ERR_SINO_SHAPE");
  await assertRejects(() => meanIntensity([line, volume(new Float32Array(5), [5])]), "ERR_SINO_SHAPE");
  await assertRejects(() => detectorResponse(line, { kernel: [1, 1] }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => detectorResponse(line, { kernel: [-1] }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => detectorResponse(line, { floor: Number.NaN }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
