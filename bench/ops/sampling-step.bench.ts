/**
 * The fused sampling step: processor and wall time per step of 16 images of 512², beside the bytes that a step must move. The result is
 * compared with the formula before it is timed. SINOGRAM_THREADS=1 gives the time of one core.
 *
 *     SINOGRAM_THREADS=1 node --import tsx bench/ops/sampling-step.bench.ts [repeats]
 */
import {
  ddim,
  ddpm,
  dpmSolver,
  levelsOf,
  noiseSchedule,
  type SamplerPlan,
  samplerState,
  samplingStep,
  timesteps,
  uniPc,
} from "../../lib/diffusion/index.ts";
import { dualDomainStep } from "../../lib/diffusion/samplers/dual-domain.ts";
import { addon } from "../../lib/native/addon.ts";
import { normalNoise } from "../../lib/physics/index.ts";
import { normalOracle, stepOracle } from "../../test/oracle/sampling-step.ts";

const repeats = Number(process.argv[2] ?? 60);
const shape = [16, 1, 512, 512];
const count = 16 * 512 * 512;
const options = { seed: 1 };

const schedule = noiseSchedule();
const steps = timesteps(schedule, 50);
const levels = levelsOf(schedule, steps);
const network = { prediction: "epsilon", clip: [-1, 1] } as const;
// arrays read and written per element, in place
const cases: [name: string, plan: SamplerPlan, arrays: number][] = [
  ["DDIM", ddim(schedule, steps, network), 3],
  ["DDPM, Philox noise", ddpm(schedule, steps, network), 3],
  ["DDPM, learned variance", ddpm(schedule, steps, { ...network, variance: "learned-range" }), 4],
  ["DPM-Solver++ 2M", dpmSolver(levels, network), 5],
  ["DPM-Solver++ 2M, SDE", dpmSolver(levels, { ...network, stochastic: true }), 5],
  ["UniPC-2, corrected", uniPc(levels, network), 8],
];

/** Least and median, in ms, of processor and wall time. */
async function timesOf(call: () => Promise<unknown>) {
  const processor: number[] = [];
  const wall: number[] = [];
  for (let turn = 0; turn <= repeats; turn++) {
    const [cpu, start] = [process.cpuUsage(), performance.now()];
    await call();
    const used = process.cpuUsage(cpu);
    if (turn === 0) continue; // warms up
    processor.push((used.user + used.system) / 1e3);
    wall.push(performance.now() - start);
  }
  for (const times of [processor, wall]) times.sort((a, b) => a - b);
  return { least: processor[0]!, median: processor[repeats >> 1]!, wall: wall[repeats >> 1]! };
}

function report(
  name: string,
  arrays: number,
  { least, median, wall }: { least: number; median: number; wall: number },
) {
  const rate = (arrays * 4 * count) / least / 1e6;
  console.log(
    `${name.padEnd(26)}${least.toFixed(2).padStart(7)} ms processor at least ${median.toFixed(2).padStart(7)} median ${wall.toFixed(2).padStart(7)} wall ${rate.toFixed(1).padStart(6)} GB/s`,
  );
}

const { simd, threads } = addon().describe();
console.log(`${simd}, ${threads} threads, ${count} elements`);
const noise = await normalNoise(shape, { seed: 9 });
const said = { output: noise, variance: noise };

for (const [name, plan, arrays] of cases) {
  const state = samplerState(shape);
  state.images.get("sample")!.set((await normalNoise(shape, { seed: 8 })).data);
  for (let k = 0; k < 3; k++) {
    const before = new Map([...state.images].map(([key, image]) => [key, Float64Array.from(image.subarray(0, 64))]));
    await samplingStep(plan.steps[k]!, state, said, k, options);
    const reference = Float64Array.from(noise.data.subarray(0, 64));
    stepOracle(plan.steps[k]!, before, reference, (i) => normalOracle(1, k + 1, i), reference);
    const wrong = before
      .get("sample")!
      .findIndex((x, i) => Math.abs(x - state.images.get("sample")![i]!) > 1e-4 * (1 + Math.abs(x)));
    if (wrong >= 0) throw new Error(`${name}: step ${k} is wrong at element ${wrong}`);
  }
  // the same step again and again stays bounded: x̂0 is clipped, and coefficients of x are below 1
  report(name, arrays, await timesOf(() => samplingStep(plan.steps[20]!, state, said, 20, options)));
}

const step = { timestep: 1, delta: 0.7, deltaMeasured: 0.8, keep: 0.3, signal: 0.8, noise: 0.6 };
const [clean, consistent, measured, base, out] = (await Promise.all(
  [1, 2, 3, 4, 5].map((seed) => normalNoise(shape, { seed })),
)) as [typeof noise, typeof noise, typeof noise, typeof noise, typeof noise];
const images = { clean, consistent, measured, base };
report("dual-domain", 5, await timesOf(() => dualDomainStep(step, images, 1, { ...options, out })));
