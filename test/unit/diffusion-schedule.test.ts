/** Schedules, timesteps, levels and weights: published values, limits, and what is refused. All in double. */
import * as assert from "uvu/assert";
import {
  edmLevels,
  karrasLevels,
  karrasSigmas,
  levelsOf,
  lossWeights,
  noiseSchedule,
  posteriorVariance,
  sectionTimesteps,
  snr,
  timesteps,
} from "../../lib/diffusion/index.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("diffusion schedules");
const linear = noiseSchedule();

test("linear β: ᾱ as published", () => {
  const found = [0, 99, 499, 999].map((t) => linear.alphasCumprod[t]!);
  assertClose(found, [0.9999, 0.897018, 0.0785872, 4.0358e-5], { rtol: 1e-5 });
});

test("scaled-linear and cosine β at both ends", () => {
  const scaled = noiseSchedule({ kind: "scaled-linear", betaStart: 0.00085, betaEnd: 0.012 }).alphasCumprod;
  assertClose([1 - scaled[0]!, 1 - scaled[999]! / scaled[998]!], [0.00085, 0.012], { rtol: 1e-9 });
  // Stable Diffusion's largest noise level
  assert.ok(Math.abs(Math.sqrt((1 - scaled[999]!) / scaled[999]!) - 14.6146) < 1e-3);
  const cosine = noiseSchedule({ kind: "cosine" }).alphasCumprod;
  const bar = (t: number) => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  for (const t of [0, 400, 998]) assert.ok(Math.abs(cosine[t]! - bar((t + 1) / 1000) / bar(0)) < 1e-12);
  assert.ok(Math.abs(1 - cosine[999]! / cosine[998]! - 0.999) < 1e-9);
});

test("zero terminal SNR: the first stays, the last is noise only", () => {
  const zero = noiseSchedule({ zeroTerminalSnr: true }).alphasCumprod;
  assert.ok(Math.abs(zero[0]! - linear.alphasCumprod[0]!) < 1e-12);
  assert.is(zero[999], 0);
  const root = (t: number) => Math.sqrt(linear.alphasCumprod[t]!);
  assert.ok(Math.abs(zero[500]! - (((root(500) - root(999)) * root(0)) / (root(0) - root(999))) ** 2) < 1e-12);
  assert.ok(Math.abs(levelsOf(noiseSchedule({ zeroTerminalSnr: true }), [999]).sigmas[0]! - 4096) < 1e-3);
});

test("variance between timesteps as published", () => {
  const variance = (t: number, to: number) => posteriorVariance(linear.alphasCumprod[t]!, linear.alphasCumprod[to]!);
  assertClose(
    [variance(420, 400), variance(980, 960), variance(487, 486), variance(999, 998)],
    [0.14772, 0.324605, 0.009792, 0.02],
    { rtol: 1e-3 },
  );
});

test("spacings", () => {
  const of = (spacing: "leading" | "trailing" | "linspace" | "ends", count: number, offset = 0) =>
    Array.from(timesteps(linear, count, { spacing, offset }));
  assert.equal(of("leading", 4), [750, 500, 250, 0]);
  assert.equal(of("leading", 4, 1), [751, 501, 251, 1]);
  assert.equal(of("trailing", 4), [999, 749, 499, 249]);
  assert.equal(of("linspace", 10), [999, 899, 799, 699, 599, 500, 400, 300, 200, 100]);
  assert.equal(of("ends", 4), [999, 666, 333, 0]);
  for (const spacing of ["leading", "trailing", "linspace", "ends"] as const)
    assert.is(new Set(of(spacing, 1000)).size, 1000, spacing);
  assert.equal(Array.from(timesteps(noiseSchedule({ steps: 1 }), 1)), [0]);
});

test("guided-diffusion's sections", () => {
  const taken = Array.from(
    sectionTimesteps(
      linear,
      Array.from({ length: 10 }, () => 10),
    ),
  ).reverse();
  assert.equal(taken.slice(0, 12), [0, 11, 22, 33, 44, 55, 66, 77, 88, 99, 100, 111]);
  assert.is(taken.at(-1), 999);
  assert.equal(Array.from(sectionTimesteps(noiseSchedule({ steps: 7 }), [1, 2, 1])), [5, 4, 3, 0]);
});

test("Karras' levels run between their ends; their timesteps are where the schedule has them", () => {
  const sigmas = karrasSigmas(5, 0.002, 80);
  assertClose([sigmas[0]!, sigmas[4]!], [80, 0.002], { rtol: 1e-12 });
  assert.ok(Math.abs(sigmas[2]! - ((80 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7) < 1e-12);
  const { timesteps: steps, sigmas: levels } = karrasLevels(linear, 20);
  assertClose(levelsOf(linear, Array.from(steps, Math.floor)).sigmas.slice(0, 20), levels.slice(0, 20), { rtol: 0.1 });
  assert.ok(Math.abs(steps[0]! - 999) < 1e-9 && Math.abs(steps[19]!) < 1e-9);
  assert.is(levels[20], 0);
  const edm = edmLevels(3);
  assert.ok(Math.abs(edm.timesteps[0]! - Math.log(80) / 4) < 1e-12);
});

test("loss weights: min-SNR-γ and √SNR, for what the network predicts", () => {
  const ratios = snr(linear);
  const at = (kind: "min-snr" | "sqrt-snr", prediction: "epsilon" | "sample" | "v", t: number) =>
    lossWeights(linear, { kind, prediction })[t]!;
  for (const t of [0, 300, 999]) {
    const ratio = ratios[t]!;
    assertClose(
      [at("min-snr", "epsilon", t), at("min-snr", "v", t), at("min-snr", "sample", t), at("sqrt-snr", "sample", t)],
      [Math.min(ratio, 5) / ratio, Math.min(ratio, 5) / (ratio + 1), Math.min(ratio, 5), Math.sqrt(ratio)],
      { rtol: 1e-12 },
    );
  }
});

test("what makes no sense is refused in words", async () => {
  const outOfRange = (action: () => unknown) => assertRejects(action, "ERR_SINO_OUT_OF_RANGE");
  const few = await outOfRange(() => timesteps(noiseSchedule({ steps: 20 }), 50));
  assert.match(few.message, "at most as many sampling steps as the schedule has training steps, 20, but received 50");
  assert.match(
    (await outOfRange(() => noiseSchedule({ kind: "cosin" as "cosine" }))).message,
    'Did you mean "cosine"?',
  );
  await outOfRange(() => noiseSchedule({ steps: 0 }));
  await outOfRange(() => noiseSchedule({ steps: 2.5 }));
  await outOfRange(() => noiseSchedule({ betaStart: 0.5, betaEnd: 0.1 }));
  await outOfRange(() => noiseSchedule({ steps: 1, zeroTerminalSnr: true }));
  await outOfRange(() => timesteps(linear, 0));
  await outOfRange(() => timesteps(linear, 1.5));
  await outOfRange(() => timesteps(linear, 10, { offset: 100 }));
  await outOfRange(() => timesteps(linear, 10, { spacing: "trailling" as "trailing" }));
  await outOfRange(() => levelsOf(linear, [1, 2]));
  await outOfRange(() => levelsOf(linear, [1000]));
  await outOfRange(() => levelsOf(linear, []));
  await outOfRange(() => levelsOf(linear, [Number.NaN]));
  await outOfRange(() => karrasSigmas(3, 2, 1));
  await outOfRange(() => sectionTimesteps(linear, [600, 400]));
  await assertRejects(() => sectionTimesteps(linear, []), "ERR_SINO_ARG_TYPE");
  await outOfRange(() => lossWeights(linear, { prediction: "epsilon", gamma: 0 }));
  await assertRejects(() => lossWeights(linear, { prediction: "edm" }), "ERR_SINO_UNSUPPORTED");
});

test("a shift multiplies the ratio of signal to noise, and is refused where it is none", () => {
  const [plain, shifted] = [noiseSchedule({ kind: "cosine" }), noiseSchedule({ kind: "cosine", shift: 0.5 })];
  // amplitudes by 0.5, so the ratio of variances by a quarter; doubles
  snr(shifted).forEach((ratio, t) => {
    assert.ok(Math.abs(ratio / snr(plain)[t]! - 0.25) < 1e-9, String(t));
  });
  assert.equal(noiseSchedule({ shift: 1 }), noiseSchedule());
  for (const shift of [0, -1, Number.NaN]) assert.throws(() => noiseSchedule({ shift }), /shift/);
});

test.run();
