/** The native sampling step against the one in double, for every shape of a step, at sizes around the vectors' and the chunks'. */
import * as assert from "uvu/assert";
import { row, type SamplerStep, stepOf } from "../../lib/diffusion/plan.ts";
import { dualDomainStep } from "../../lib/diffusion/samplers/dual-domain.ts";
import { type SamplerState, samplerState, samplingStep } from "../../lib/diffusion/step.ts";
import { runJob } from "../../lib/native/job.ts";
import { normalNoise } from "../../lib/physics/index.ts";
import { dualDomainOracle, normalOracle, stepOracle } from "../oracle/sampling-step.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("sampling step parity");
const seed = 2 ** 40 + 17;

function values(n: number, from: number): Float32Array<ArrayBuffer> {
  const next = randomSource(from);
  return Float32Array.from({ length: n }, () => 4 * next() - 2);
}

const estimate = { sample: 1.3, output: -0.8 };
const mixed = (to: string, terms: number[]) => row(to, { sample: 0.9, output: -0.3, clean: 0.4, noise: 0.25, terms });
const shapes: [name: string, step: SamplerStep][] = [
  ["in place", stepOf({ timestep: 1, estimate, clip: [-1, 1], rows: [row("sample", { sample: 0.9, clean: 0.2 })] })],
  ["with noise", stepOf({ timestep: 1, estimate, clip: [-1, 0.5], rows: [mixed("sample", [])] })],
  [
    "with a learned variance",
    stepOf({ timestep: 1, estimate, rows: [mixed("sample", [])], variance: { logScale: -1.2, logSlope: 0.7 } }),
  ],
  [
    "with history that it replaces",
    stepOf({
      timestep: 1,
      estimate,
      clip: [-1, 1],
      reads: ["older", "newer"],
      rows: [mixed("sample", [0.5, -0.6]), mixed("older", [0.1, 0.2])],
      keepsClean: "newer",
    }),
  ],
  [
    "with four earlier images and three results",
    stepOf({
      timestep: 1,
      estimate,
      reads: ["a", "b", "c", "d"],
      rows: [mixed("sample", [0.1, 0.2, 0.3, 0.4]), mixed("e", [1, -1]), row("input", { terms: [0, 0, 0, 2] })],
      keepsClean: "clean",
    }),
  ],
  ["without a network", stepOf({ timestep: 1, model: false, rows: [row("sample", { sample: 0.5, noise: 2 })] })],
];

async function compare(step: SamplerStep, n: number): Promise<void> {
  const state = samplerState([n]);
  const names = ["sample", ...step.reads];
  for (const [k, name] of names.entries()) state.images.set(name, values(n, 10 + k));
  const images = new Map([...state.images].map(([name, data]) => [name, Float64Array.from(data)]));
  const output = values(n, 1);
  const variance = values(n, 2);
  const said = { output: { data: output, shape: [n] }, variance: { data: variance, shape: [n] } };
  await samplingStep(step, state, said, 6, { seed, stream: 3 });
  stepOracle(step, images, output, (i) => normalOracle(seed, 10, i), variance);
  // 8 roundings of terms of up to 6; exp(1.4·(−1.2 + …)) multiplies noise by at most 1.5
  for (const [name, expected] of images)
    assertClose(state.images.get(name)!, expected, { atol: 3e-6, rtol: 1e-6 }, `${name} of ${n}`);
}

for (const [name, step] of shapes)
  test(`a step ${name} is the one in double`, async () => {
    for (const n of [0, 1, 3, 15, 16, 17, 63, 64, 65, 131, 997]) await compare(step, n);
  });

test("chunks join: 2 chunks and a part of one", () => compare(shapes[3]![1], 2 * 65536 + 77));

const noiseOnly = stepOf({ timestep: 1, model: false, rows: [row("sample", { noise: 1 })] });

test("noise is that of normalNoise for seed, stream and element", async () => {
  const n = 200_003;
  const first = 2 ** 35 + 4;
  const state = samplerState([n]);
  await samplingStep(noiseOnly, state, undefined, 4, { seed, stream: 100, first });
  const expected = await normalNoise([n], { seed, stream: 105, first });
  // z is good to 4e-7 of itself where it is float32; 6 is the largest
  assertClose(state.images.get("sample")!, expected.data, { atol: 3e-7, rtol: 4e-7 });
});

test("noise of words at both ends of their range is that of the formula", async () => {
  // among 2^23 elements some words lie within 2^-20 of 0 and of 1, where a logarithm in single precision loses its digits
  const n = 1 << 22;
  const state = samplerState([n]);
  await samplingStep(noiseOnly, state, undefined, 0, { seed: 5 });
  const bits = new Int32Array(n);
  await runJob("randomBits", { device: "cpu", seed: 5, stream: 1, first: 0, count: n, output: bits });
  const words = new Uint32Array(bits.buffer);
  let [nearZero, nearOne] = [0, 0];
  for (let i = 0; i < n; i += 2) {
    const isExtreme = words[i]! < 2 ** 14 || words[i]! >= 2 ** 32 - 2 ** 14;
    if (!isExtreme) continue;
    if (words[i]! < 2 ** 14) nearZero++;
    else nearOne++;
    for (const j of [i, i + 1])
      assert.ok(Math.abs(state.images.get("sample")![j]! - normalOracle(5, 1, j)) < 2e-6, `element ${j}`);
  }
  assert.ok(nearZero > 2 && nearOne > 2, `${nearZero} and ${nearOne} extremes`);
});

test("a batch in pieces equals the batch at once, to the bit", async () => {
  const n = 3000;
  const step = shapes[1]![1];
  const start = values(n, 8);
  const output = values(n, 9);
  const apply = async (from: number, to: number): Promise<Float32Array> => {
    const state: SamplerState = { shape: [to - from], images: new Map([["sample", start.slice(from, to)]]) };
    const said = { data: output.subarray(from, to), shape: [to - from] };
    await samplingStep(step, state, said, 0, { seed: 1, first: from });
    return state.images.get("sample")!;
  };
  const whole = await apply(0, n);
  const pieces = [await apply(0, 1204), await apply(1204, 1208), await apply(1208, n)];
  assert.ok(Buffer.from(whole.buffer).equals(Buffer.concat(pieces.map((p) => Buffer.from(p.buffer)))));
});

test("NaN and infinity are reported with the step, also where the clip would hide them", async () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
    for (const [n, place] of [
      [70, 69],
      [70_000, 3],
      [70_000, 69_999],
    ] as const) {
      const state = samplerState([n]);
      const output = values(n, 1);
      output[place] = bad;
      const step = stepOf({
        timestep: 420,
        estimate,
        clip: [-1, 1],
        rows: [row("sample", { clean: 1 })],
      });
      const error = await assertRejects(
        () => samplingStep(step, state, { data: output, shape: [n] }, 7, { seed: 1 }),
        "ERR_SINO_OUT_OF_RANGE",
      );
      assert.equal(error.details, { step: 7, timestep: 420, count: 1 });
    }
});

test("the dual-domain step is the one in double, with noise and without", async () => {
  for (const n of [1, 67, 130, 66_000])
    for (const noise of [0, 0.6]) {
      const step = { timestep: 3, delta: 0.7, deltaMeasured: 0.8, keep: 0.3, signal: 0.8, noise };
      const [clean, consistent, measured, base] = [1, 2, 3, 4].map((k) => values(n, k)) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const image = (data: Float32Array) => ({ data, shape: [n] });
      const images = {
        clean: image(clean),
        consistent: image(consistent),
        measured: image(measured),
        base: image(base),
      };
      const found = await dualDomainStep(step, images, 2, { seed, scale: 20, shift: -1 });
      const options = { clip: [-1, 1] as const, scale: 20, shift: -1 };
      const expected = Float64Array.from(clean, (c, i) =>
        dualDomainOracle(
          step,
          { clean: c, consistent: consistent[i]!, measured: measured[i]!, base: base[i]! },
          options,
          noise === 0 ? 0 : normalOracle(seed, 3, i),
        ),
      );
      // reconstructions reach 41 here
      assertClose(found.data, expected, { atol: 2e-5 }, `${n} with noise ${noise}`);
    }
});

test("NaN in any image of the dual-domain step is reported, though the network's image and the weights are clamped", async () => {
  const step = { timestep: 3, delta: 0.7, deltaMeasured: 0.8, keep: 0.3, signal: 0.8, noise: 0 };
  for (const broken of ["clean", "consistent", "measured", "base"] as const) {
    const image = (name: string) => ({
      data: values(40, 1).fill(name === broken ? Number.NaN : 0.5, 20, 22),
      shape: [40],
    });
    const images = {
      clean: image("clean"),
      consistent: image("consistent"),
      measured: image("measured"),
      base: image("base"),
    };
    const error = await assertRejects(() => dualDomainStep(step, images, 2, { seed }), "ERR_SINO_OUT_OF_RANGE");
    assert.equal(error.details, { step: 2, timestep: 3, count: 2 }, broken);
  }
});

test("sizes that do not fit, results that collide and broken coefficients are refused", async () => {
  const state = samplerState([8]);
  const image = (n: number) => ({ data: new Float32Array(n), shape: [n] });
  const step = shapes[0]![1];
  await assertRejects(() => samplingStep(step, state, image(7), 0, { seed: 1 }), "ERR_SINO_SHAPE");
  await assertRejects(() => samplingStep(step, state, undefined, 0, { seed: 1 }), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => samplingStep(step, state, image(8), 0, { seed: -1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => samplingStep(step, state, image(8), 0, { seed: 1, first: 2 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => samplingStep(shapes[2]![1], state, image(8), 0, { seed: 1 }), "ERR_SINO_ARG_TYPE");
  const twice = { ...step, rows: [row("sample", {}), row("sample", {})] };
  await assertRejects(() => samplingStep(twice, state, image(8), 0, { seed: 1 }), "ERR_SINO_OUT_OF_RANGE");
  const broken = { ...step, rows: [row("sample", { clean: 1e39 })] };
  await assertRejects(() => samplingStep(broken, state, image(8), 0, { seed: 1 }), "ERR_SINO_OUT_OF_RANGE");
  const many = { ...step, rows: Array.from({ length: 4 }, (_, k) => row(`r${k}`, {})) };
  await assertRejects(() => samplingStep(many, state, image(8), 0, { seed: 1 }), "ERR_SINO_SHAPE");
  const five = stepOf({ timestep: 1, reads: ["a", "b", "c", "d", "e"], rows: [row("sample", {})] });
  await assertRejects(() => samplingStep(five, state, image(8), 0, { seed: 1 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
