/**
 * Samplers. "double" runs a sampler's steps through test/oracle, "native" through the addon in float32. Gold values are those of an
 * independent implementation that agrees with diffusers' own tests: dummy sample arange(768)/768, dummy network m = x·t/(t + 1).
 */
import * as assert from "uvu/assert";
import {
  ddim,
  ddpm,
  dpmSolver,
  dualDomain,
  edmLevels,
  euler,
  heun,
  karrasLevels,
  levelsOf,
  type NoiseLevels,
  noiseSchedule,
  type SamplerPlan,
  sample,
  sectionTimesteps,
  timesteps,
  uniPc,
} from "../../lib/diffusion/index.ts";
import { cleanFrom, cleanFromScaled, noiseFrom } from "../../lib/diffusion/prediction.ts";
import { type Images, normalOracle, sampleOracle, stepOracle } from "../oracle/sampling-step.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("diffusion samplers");

const shape = [4, 3, 8, 8];
const dummy = Float64Array.from({ length: 768 }, (_, k) => {
  const [d, a, b, c] = [Math.floor(k / 192), Math.floor(k / 64) % 3, Math.floor(k / 8) % 8, k % 8];
  return (((a * 8 + b) * 8 + c) * 4 + d) / 768;
});
const absoluteSum = (x: ArrayLike<number>) => Array.from(x).reduce((sum, value) => sum + Math.abs(value), 0);

const linear = noiseSchedule();
const steep = noiseSchedule({ betaStart: 0.01 });
const leading = timesteps(linear, 10);
const linspace = timesteps(linear, 10, { spacing: "linspace" });
const min = levelsOf(linear, linspace, { final: "min" });
const zero = levelsOf(linear, linspace);
const karras = karrasLevels(linear, 10, { final: "min", rounded: true });
const clip = [-1, 1] as const;
const full = { lowerOrderFinal: false };

const gold: [name: string, plan: SamplerPlan, sum: number, start?: number][] = [
  ["DDIM, noise", ddim(linear, leading, { prediction: "epsilon", clip }), 172.006522],
  ["DDIM, v", ddim(linear, leading, { prediction: "v", clip }), 52.530124],
  ["DDIM, steep, final ᾱ 1", ddim(steep, leading, { prediction: "epsilon", clip }), 149.82946],
  ["DDIM, steep, final ᾱ_0", ddim(steep, leading, { prediction: "epsilon", clip, finalAlpha: "first" }), 149.07843],
  ["DPM-Solver++, noise", dpmSolver(min, { prediction: "epsilon", ...full }), 253.552879],
  ["DPM-Solver++, v", dpmSolver(min, { prediction: "v", ...full }), 172.8763],
  ["DPM-Solver++, v, Karras", dpmSolver(karras, { prediction: "v", ...full }), 160.665529],
  ["DPM-Solver++, noise, Karras", dpmSolver(karras, { prediction: "epsilon", ...full }), 226.174794],
  ["DPM-Solver++, noise, to zero", dpmSolver(zero, { prediction: "epsilon" }), 185.011369],
  ["UniPC, noise", uniPc(min, { prediction: "epsilon" }), 768 * 0.24639538],
  ["UniPC, noise, Karras", uniPc(karras, { prediction: "epsilon" }), 768 * 0.29248314],
  ["UniPC, v", uniPc(min, { prediction: "v" }), 768 * 0.10139638],
  ["UniPC, v, Karras", uniPc(karras, { prediction: "v" }), 768 * 0.19620939],
  // its test starts at √(80² + 1) instead of 80
  ["EDM, Euler", euler(edmLevels(10), { prediction: "edm" }), 34.185494, Math.sqrt(6401) / 80],
];

for (const [name, plan, sum, start = 1] of gold)
  test(`gold value of ${name}: 1e-6 in double, 1e-5 native`, async () => {
    const begin = dummy.map((x) => x * start);
    const model = (x: Float64Array, t: number) => x.map((value) => (value * t) / (t + 1));
    const inDouble = sampleOracle(plan, model, begin);
    // the gold values have 8 or 9 digits; means of UniPC have 8
    assert.ok(Math.abs(absoluteSum(inDouble) / sum - 1) < 1e-6, `double ${absoluteSum(inDouble)} for ${sum}`);
    const native = await sample(
      plan,
      (x, t) => ({ data: x.data.map((value) => (value * t) / (t + 1)), shape: x.shape }),
      { shape, seed: 1, start: { data: Float32Array.from(begin), shape } },
    );
    assert.ok(Math.abs(absoluteSum(native.data) / sum - 1) < 1e-5, `native ${absoluteSum(native.data)} for ${sum}`);
    assertClose(native.data, inDouble, { atol: 1e-5 }, "native, element by element");
  });

test("two elements of the DDIM and DPM-Solver++ gold runs", () => {
  const model = (x: Float64Array, t: number) => x.map((value) => (value * t) / (t + 1));
  const ends = (plan: SamplerPlan) => {
    const x = sampleOracle(plan, model, dummy);
    return [x[1]!, x[767]!];
  };
  assertClose(ends(gold[0]![1]), [0.00233603, 0.44793365], { atol: 1e-8 });
  assertClose(ends(gold[1]![1]), [0.00071341, 0.1367972], { atol: 1e-8 });
  assertClose(ends(gold[4]![1]), [0.00344351, 0.66029396], { atol: 1e-8 });
});

/** As diffusers tests Euler: the step is given the sample already scaled for the network. */
function eulerOfScaledSamples(levels: NoiseLevels): number {
  const plan = euler(levels, { prediction: "epsilon" });
  let x: Float64Array = dummy.map((value) => value * levels.sigmas[0]!);
  for (const [i, step] of plan.steps.entries()) {
    const scaled = x.map((value) => value / Math.sqrt(levels.sigmas[i]! ** 2 + 1));
    const images: Images = new Map([["sample", scaled]]);
    stepOracle(
      step,
      images,
      scaled.map((value) => (value * step.timestep) / (step.timestep + 1)),
      () => 0,
    );
    x = images.get("sample")!;
  }
  return absoluteSum(x);
}

test("gold values of Euler over 1100 training steps, even and Karras levels, in double", () => {
  const schedule = noiseSchedule({ steps: 1100 });
  const even = levelsOf(schedule, timesteps(schedule, 10, { spacing: "ends" }));
  assert.ok(Math.abs(eulerOfScaledSamples(even) / 10.080668 - 1) < 1e-6);
  assert.ok(Math.abs(eulerOfScaledSamples(karrasLevels(schedule, 10)) / 124.51781 - 1) < 1e-6);
});

// ---------------------------------------------------------------- laws that hold for every sampler

/** A plan of n steps over a schedule, with (α, σ) of x after each; `known` networks say the clean image c whatever x is. */
interface Case {
  plan: SamplerPlan;
  levels: (readonly [alpha: number, sigma: number])[];
}
const preserving = (bars: number[]) => bars.map((bar) => [Math.sqrt(bar), Math.sqrt(1 - bar)] as const);
const sample10 = { prediction: "sample" } as const;
const bars = [...Array.from(leading, (t) => linear.alphasCumprod[t]!), 1];
const ofSigmas = (sigmas: ArrayLike<number>) => preserving(Array.from(sigmas, (s) => 1 / (1 + s * s)));
const scaledLevels = (sigmas: ArrayLike<number>) => Array.from(sigmas, (s) => [1, s] as const);

const cases: Record<string, Case> = {
  ddpm: { plan: ddpm(linear, leading, sample10), levels: preserving(bars) },
  "ddim, η 0": { plan: ddim(linear, leading, sample10), levels: preserving(bars) },
  "ddim, η 0.6": { plan: ddim(linear, leading, { ...sample10, eta: 0.6 }), levels: preserving(bars) },
  "ddim, η 1, noise from x̂0": {
    plan: ddim(linear, leading, { ...sample10, eta: 1, noiseFromClipped: true }),
    levels: preserving(bars),
  },
  dpmSolver: { plan: dpmSolver(min, sample10), levels: ofSigmas(min.sigmas) },
  "dpmSolver, heun": { plan: dpmSolver(min, { ...sample10, solver: "heun" }), levels: ofSigmas(min.sigmas) },
  "dpmSolver, stochastic": { plan: dpmSolver(zero, { ...sample10, stochastic: true }), levels: ofSigmas(zero.sigmas) },
  "dpmSolver, stochastic heun": {
    plan: dpmSolver(karras, { ...sample10, stochastic: true, solver: "heun" }),
    levels: ofSigmas(karras.sigmas),
  },
  uniPc: { plan: uniPc(zero, sample10), levels: ofSigmas(zero.sigmas) },
  "uniPc, no corrector": { plan: uniPc(karras, { ...sample10, corrector: false }), levels: ofSigmas(karras.sigmas) },
  euler: { plan: euler(karras, sample10), levels: scaledLevels(karras.sigmas) },
};

for (const [name, { plan, levels }] of Object.entries(cases))
  test(`${name}: where the network knows the image, x is α·clean + σ·noise after every step, in double`, () => {
    // element 0 follows the clean image, 1 the start, 2 + k the noise of step k: everything is linear
    const count = 2 + plan.steps.length;
    const clean = Float64Array.from({ length: count }, (_, i) => (i === 0 ? 1 : 0));
    const [alpha, sigma] = levels[0]!;
    const images: Images = new Map([
      ["sample", Float64Array.from({ length: count }, (_, i) => (i === 0 ? alpha : i === 1 ? sigma : 0))],
    ]);
    for (const [k, step] of plan.steps.entries()) {
      stepOracle(step, images, clean, (i) => (i === 2 + k ? 1 : 0));
      const x = Array.from(images.get("sample")!);
      const spread = Math.sqrt(x.slice(1).reduce((sum, value) => sum + value * value, 0));
      assertClose([x[0]!, spread], levels[k + 1]!, { atol: 1e-9 }, `after step ${k}`);
    }
  });

test("churn raises the level and keeps α·clean + σ·noise: Euler and Heun, in double", () => {
  for (const make of [euler, heun]) {
    const plan = make(karras, { prediction: "sample", churn: 3, churnMin: 0.1, churnMax: 200 });
    const count = 2 + plan.steps.length;
    const raised = plan.start;
    assert.ok(Math.abs(raised / karras.sigmas[0]! - 1.3) < 1e-9);
    const images: Images = new Map([
      ["sample", Float64Array.from({ length: count }, (_, i) => (i === 0 ? 1 : i === 1 ? raised : 0))],
    ]);
    const clean = Float64Array.from({ length: count }, (_, i) => (i === 0 ? 1 : 0));
    for (const [k, step] of plan.steps.entries()) stepOracle(step, images, clean, (i) => (i === 2 + k ? 1 : 0));
    const x = Array.from(images.get("sample")!);
    const spread = Math.sqrt(x.slice(1).reduce((sum, value) => sum + value * value, 0));
    const last = karras.sigmas[10]!;
    assertClose([x[0]!, spread], [1, last], { rtol: 1e-9 }, make.name);
  }
});

/**
 * Error at the end for images that are normal, mean 0.3 and spread 0.5, where the best network is known, and so is where x goes: its
 * distance to the mean shrinks as the spread does. In a stochastic equation the best network's word never changes on average, so
 * there the network says half of it; with D = mean + g·u the mean of u obeys u' = 2·(1 − g)·u/s, solved by s·spread(s).
 */
function errorOf(make: (levels: NoiseLevels) => SamplerPlan, count: number, space: Space): number {
  const levels = karrasLevels(linear, count, { final: "min", max: 20 });
  const plan = make(levels);
  const [mean, variance] = [0.3, 0.25];
  const trust = space === "stochastic" ? 0.5 : 1;
  const spread = (s: number) => Math.sqrt(variance + s * s);
  const at = (s: number) => (space === "scaled" ? 1 : 1 / Math.sqrt(1 + s * s)); // α
  const best = (x: number, s: number) => mean + (trust * variance * (x / at(s) - mean)) / (variance + s * s);
  const [first, last] = [levels.sigmas[0]!, levels.sigmas[count]!];
  const images: Images = new Map([["sample", Float64Array.from([at(first) * (mean + spread(first))])]]);
  const asked = plan.steps.length === count ? Array.from(levels.sigmas) : heunOrder(levels);
  for (const [k, step] of plan.steps.entries())
    stepOracle(step, images, [best(images.get("sample")![0]!, asked[k]!)], () => 0);
  const shrunk = space === "stochastic" ? (last * spread(last)) / first : spread(last);
  return Math.abs(images.get("sample")![0]! / at(last) - (mean + shrunk));
}
const heunOrder = (levels: NoiseLevels): number[] =>
  Array.from(levels.timesteps, (_, i) => [levels.sigmas[i]!, levels.sigmas[i + 1]!]).flat();

type Space = "scaled" | "preserving" | "stochastic";
const orders: [name: string, make: (levels: NoiseLevels) => SamplerPlan, order: number, space: Space][] = [
  ["euler", (levels) => euler(levels, sample10), 1, "scaled"],
  ["dpmSolver", (levels) => dpmSolver(levels, { ...sample10, ...full }), 2, "preserving"],
  ["dpmSolver, heun", (levels) => dpmSolver(levels, { ...sample10, solver: "heun", ...full }), 2, "preserving"],
  ["uniPc, no corrector", (levels) => uniPc(levels, { ...sample10, corrector: false, ...full }), 2, "preserving"],
  ["uniPc", (levels) => uniPc(levels, { ...sample10, ...full }), 3, "preserving"],
  ["stochastic dpmSolver", (levels) => dpmSolver(levels, { ...sample10, stochastic: true, ...full }), 2, "stochastic"],
  [
    "stochastic dpmSolver, heun",
    (levels) => dpmSolver(levels, { ...sample10, stochastic: true, solver: "heun", ...full }),
    2,
    "stochastic",
  ],
];
for (const [name, make, order, space] of orders)
  test(`${name} converges with order ${order} on normal images, in double`, () => {
    const found = Math.log2(errorOf(make, 160, space) / errorOf(make, 320, space));
    assert.ok(Math.abs(found - order) < 0.25, `order ${found}`);
  });

test("heun converges with order 2 on normal images, in double", () => {
  // its last step is Euler's only where no noise is left or levels end; here that one step is as small as the order asks
  const error = (count: number) => {
    const levels = karrasLevels(linear, count, { final: "zero", max: 20 });
    const plan = heun(levels, sample10);
    const asked = heunOrder(levels);
    const mean = 0.3;
    const spread = (s: number) => Math.sqrt(0.25 + s * s);
    const images: Images = new Map([["sample", Float64Array.from([mean + spread(levels.sigmas[0]!)])]]);
    for (const [k, step] of plan.steps.entries()) {
      const s = asked[k]!;
      const x = images.get("sample")![0]!;
      stepOracle(step, images, [mean + (0.25 / (0.25 + s * s)) * (x - mean)], () => 0);
    }
    return Math.abs(images.get("sample")![0]! - (mean + 0.5));
  };
  // Euler's step from the lowest level leaves s²/(2·0.5)
  const floor = linear.alphasCumprod[0]!;
  const left = (1 - floor) / floor;
  assert.ok(error(40) < 0.01 && error(80) < error(40) / 3 + 2 * left, `${error(40)} ${error(80)} ${left}`);
});

test("the clean image comes back from whatever a network predicts", () => {
  const [alpha, sigma, clean, noise] = [0.8, 0.6, 0.37, -1.2];
  const x = alpha * clean + sigma * noise;
  const said = { epsilon: noise, sample: clean, v: alpha * noise - sigma * clean } as const;
  for (const [prediction, m] of Object.entries(said) as [keyof typeof said, number][]) {
    const c = cleanFrom(prediction, alpha, sigma);
    const e = noiseFrom(prediction, alpha, sigma);
    assertClose(
      [c.sample * x + c.output * m, e.sample * x + e.output * m],
      [clean, noise],
      { atol: 1e-12 },
      prediction,
    );
    const scaled = cleanFromScaled(prediction, sigma / alpha, 0.5);
    assert.ok(Math.abs(scaled.sample * (x / alpha) + scaled.output * m - clean) < 1e-12, prediction);
  }
  const flow = cleanFrom("flow", 0.4, 0.6);
  assert.ok(Math.abs(flow.sample * (0.4 * clean + 0.6 * noise) + flow.output * (noise - clean) - clean) < 1e-12);
  // EDM: c_out·F + c_skip·x, for the F that Karras et al. train
  const [s, data] = [1.7, 0.5];
  const edm = cleanFromScaled("edm", s, data);
  const root = Math.hypot(s, data);
  assertClose([edm.sample, edm.output], [data ** 2 / root ** 2, (s * data) / root], { rtol: 1e-12 });
});

test("learned variances are the fixed ones at their ends, in double", () => {
  const noiseAt = (variance: "fixed-small" | "fixed-large" | "learned-range" | "learned-range-inverted", v: number) => {
    const step = ddpm(linear, [999, 500, 200], { ...sample10, variance }).steps[1]!;
    return step.rows[0]!.noise * (step.variance ? Math.exp(step.variance.logScale + step.variance.logSlope * v) : 1);
  };
  const [small, large] = [noiseAt("fixed-small", 0), noiseAt("fixed-large", 0)];
  assert.ok(small < large);
  assertClose([noiseAt("learned-range", -1), noiseAt("learned-range", 1)], [small, large], { rtol: 1e-12 });
  assertClose([noiseAt("learned-range-inverted", 1), noiseAt("learned-range-inverted", 0)], [small, large], {
    rtol: 1e-12,
  });
});

test("both clipping conventions of DDIM", () => {
  const after = (noiseFromClipped: boolean) => {
    const plan = ddim(linear, [500, 300], { prediction: "epsilon", clip, noiseFromClipped });
    const images: Images = new Map([["sample", Float64Array.from([2])]]);
    stepOracle(plan.steps[0]!, images, [0.5], () => 0);
    return images.get("sample")![0]!;
  };
  const [bar, next] = [linear.alphasCumprod[500]!, linear.alphasCumprod[300]!];
  // (2 − 0.5·√(1 − ᾱ))/√ᾱ is above 1: clipped
  const again = (2 - Math.sqrt(bar)) / Math.sqrt(1 - bar);
  assertClose(
    [after(false), after(true)],
    [Math.sqrt(next) + Math.sqrt(1 - next) * 0.5, Math.sqrt(next) + Math.sqrt(1 - next) * again],
    { atol: 1e-12 },
  );
});

// ---------------------------------------------------------------- whole runs, native

test("DDPM and learned variance with Philox noise: native is the run in double", async () => {
  const plan = ddpm(linear, timesteps(linear, 25), { prediction: "v", clip, variance: "learned-range" });
  const n = 30;
  const learned = (x: number) => Math.sin(3 * x);
  const found = await sample(
    plan,
    (x, t) => ({
      output: { data: x.data.map((value) => (value * t) / (t + 1)), shape: [n] },
      variance: { data: x.data.map(learned), shape: [n] },
    }),
    { shape: [n], seed: 99, stream: 1000 },
  );
  const images: Images = new Map([["sample", Float64Array.from({ length: n }, (_, i) => normalOracle(99, 1000, i))]]);
  for (const [k, step] of plan.steps.entries()) {
    const x = images.get("sample")!;
    const output = x.map((value) => (value * step.timestep) / (step.timestep + 1));
    stepOracle(step, images, output, (i) => normalOracle(99, 1001 + k, i), x.map(learned));
  }
  assertClose(found.data, images.get("sample")!, { atol: 1e-4 }); // 25 steps of float32, and learned() passes errors on
});

test("every sampler at 1, 2, 3, 5, 10, 50, 100, 999 and 1000 steps: finite, native", async () => {
  const network = (x: { data: Float32Array; shape: number[] }) => ({ data: x.data.map((v) => v / 2), shape: x.shape });
  for (const count of [1, 2, 3, 5, 10, 50, 100, 999, 1000]) {
    const steps = timesteps(linear, count);
    const levels = levelsOf(linear, steps);
    const options = { prediction: "v", clip } as const;
    const plans = [
      ddpm(linear, steps, options),
      ddim(linear, steps, { ...options, eta: 1 }),
      dpmSolver(levels, options),
      dpmSolver(levels, { ...options, stochastic: true, solver: "heun" }),
      uniPc(levels, options),
      euler(levels, { ...options, churn: 2 }),
      heun(karrasLevels(linear, count), options),
    ];
    // the longest lists only in double, where a step costs nothing
    for (const plan of plans) {
      if (count <= 10) await sample(plan, network, { shape: [5], seed: 1 });
      const end = sampleOracle(
        plan,
        (x) => x.map((v) => v / 2),
        [0.1, -2],
        () => 0.3,
      );
      assert.ok(end.every(Number.isFinite), `${count} steps`);
    }
  }
});

test("zero terminal SNR runs with v over trailing timesteps; noise prediction is refused there", async () => {
  const schedule = noiseSchedule({ zeroTerminalSnr: true });
  const steps = timesteps(schedule, 5, { spacing: "trailing" });
  for (const plan of [
    ddim(schedule, steps, { prediction: "v" }),
    ddpm(schedule, steps, { prediction: "sample", clip }),
    dpmSolver(levelsOf(schedule, steps), { prediction: "v" }),
  ])
    await sample(plan, (x) => ({ data: x.data.map((v) => v / 3), shape: x.shape }), { shape: [9], seed: 3 });
  const refused = await assertRejects(() => ddim(schedule, steps, { prediction: "epsilon" }), "ERR_SINO_OUT_OF_RANGE");
  assert.match(refused.message, "zeroTerminalSnr");
});

test("DuDoDp's steps: δ, √ᾱ and the levels of its 100 steps", () => {
  const steps = dualDomain(
    linear,
    sectionTimesteps(
      linear,
      Array.from({ length: 10 }, () => 10),
    ),
  );
  assert.is(steps.length, 100);
  const at = (i: number) => steps[99 - i]!;
  assertClose(
    [99, 50, 10, 0].map((i) => at(i).delta),
    [0.989, 0.922, 0.614, 0.424],
    { atol: 5e-4 },
  );
  assertClose(
    [0, 25, 50, 75, 99].map((i) => at(i).keep),
    [1, 0.713, 0.279, 0.055, 0.006],
    { atol: 5e-4 },
  );
  assert.equal([at(0).signal, at(0).noise], [1, 0]);
  assert.ok(Math.abs(at(5).signal - at(4).keep) < 1e-15 && Math.abs(at(5).signal ** 2 + at(5).noise ** 2 - 1) < 1e-12);
});

test("a run is its seed; progress counts steps; an abort and a network's error come through", async () => {
  const plan = ddim(linear, leading, { prediction: "v", eta: 1 });
  const network = (x: { data: Float32Array; shape: number[] }) => ({ data: x.data.map((v) => v / 2), shape: x.shape });
  const done: number[] = [];
  const options = { shape: [33], seed: 5, onProgress: (p: { done: number }) => done.push(p.done) };
  const [a, b] = [await sample(plan, network, options), await sample(plan, network, { shape: [33], seed: 5 })];
  assert.equal(a.data, b.data);
  assert.equal(done, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const other = await sample(plan, network, { shape: [33], seed: 6 });
  assert.ok(a.data.some((x, i) => x !== other.data[i]));
  const boom = new Error("boom");
  const thrown = sample(plan, () => Promise.reject(boom), { shape: [3], seed: 1 });
  assert.is(await thrown.catch((error: unknown) => error), boom);
  const abort = new AbortController();
  const stopped = sample(
    plan,
    (x, _, i) => {
      if (i === 3) abort.abort(boom);
      return network(x);
    },
    { shape: [3], seed: 1, signal: abort.signal },
  );
  assert.is(await stopped.catch((error: unknown) => error), boom);
});

test("a network that says NaN is reported with its step", async () => {
  const plan = ddim(linear, leading, { prediction: "v", clip });
  const error = await assertRejects(
    () =>
      sample(plan, (x, _, i) => ({ data: x.data.map((v, k) => (i === 4 && k < 2 ? Number.NaN : v)), shape: x.shape }), {
        shape: [6],
        seed: 1,
      }),
    "ERR_SINO_OUT_OF_RANGE",
  );
  assert.equal(error.details, { step: 4, timestep: 500, count: 2 });
});

test("what makes no sense is refused in words", async () => {
  const outOfRange = (action: () => unknown) => assertRejects(action, "ERR_SINO_OUT_OF_RANGE");
  const near = await outOfRange(() => ddim(linear, leading, { prediction: "epsilom" as "epsilon" }));
  assert.match(near.message, 'Did you mean "epsilon"?');
  for (const eta of [-0.1, 1.1, Number.NaN]) await outOfRange(() => ddim(linear, leading, { ...sample10, eta }));
  await outOfRange(() => ddim(linear, [10.5, 3], sample10));
  await outOfRange(() => ddim(linear, [3, 10], sample10));
  await outOfRange(() => ddpm(linear, leading, { ...sample10, variance: "fixed" as "fixed-small" }));
  await outOfRange(() => dpmSolver(min, { ...sample10, solver: "mid" as "midpoint" }));
  await outOfRange(() => dpmSolver({ ...min, sigmas: min.sigmas.map(() => 1) }, { ...sample10, ...full }));
  await outOfRange(() => uniPc({ ...min, sigmas: min.sigmas.toReversed() }, sample10));
  await outOfRange(() => euler({ ...min, sigmas: min.sigmas.slice(1) }, sample10));
  await outOfRange(() => euler(karras, { ...sample10, churn: -1 }));
  await outOfRange(() => euler(edmLevels(3), { prediction: "edm", sigmaData: 0 }));
  await outOfRange(() => dualDomain(linear, leading, { a: 2 }));
  await assertRejects(() => ddim(linear, leading, { prediction: "edm" }), "ERR_SINO_UNSUPPORTED");
  const plan = ddim(linear, leading, sample10);
  const wrong = () => ({ data: new Float32Array(4), shape: [4] });
  await assertRejects(() => sample(plan, wrong, { shape: [5], seed: 1 }), "ERR_SINO_SHAPE");
  await assertRejects(() => sample(plan, wrong, { shape: [-5], seed: 1 }), "ERR_SINO_SHAPE");
  await assertRejects(
    () => sample(plan, wrong, { shape: [4], seed: 1, start: { data: new Float32Array(3), shape: [3] } }),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(() => sample(plan, "x" as never, { shape: [4], seed: 1 }), "ERR_SINO_ARG_TYPE");
});

test.run();
