/** What evaluation does at its edges: equal images, masks of every kind, units, NaN, sizes that cannot be. */
import * as assert from "uvu/assert";
import { evaluate, psnr, rmse, ssim } from "../../lib/metrics/index.ts";
import { assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("metrics");

const image = (value: (i: number) => number, shape: number[]) => ({
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => value(i)),
  shape,
});
const shape = [20, 24];
const reference = image((i) => 0.02 + 0.0001 * (i % 24), shape);

test("equal images: infinite PSNR, SSIM 1, no error", async () => {
  const found = await evaluate(reference, reference);
  assert.is(found.psnr, Number.POSITIVE_INFINITY);
  assert.ok(Math.abs(found.ssim - 1) < 1e-12);
  assert.equal([found.rmse, found.mae, found.bias, found.maxError, found.rmseHu], [0, 0, 0, 0, 0]);
  assert.is(found.protocol, "window");
});

test("a constant error, in attenuation and in HU", async () => {
  const off = image((i) => reference.data[i]! + 0.00192, shape);
  const found = await evaluate(off, reference, { window: [0, 0.05] });
  assert.ok(
    Math.abs(found.rmseHu - 100) < 1e-3 && Math.abs(found.biasHu - 100) < 1e-3 && Math.abs(found.maeHu - 100) < 1e-3,
  );
  assert.ok(Math.abs(found.psnr - 20 * Math.log10(0.05 / 0.00192)) < 1e-4);
  const hu = (x: { data: Float32Array }) => ({ data: x.data.map((mu) => 1000 * (mu / 0.0192 - 1)), shape });
  const inHu = await evaluate(hu(off), hu(reference), { unit: "hu", protocol: "syndeeplesion" });
  const inMu = await evaluate(off, reference, { protocol: "syndeeplesion" });
  assert.ok(Math.abs(inHu.rmseHu - 100) < 1e-2 && Math.abs(inHu.psnr - inMu.psnr) < 0.05);
  assert.ok(Math.abs(inHu.window[0] + 1000) < 1e-9 && Math.abs(inHu.window[1] - 1604.1667) < 1e-3);
});

test("masked pixels do not count, whatever they hold, for any mask type; the protocol counts them as equal", async () => {
  const mask = new Uint8Array(480);
  mask[37] = 255;
  const wrong = { data: reference.data.slice(), shape };
  wrong.data[37] = Number.NaN;
  wrong.data[100]! += 0.001;
  const masks = [
    mask,
    Float32Array.from(mask),
    Int16Array.from(mask, (v) => v && 256),
    Float32Array.from(mask, (v) => v && 0.5),
  ];
  for (const data of masks) {
    const found = await evaluate(wrong, reference, { mask: { data, shape }, window: [0, 0.05] });
    const squared = (wrong.data[100]! - reference.data[100]!) ** 2;
    assert.ok(Math.abs(found.rmse / Math.sqrt(squared / 479) - 1) < 1e-9);
    assert.ok(Math.abs(found.psnr - 10 * Math.log10((0.05 ** 2 * 479) / squared)) < 1e-2);
  }
  const counted = await evaluate(wrong, reference, { mask: { data: mask, shape }, protocol: "syndeeplesion" });
  const excluded = await evaluate(wrong, reference, { mask: { data: mask, shape }, window: [0, 0.05] });
  assert.ok(Math.abs(counted.psnr - excluded.psnr) < 0.5);
});

test("one mask serves all slices, or each has its own; figures are means over slices", async () => {
  const batch = [3, 20, 24];
  const b = image((i) => reference.data[i % 480]!, batch);
  const a = image((i) => reference.data[i % 480]! + 0.001 * Math.floor(i / 480), batch);
  const shared = { data: Uint8Array.from({ length: 480 }, (_, i) => (i < 24 ? 1 : 0)), shape };
  const found = await evaluate(a, b, { mask: shared });
  assert.is(found.slices.length, 3);
  assert.is(found.slices[0]!.rmse, 0);
  assert.ok(Math.abs(found.rmse - 0.001) < 1e-8);
  const own = { data: Uint8Array.from({ length: 1440 }, (_, i) => (i >= 960 && i < 1400 ? 1 : 0)), shape: batch };
  assert.ok(Math.abs((await rmse(a, b, { mask: own }))[2]! - 0.002) < 1e-8);
});

test("sizes and values that cannot be compared are refused", async () => {
  const small = image((i) => i, [10, 30]);
  await assertRejects(() => ssim(small, small), "ERR_SINO_SHAPE");
  assert.is((await psnr(small, small))[0], Number.POSITIVE_INFINITY);
  await assertRejects(() => evaluate(reference, small), "ERR_SINO_SHAPE");
  await assertRejects(
    () =>
      rmse(
        image(() => 0, [0, 5]),
        image(() => 0, [0, 5]),
      ),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(
    () =>
      psnr(
        reference,
        image(() => 3, shape),
      ),
    "ERR_SINO_OUT_OF_RANGE",
  );
  const holed = { data: reference.data.slice(), shape };
  holed.data[5] = Number.NaN;
  assert.match((await assertRejects(() => evaluate(holed, reference), "ERR_SINO_OUT_OF_RANGE")).message, /NaN/);
  await assertRejects(() => ssim(holed, reference), "ERR_SINO_OUT_OF_RANGE");
  const full = { data: new Uint8Array(480).fill(1), shape };
  await assertRejects(() => evaluate(reference, reference, { mask: full }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(
    () => evaluate(reference, reference, { mask: { data: new Uint8Array(480), shape: [24, 20] } }),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(() => evaluate(reference, reference, { protocol: "mine" as never }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(
    () => evaluate(reference, reference, { protocol: "syndeeplesion", window: [0, 1] }),
    "ERR_SINO_OUT_OF_RANGE",
  );
  await assertRejects(() => evaluate(reference, reference, { window: [1, 0] }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => psnr(reference, reference, { range: 0 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
