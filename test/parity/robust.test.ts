/** Medians, fits and bounds against plain loops: ranks at the ends, outliers, empty selections, groups of metal. */
import * as assert from "uvu/assert";
import { runJob } from "../../lib/native/job.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("robust parity");

for (const count of [0, 1, 2, 7, 1000])
  test(`quantiles of ${count} values`, async () => {
    const random = randomSource(count + 1);
    const input = Float32Array.from({ length: count }, (_, i) => (i % 90 === 80 ? Number.NaN : random() * 2 - 1));
    const where = Uint8Array.from({ length: count }, () => (random() < 0.7 ? 1 : 0));
    const chosen = Array.from(input).filter((x, i) => where[i] && Number.isFinite(x));
    for (const magnitudes of [false, true]) {
      const sorted = chosen.map((x) => (magnitudes ? Math.abs(x) : x)).sort((a, b) => a - b);
      const ranks = Float64Array.of(0, 0.5, 0.95, 1);
      const result = new Float64Array(6);
      await runJob("quantiles", { device: "auto", count, input, where, ranks, magnitudes, result });
      for (const [k, q] of ranks.entries())
        assert.ok(Object.is(result[k], sorted.length ? sorted[Math.floor(q * (sorted.length - 1))] : Number.NaN));
      assert.is(result[4], sorted.length);
      const squares = sorted.reduce((sum, x) => sum + x * x, 0);
      assert.ok(Math.abs(result[5]! - (sorted.length ? Math.sqrt(squares / sorted.length) : 0)) < 1e-12);
    }
  });

test("a fifth of wild values moves neither line nor parabola", async () => {
  const random = randomSource(3);
  const count = 2000;
  const x = Float32Array.from({ length: count }, () => random() * 6);
  const y = x.map((v, i) => 0.2 * v - 0.03 * v * v + (random() - 0.5) * 0.02 + (i % 5 === 0 ? 3 * random() : 0));
  const where = new Uint8Array(count).fill(1);
  const result = new Float64Array(4);
  await runJob("fitPowers", { device: "auto", count, x, y, where, order: 2, rounds: 20, result });
  assert.ok(Math.abs(result[0]! - 0.2) < 0.004 && Math.abs(result[1]! + 0.03) < 0.001, `${result}`);
  assert.ok(result[2]! < 0.02);
  assert.is(result[3], count);
  const line = new Float64Array(3);
  const straight = x.map((v, i) => 1.5 * v + (i % 5 === 0 ? 20 * random() : 0));
  await runJob("fitPowers", { device: "auto", count, x, y: straight, where, order: 1, rounds: 20, result: line });
  assert.ok(Math.abs(line[0]! - 1.5) < 0.002, `${line}`);
  await runJob("fitPowers", { device: "auto", count, x, y, where: where.fill(0), order: 2, rounds: 3, result });
  assert.is(result[0], 0);
  assert.ok(Number.isNaN(result[2]!) && result[3] === 0);
});

test("weights decide between two lines", async () => {
  const x = Float32Array.of(1, 2, 3, 1, 2, 3);
  const y = Float32Array.of(1, 2, 3, 2, 4, 6);
  const weights = Float32Array.of(1, 1, 1, 0, 0, 0);
  const result = new Float64Array(3);
  const where = new Uint8Array(6).fill(1);
  await runJob("fitPowers", { device: "auto", count: 6, x, y, weights, where, order: 1, rounds: 1, result });
  assert.is(result[0], 1);
});

test("mean gradient and bounds", async () => {
  const [rows, columns] = [7, 9];
  const input = Float32Array.from(
    { length: rows * columns },
    (_, i) => 3 * (i % columns) + 4 * Math.floor(i / columns),
  );
  const where = new Uint8Array(rows * columns);
  where[2 * columns + 3] = where[4 * columns + 7] = where[0] = 1;
  const result = new Float64Array(2);
  await runJob("meanGradient", { device: "auto", rows, columns, input, where, result });
  assert.is(result[0], 5);
  assert.is(result[1], 2, "the border has no gradient");
  assert.equal(await runJob("bounds", { device: "auto", rows, columns, mask: where }), {
    top: 0,
    bottom: 4,
    left: 0,
    right: 7,
    pixels: 3,
  });
  const none = await runJob("bounds", { device: "auto", rows, columns, mask: new Uint8Array(rows * columns) });
  assert.is(none["pixels"], 0);
  assert.ok(none["top"]! > none["bottom"]!);
});

test("a weak metal beside a strong one keeps its own threshold, the halo of the strong one does not", async () => {
  const groups = [...Array(20).fill(50), 5, 10, ...Array(9).fill(8), ...Array(3).fill(4)];
  const labels = [...Array(22).fill(1), ...Array(9).fill(2), ...Array(3).fill(3), 0];
  const count = labels.length;
  const mask = new Uint8Array(count);
  const { threshold } = await runJob("metalMask", {
    device: "auto",
    count,
    input: Float32Array.from([...groups, 2]),
    labels: Int32Array.from(labels),
    groups: 3,
    least: 3,
    share: 0.4,
    alone: 6,
    mask,
  });
  assert.ok(Math.abs(threshold! - 20) < 1e-6);
  assert.equal(Array.from(mask), [...Array(20).fill(1), 0, 0, ...Array(9).fill(1), 0, 0, 0, 0]);
});

test.run();
