/** Leaks of the detector: put in by the reference, found behind metal of several decades, and taken back. */
import * as assert from "uvu/assert";
import { runJob } from "../../lib/native/job.ts";
import { leakOracle } from "../oracle/leak.ts";
import { assertClose } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("leak parity");

for (const [views, bins] of [
  [1, 1],
  [2, 2],
  [3, 3],
  [5, 31],
  [40, 129],
] as const)
  test(`what ${views} × ${bins} rays have leaked is taken back`, async () => {
    const random = randomSource(views * 100 + bins);
    const rays = views * bins;
    const p = Float32Array.from({ length: rays }, () => random() * 7);
    const measured = leakOracle(p, bins, 0.08, 2e-4);
    const where = Uint8Array.from(p, () => (random() < 0.8 ? 1 : 0));
    const output = new Float32Array(rays).fill(-77);
    const given = { views, bins, share: 0.08, floor: 2e-4, least: 1e-9 };
    await runJob("removeLeak", { device: "auto", ...given, where, measured, output });
    const expected = p.map((value, i) => (where[i] ? value : measured[i]!));
    // float32 of the measured p: 5e-7 of a T that is up to e^7 larger than the leak it is taken from
    assertClose(output, expected, { atol: 2e-3, rtol: 1e-6 });
  });

test("share and floor are found beside noise, a wrong alloy and rays that are far off", async () => {
  const [views, bins] = [60, 101];
  const rays = views * bins;
  const random = randomSource(3);
  const metal = Float32Array.from({ length: rays }, (_, i) =>
    Math.max(0, 5 - Math.abs((i % bins) - 40 - (i / rays) * 20)),
  );
  const tissue = Float32Array.from({ length: rays }, () => 2 + 0.02 * (random() - 0.5));
  const alloy = metal.map((m) => 0.02 * m - 0.002 * m * m);
  const measured = leakOracle(
    tissue.map((t, i) => t + metal[i]! + alloy[i]!),
    bins,
    0.06,
    1e-4,
  );
  // inversion with slope 1: what is left of p behind metal, less the tissue expected there
  const found = measured.map((p, i) => p - metal[i]! - 2 + (i % 401 === 0 ? 0.7 : 0));
  const trace = Uint8Array.from(metal, (m) => (m > 0 ? 1 : 0));
  const where = new Uint8Array(rays).fill(1);
  const [slope, variance] = [new Float32Array(rays).fill(1), new Float32Array(rays).fill(1e-4)];
  const result = new Float64Array(4);
  const given = { device: "auto", views, bins, rounds: 10, where, measured, found, slope, metal, variance } as const;
  await runJob("findLeak", { ...given, trace, result });
  // the model is first order in what leaks and in the alloy
  assert.ok(Math.abs(result[0]! - 0.06) < 0.01, `share ${result[0]}`);
  assert.ok(Math.abs(result[1]! - 1e-4) < 5e-5, `floor ${result[1]}`);
  await runJob("findLeak", { ...given, trace: trace.fill(0), result });
  assert.equal(Array.from(result), [0, 0, 0, 0]);
});

test.run();
