/** How far inverted rays are believed: against references, at the detector's ends, behind thick metal, outside the trace. */
import * as assert from "uvu/assert";
import { runJob } from "../../lib/native/job.ts";
import { rayVarianceOracle } from "../oracle/trust.ts";
import { assertClose } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("trust parity");
const model = {
  photons: 1e5,
  scatter: 20,
  scatterError: 1e-4,
  crosstalk: 0.03,
  metalError: 0.02,
  edge: 0.25,
  clear: 0.06,
};

for (const [views, bins] of [
  [1, 1],
  [3, 2],
  [5, 31],
  [17, 129],
] as const)
  test(`variance of ${views} × ${bins} rays`, async () => {
    const random = randomSource(views * 1000 + bins);
    const rays = views * bins;
    const of = (make: () => number) => Float32Array.from({ length: rays }, make);
    const where = Uint8Array.from({ length: rays }, () => (random() < 0.8 ? 1 : 0));
    const measured = of(() => random() * 40 - 0.1);
    const slope = of(() => 0.7 + random());
    const metal = of(() => (random() < 0.3 ? 0 : random() * 9));
    const variance = new Float32Array(rays).fill(-77);
    await runJob("rayVariance", { device: "auto", views, bins, ...model, where, measured, slope, metal, variance });
    // two float32 exponentials divided by each other, squared
    assertClose(variance, rayVarianceOracle(model, where, measured, slope, metal, bins), { atol: 1e-9, rtol: 2e-5 });
  });

test("calibration, evidence, spreading and blending of 1000 rays, with paths that are not finite", async () => {
  const random = randomSource(7);
  const count = 1000;
  const of = (make: (i: number) => number) => Float32Array.from({ length: count }, (_, i) => make(i));
  const where = Uint8Array.from({ length: count }, () => (random() < 0.7 ? 1 : 0));
  const variance = of(() => random() * 0.1);
  const metal = of(() => random() * 5);
  const prior = of(() => random() * 4);
  const found = of((i) => (i % 50 === 0 ? Number.NaN : random() - 0.5));
  const smooth = of(() => random() * 0.1);
  const [linear, square, floor, spread, width] = [0.01, -0.5, 0.01, 25, 0.03];
  const expected = {
    correction: new Float64Array(count),
    smooth: new Float64Array(count),
    output: new Float64Array(count),
  };
  for (let i = 0; i < count; i++) {
    const inside = where[i] === 1;
    const c = inside ? Math.min(1, Math.max(-1, linear * metal[i]! + square * metal[i]! ** 2)) : 0;
    const d = found[i]! - c;
    const usable = inside && Number.isFinite(d);
    const weight = usable ? 1 / (variance[i]! + floor ** 2) : 0;
    const s = smooth[i]! + (usable ? weight * (d - smooth[i]!) : 0) / (weight + spread);
    const trust = width ** 2 / (width ** 2 + variance[i]!);
    expected.correction[i] = c;
    expected.smooth[i] = s;
    expected.output[i] = inside ? prior[i]! + s + (usable ? trust * (d - s) : 0) : prior[i]!;
  }
  const result = { weight: of(() => -77), evidence: of(() => -77), correction: of(() => -77), output: of(() => -77) };
  const numbers = Float64Array.of(linear, square, floor, spread, width);
  await runJob("rayTrust", { device: "auto", count, numbers, where, variance, metal, prior, found, smooth, ...result });
  assertClose(result.correction, expected.correction, { atol: 1e-6, rtol: 1e-6 });
  assertClose(smooth, expected.smooth, { atol: 1e-6, rtol: 1e-5 });
  assertClose(result.output, expected.output, { atol: 2e-6, rtol: 1e-6 });
  assert.ok(result.output.every(Number.isFinite), "nothing that is not finite comes through");
});

test.run();
