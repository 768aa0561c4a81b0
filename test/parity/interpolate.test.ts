/** Interpolation across the trace against a bin-by-bin reference, with and without a prior. */
import fc from "fast-check";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { interpolateMasked } from "../../lib/image/interpolate.ts";
import { interpolateOracle } from "../oracle/interpolate.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats, randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("interpolate parity");
const tolerance = { atol: 3e-7 }; // two roundings of values up to 2 (three in fully flagged views)

function randomTrace(
  views: number,
  bins: number,
  density: number,
  full: number,
  seed: number,
): Uint8Array<ArrayBuffer> {
  const next = randomSource(seed);
  const trace = new Uint8Array(views * bins);
  for (let v = 0; v < views; v++) {
    const isFull = next() < full;
    for (let k = 0; k < bins; k++) trace[v * bins + k] = isFull || next() < density ? 1 + Math.floor(next() * 255) : 0;
  }
  return trace;
}

async function check(slices: number, views: number, bins: number, trace: Uint8Array<ArrayBuffer>, seed: number) {
  const size = views * bins;
  const shape = [slices, views, bins];
  const sinograms = randomFloats(slices * size, seed);
  for (const prior of [undefined, randomFloats(slices * size, seed + 1)]) {
    const unread = sinograms.map((s, i) => (trace[i] ? Number.NaN : s)); // what stands inside the trace must not matter
    const found = await interpolateMasked(
      volume(unread, shape),
      volume(trace, shape),
      prior ? { prior: volume(prior, shape) } : {},
    );
    let fullViews = 0;
    for (let s = 0; s < slices; s++) {
      const part = <T extends Float32Array | Uint8Array>(x: T) => x.subarray(s * size, (s + 1) * size) as T;
      const expected = interpolateOracle(part(sinograms), part(trace), views, bins, prior && part(prior));
      fullViews += expected.fullViews;
      assertClose(part(found.sinograms.data), expected.result, tolerance, `slice ${s}${prior ? " with prior" : ""}`);
    }
    assert.is(found.fullViews, fullViews);
    const outside = new Uint8Array(unread.buffer);
    const bytes = new Uint8Array(found.sinograms.data.buffer);
    for (let i = 0; i < trace.length; i++)
      if (!trace[i])
        for (let b = 4 * i; b < 4 * i + 4; b++)
          if (bytes[b] !== outside[b]) throw new Error(`bin ${i} outside the trace changed`);
  }
}

for (const [slices, views, bins] of [
  [1, 1, 1],
  [1, 1, 2],
  [2, 7, 31],
  [3, 13, 5],
  [1, 101, 1],
] as const)
  for (const density of [0, 0.2, 0.7, 1])
    test(`${slices}×${views}×${bins}, ${density * 100} % flagged`, () =>
      check(slices, views, bins, randomTrace(slices * views, bins, density, 0.2, 5), 3));

test("any trace", async () => {
  const size = fc.integer({ min: 1, max: 12 });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  await fc.assert(
    fc.asyncProperty(size, size, size, share, share, fc.integer(), (slices, views, bins, density, full, seed) =>
      check(slices, views, bins, randomTrace(slices * views, bins, density, full, seed), seed),
    ),
    { numRuns: 100, seed: 2 },
  );
});

test("a straight line comes back straight, and a prior that is right is kept", async () => {
  const line = Float32Array.from({ length: 20 }, (_, k) => 3 - k / 4);
  const trace = Uint8Array.from({ length: 20 }, (_, k) => (k > 4 && k < 15 ? 1 : 0));
  const straight = await interpolateMasked(volume(line, [1, 20]), volume(trace, [1, 20]));
  assertClose(straight.sinograms.data, line, { atol: 1e-6 });
  const truth = randomFloats(20, 8);
  const damaged = truth.map((x, k) => (trace[k] ? 50 : x));
  const kept = await interpolateMasked(volume(damaged, [1, 20]), volume(trace, [1, 20]), {
    prior: volume(truth, [1, 20]),
  });
  assertClose(kept.sinograms.data, truth, { atol: 1e-6 });
});

test("empty and wrong input", async () => {
  const nothing = await interpolateMasked(volume(new Float32Array(0), [0, 3, 3]), volume(new Uint8Array(0), [0, 3, 3]));
  assert.is(nothing.fullViews, 0);
  const s = volume(new Float32Array(6), [2, 3]);
  await assertRejects(() => interpolateMasked(s, volume(new Uint8Array(6), [3, 2])), "ERR_SINO_SHAPE");
  await assertRejects(
    () => interpolateMasked(s, volume(new Uint8Array(6), [2, 3]), { prior: volume(new Float32Array(3), [1, 3]) }),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(() => interpolateMasked(volume(new Float32Array(6), [6]), s), "ERR_SINO_SHAPE");
  await assertRejects(() => interpolateMasked([1, 2] as never, s), "ERR_SINO_ARG_TYPE");
});

test.run();
