/** PSNR, SSIM and the field's protocol against references written out window by window. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { writeNpy } from "../../lib/data/npy.ts";
import { evaluate, psnr, rmse, ssim } from "../../lib/metrics/index.ts";
import { decimateOracle, mseOracle, ssimOracle, synDeepLesionOracle } from "../oracle/metrics.ts";
import { assertClose } from "../support/assert-close.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("metrics parity");

/** A smooth picture and the same with noise, values 0 to about `scale`. */
function pictures(slices: number, rows: number, columns: number, scale: number, seed: number) {
  const random = randomSource(seed);
  const size = slices * rows * columns;
  const b = Float32Array.from({ length: size }, (_, i) => {
    const [row, column] = [Math.floor(i / columns) % rows, i % columns];
    return scale * (0.5 + 0.4 * Math.sin(row / 7) * Math.cos(column / 5 + Math.floor(i / (rows * columns))));
  });
  const a = b.map((value) => value + scale * 0.1 * (random() - 0.5));
  const shape = slices === 1 ? [rows, columns] : [slices, rows, columns];
  return { a: { data: a, shape }, b: { data: b, shape } };
}

for (const [slices, rows, columns] of [
  [1, 11, 11],
  [2, 12, 17],
  [3, 41, 29],
  [1, 64, 11],
] as const)
  test(`${slices} slices of ${rows} × ${columns}: SSIM, PSNR, RMSE`, async () => {
    const { a, b } = pictures(slices, rows, columns, 3, 5);
    const image = (data: Float32Array, s: number) => ({
      data: data.subarray(s * rows * columns, (s + 1) * rows * columns),
      rows,
      columns,
    });
    const each = Array.from({ length: slices }, (_, s) => [image(a.data, s), image(b.data, s)] as const);
    // double on both sides; the sums run in another order
    assertClose(
      await ssim(a, b, { range: 3 }),
      each.map(([x, y]) => ssimOracle(x, y, 3)),
      { atol: 1e-11 },
    );
    const mse = each.map(([x, y]) => mseOracle(x, y));
    assertClose(await rmse(a, b), mse.map(Math.sqrt), { rtol: 1e-12 });
    assertClose(
      await psnr(a, b, { range: 3 }),
      mse.map((m) => 10 * Math.log10(9 / m)),
      { rtol: 1e-12 },
    );
  });

for (const [rows, columns] of [
  [7, 7],
  [20, 33],
] as const)
  test(`SSIM with uniform windows, ${rows} × ${columns}`, async () => {
    const { a, b } = pictures(1, rows, columns, 2, 8);
    const expected = ssimOracle({ data: a.data, rows, columns }, { data: b.data, rows, columns }, 2, true);
    assertClose(await ssim(a, b, { range: 2, window: "uniform" }), [expected], { atol: 1e-11 });
  });

test("SSIM of a large offset on a small signal keeps its digits", async () => {
  const { a, b } = pictures(1, 30, 30, 1, 9);
  const lift = (x: Float32Array) => x.map((value) => value + 1000);
  const up = { a: { data: lift(a.data), shape: a.shape }, b: { data: lift(b.data), shape: b.shape } };
  const expected = ssimOracle(
    { data: up.a.data, rows: 30, columns: 30 },
    { data: up.b.data, rows: 30, columns: 30 },
    1,
  );
  assertClose(await ssim(up.a, up.b, { range: 1 }), [expected], { atol: 1e-7 });
});

for (const [rows, columns] of [
  [391, 421],
  [20, 33],
] as const)
  test(`protocol syndeeplesion on ${rows} × ${columns}: 8 bits, metal black and counted, down-sampled SSIM`, async () => {
    const { a, b } = pictures(1, rows, columns, 0.06, 21);
    const random = randomSource(2);
    const mask = Uint8Array.from({ length: rows * columns }, () => (random() < 0.03 ? 200 : 0));
    const found = await evaluate(a, b, { protocol: "syndeeplesion", mask: { data: mask, shape: [rows, columns] } });
    const image = (data: Float32Array) => ({ data: synDeepLesionOracle(data, mask), rows, columns });
    const [x, y] = [image(a.data), image(b.data)];
    const factor = rows > 300 ? 2 : 1;
    assert.ok(Math.abs(found.psnr - 10 * Math.log10(1 / mseOracle(x, y))) < 1e-4, `PSNR ${found.psnr}`);
    const expected = ssimOracle(decimateOracle(x, factor), decimateOracle(y, factor), 1);
    assert.ok(Math.abs(found.ssim - expected) < 1e-6, `SSIM ${found.ssim}, expected ${expected}`);
    const [p, q] = [a.data, b.data].map((data) => ({ data, rows, columns })) as [never, never];
    const inHu = (1000 / 0.0192) * Math.sqrt(mseOracle(p, q, mask));
    assert.ok(Math.abs(found.rmseHu / inHu - 1) < 1e-9);
  });

const script = `
import json, sys, numpy
from skimage.metrics import structural_similarity
a, b = (numpy.load(path).astype(float) for path in sys.argv[1:3])
print(json.dumps(structural_similarity(a, b, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)))`;

test.skipUnless(pythonHas("skimage"), "scikit-image is not installed")("SSIM equals scikit-image's", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sinogram-metrics-"));
  try {
    const { a, b } = pictures(1, 60, 47, 1, 3);
    const paths = [join(folder, "a.npy"), join(folder, "b.npy")] as const;
    await writeNpy(paths[0], a);
    await writeNpy(paths[1], b);
    assertClose(await ssim(a, b, { range: 1 }), [pythonJson(script, ...paths) as number], { atol: 1e-9 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
