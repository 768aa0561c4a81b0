/** Stored integers to HU and back against a bit-by-bit reference. */
import fc from "fast-check";
import * as assert from "uvu/assert";
import { rescaleSlices, type StoredPixels, storeSlices } from "../../lib/native/ops.ts";
import { rescaleOracle, storeOracle } from "../oracle/rescale.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("rescale parity");

const types = { Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array };
const slopes = Float64Array.of(1, -2, 0.7, 1e-3);
const intercepts = Float64Array.of(-1024, 0, 0.1, 1e6);

for (const [name, Type] of Object.entries(types))
  for (const pixels of [1, 67, 70001])
    test(`${name}, 4 slices of ${pixels} pixels`, async () => {
      const width = Type.BYTES_PER_ELEMENT * 8;
      const next = randomSource(3);
      const stored: StoredPixels = new Type(4 * pixels).map(() => (next() - 0.5) * 2 ** 33);
      for (const bitsStored of pixels > 1000 ? [12, undefined] : [1, 7, 8, 12, 16, 31, 32, undefined]) {
        const bits = bitsStored ?? width;
        if (bits > width) continue;
        const values = await rescaleSlices(stored, slopes, intercepts, { bitsStored });
        const isSigned = name.startsWith("Int");
        const expected = Float32Array.from(stored, (v, i) => {
          const slice = Math.floor(i / pixels);
          return rescaleOracle(v, width, isSigned, bits, slopes[slice]!, intercepts[slice]!);
        });
        assertClose(values, expected, {}, `${bits} bits`);
      }
    });

for (const Type of [Int16Array, Uint16Array])
  test(`${Type.name}, too large for caches: as each slice alone`, async () => {
    const pixels = 262151; // the second slice begins where vectors are not aligned
    const stored = new Type(4 * pixels).map((_, i) => i * 7919);
    for (const bitsStored of [12, 16]) {
      const values = await rescaleSlices(stored, slopes, intercepts, { bitsStored });
      for (let s = 0; s < 4; s++) {
        const [from, to] = [s * pixels, (s + 1) * pixels];
        const alone = await rescaleSlices(
          stored.slice(from, to),
          slopes.subarray(s, s + 1),
          intercepts.subarray(s, s + 1),
          {
            bitsStored,
          },
        );
        assert.ok(Buffer.from(alone.buffer).equals(Buffer.from(values.slice(from, to).buffer)), `slice ${s}`);
      }
    }
  });

for (const signed of [true, false])
  for (const bitsStored of [1, 8, 12, 16])
    test(`storing ${bitsStored} bits, ${signed ? "signed" : "unsigned"}`, async () => {
      const pixels = 70001;
      const next = randomSource(4);
      const hu = Float32Array.from({ length: 4 * pixels }, () => Math.round((next() - 0.5) * 20000) / 4);
      for (const [i, special] of [Number.NaN, Infinity, -Infinity, 0.5, 1.5, 2.5, -0.5].entries()) hu[i * 3] = special;
      const { stored, clipped } = await storeSlices(hu, slopes, intercepts, { signed, bitsStored });
      let expectedClipped = 0;
      const expected = stored.map((_, i) => {
        const slice = Math.floor(i / pixels);
        const one = storeOracle(hu[i]!, signed, bitsStored, slopes[slice]!, intercepts[slice]!);
        if (one.clipped) expectedClipped++;
        return one.stored;
      });
      assert.instance(stored, signed ? Int16Array : Uint16Array);
      assertClose(stored, expected, {});
      assert.is(clipped, expectedClipped);
    });

test("what is stored comes back: every 16-bit value, any slope and intercept", async () => {
  const all = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
  const slope = fc.oneof(fc.constantFrom(1, -1, 0.5), fc.double({ min: 0.01, max: 3, noNaN: true }));
  await fc.assert(
    fc.asyncProperty(slope, fc.integer({ min: -2000, max: 2000 }), async (s, t) => {
      const hu = await rescaleSlices(all, Float64Array.of(s), Float64Array.of(t));
      const back = await storeSlices(hu, Float64Array.of(s), Float64Array.of(t), { signed: true, bitsStored: 16 });
      assertClose(back.stored, all, {}, `slope ${s}, intercept ${t}`);
      assert.is(back.clipped, 0);
    }),
    { numRuns: 15, seed: 1 },
  );
});

test("empty and wrong input", async () => {
  const one = Float64Array.of(1);
  const none = new Float64Array(0);
  assert.is((await rescaleSlices(new Int16Array(0), none, none)).length, 0);
  assert.is((await rescaleSlices(new Int16Array(0), one, one)).length, 0);
  const stored = new Int16Array(4);
  await assertRejects(() => rescaleSlices(stored, new Float64Array(3), new Float64Array(3)), "ERR_SINO_SHAPE");
  await assertRejects(() => rescaleSlices(stored, one, none), "ERR_SINO_SHAPE");
  await assertRejects(() => rescaleSlices([1] as never, one, one), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => rescaleSlices(new Float32Array(4) as never, one, one), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => rescaleSlices(stored, one, one, { bitsStored: 17 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => rescaleSlices(stored, Float64Array.of(Number.NaN), one), "ERR_SINO_OUT_OF_RANGE");
  const hu = new Float32Array(4);
  const format = { signed: true, bitsStored: 16 };
  await assertRejects(() => storeSlices(hu, Float64Array.of(0), one, format), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => storeSlices(hu, one, one, { signed: true, bitsStored: 0 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
