/** Per-pixel operations and statistics against one-line references; HU there and back. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { toAttenuation, toHounsfield } from "../../lib/image/hounsfield.ts";
import { clip, combine, countNonFinite, requireFinite, select, statistics, threshold } from "../../lib/image/pixels.ts";
import { combineOracle, statisticsOracle } from "../oracle/pixels.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("pixels parity");
const specials = [Number.NaN, Infinity, -Infinity, 0, -0, 0.25, 3e38];

function withSpecials(length: number, seed: number): Float32Array<ArrayBuffer> {
  const x = randomFloats(length, seed);
  specials.forEach((special, k) => {
    if (length > 10) x[(k * 7919) % length] = special;
  });
  return x;
}

for (const shape of [[1], [513], [3, 7, 11], [2, 257, 263]])
  test(`shape ${shape.join("×")}`, async () => {
    const length = shape.reduce((a, b) => a * b);
    const [x, y, z] = [1, 2, 3].map((seed) => withSpecials(length, seed)) as [
      Float32Array<ArrayBuffer>,
      Float32Array<ArrayBuffer>,
      Float32Array<ArrayBuffer>,
    ];
    const image = volume(x, shape);
    for (const value of [0.25, -Infinity, 0]) {
      assertClose(
        (await threshold(image, value)).data,
        Uint8Array.from(x, (v) => (v >= value ? 1 : 0)),
        {},
        "above",
      );
      assertClose(
        (await threshold(image, value, { above: false })).data,
        Uint8Array.from(x, (v) => (v < value ? 1 : 0)),
        {},
        "below",
      );
    }
    const mask = Uint8Array.from(y, (v) => (v > 0 ? 200 : 0));
    const m = volume(mask, shape);
    assertClose(
      (await select(m, image, volume(z, shape))).data,
      x.map((v, i) => (mask[i] ? v : z[i]!)),
      {},
      "select",
    );
    assertClose(
      (await select(m, 0.5, image)).data,
      x.map((v, i) => (mask[i] ? 0.5 : v)),
      {},
      "select number",
    );
    assertClose(
      (await select(image, image, -3)).data,
      x.map((v) => (v !== 0 ? v : -3)),
      {},
      "float mask",
    );
    assertClose(
      (await select(m, 2, 1)).data,
      x.map((_, i) => (mask[i] ? 2 : 1)),
      {},
      "select numbers",
    );
    const terms = [
      [1, x],
      [0.3, y],
      [-1.7, z],
    ] as const;
    const volumes = terms.map(([w, data]) => [w, volume(data, shape)] as const);
    for (const options of [{}, { offset: 0.125, low: -0.5, high: 0.75 }])
      assertClose((await combine(volumes, options)).data, combineOracle(terms, options), {}, "combine");
    assertClose((await clip(image, -0.5, 0.5)).data, combineOracle([[1, x]], { low: -0.5, high: 0.5 }), {}, "clip");
    const { mean, ...found } = await statistics(image);
    const expected = statisticsOracle(x);
    assert.is(found.nonFinite, expected.nonFinite);
    assert.is(found.minimum, expected.minimum);
    assert.is(found.maximum, expected.maximum);
    assert.ok(Math.abs(found.sum - expected.sum) <= 1e-12 * 3e38, `sum ${found.sum}, ${expected.sum}`);
    assert.ok(Math.abs(mean - expected.sum / (length - expected.nonFinite)) <= 1e-12 * 3e38);
  });

test("sums are double and do not depend on how the work was shared", async () => {
  const length = 300_007;
  const ones = volume(new Float32Array(length).fill(16777216.1), [length]);
  assert.is((await statistics(ones)).sum, length * Math.fround(16777216.1));
  const random = volume(randomFloats(length, 4), [length]);
  const first = (await statistics(random)).sum;
  for (let k = 0; k < 5; k++) assert.is((await statistics(random)).sum, first);
});

test("HU there and back", async () => {
  const muWater = 0.0192;
  const mu = Float32Array.of(0, 0.0192, 0.0384, -0.001, 0.5);
  const hu = await toHounsfield(volume(mu, [5]), muWater);
  assertClose(
    hu.data,
    mu.map((m) => (1000 * (m - muWater)) / muWater),
    { rtol: 1e-7, atol: 1e-9 },
  );
  assertClose((await toAttenuation(hu, muWater)).data, mu, { atol: 3e-9, rtol: 1e-7 });
  assert.is((await toAttenuation(hu, muWater, { clipAir: true })).data[3], 0);
  assert.ok(hu.data[4]! > 25000); // nothing is clipped at 3071
  for (const wrong of [0, -1, Number.NaN, Infinity])
    await assertRejects(() => toHounsfield(hu, wrong), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => toAttenuation(hu, undefined as never), "ERR_SINO_ARG_TYPE");
});

test("NaN and infinity are counted and refused in words", async () => {
  const x = volume(Float32Array.of(1, Number.NaN, Infinity, 2), [2, 2]);
  assert.is(await countNonFinite(x), 2);
  const error = await assertRejects(() => requireFinite(x, "sinogram"), "ERR_SINO_OUT_OF_RANGE");
  assert.match(error.message, "Expected finite numbers in sinogram but 2 of 4");
  await requireFinite(volume(Float32Array.of(1), [1]), "x");
});

test("empty and wrong input", async () => {
  const empty = volume(new Float32Array(0), [0, 4]);
  assert.is((await threshold(empty, 1)).data.length, 0);
  assert.is((await combine([[1, empty]])).data.length, 0);
  assert.is((await statistics(empty)).sum, 0);
  assert.ok(Number.isNaN((await statistics(empty)).minimum));
  const x = volume(new Float32Array(4), [2, 2]);
  await assertRejects(() => threshold(x, Number.NaN), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => threshold(x, "1" as never), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => threshold([1, 2] as never, 1), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => combine([]), "ERR_SINO_ARG_TYPE");
  await assertRejects(
    () =>
      combine([
        [1, x],
        [1, volume(new Float32Array(4), [4])],
      ]),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(() => combine([[Number.NaN, x]]), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => clip(x, 2, 1), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => select(x, volume(new Float32Array(3), [3]), 0), "ERR_SINO_SHAPE");
});

test.run();
