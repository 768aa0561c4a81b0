/** Steps of samplers in double, one element at a time, with noise from the reference Philox. */

import type { SamplerPlan, SamplerStep } from "../../lib/diffusion/plan.ts";
import type { DualDomainStep } from "../../lib/diffusion/samplers/dual-domain.ts";
import { philoxOracle } from "./philox.ts";

/** Normal number of element i, as native/ops/noise.h says. */
export function normalOracle(seed: number, stream: number, i: number): number {
  const quad = Math.floor(i / 4);
  const words = philoxOracle(
    [quad % 2 ** 32, Math.floor(quad / 2 ** 32), 0, stream],
    [seed % 2 ** 32, Math.floor(seed / 2 ** 32)],
  );
  const half = i % 4 < 2 ? 0 : 2;
  const unit = (word: number) => (word + 0.5) / 2 ** 32;
  const radius = Math.sqrt(-2 * Math.log(unit(words[half]!)));
  const angle = 2 * Math.PI * unit(words[half + 1]!);
  return radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
}

export type Images = Map<string, Float64Array>;

const clamp = (x: number, low: number, high: number) => (x < low ? low : x > high ? high : x);

/** Applies a step to `images`, which has "sample". */
export function stepOracle(
  step: SamplerStep,
  images: Images,
  output: ArrayLike<number> | undefined,
  normal: (i: number) => number,
  variance?: ArrayLike<number>,
): void {
  const x = images.get("sample")!;
  const results = new Map(
    [...step.rows.map((r) => r.to), ...(step.keepsClean ? [step.keepsClean] : [])].map((name) => [
      name,
      new Float64Array(x.length),
    ]),
  );
  for (let i = 0; i < x.length; i++) {
    const m = output ? output[i]! : 0;
    const [low, high] = step.clip ?? [-Infinity, Infinity];
    const clean = clamp(step.estimate.sample * x[i]! + step.estimate.output * m, low, high);
    for (const row of step.rows) {
      let value = row.sample * x[i]! + row.output * m + row.clean * clean;
      for (const [k, name] of step.reads.entries())
        if (row.terms[k] !== 0) value += row.terms[k]! * images.get(name)![i]!;
      if (row.noise !== 0) {
        const spread = step.variance ? Math.exp(step.variance.logScale + step.variance.logSlope * variance![i]!) : 1;
        value += row.noise * spread * normal(i);
      }
      results.get(row.to)![i] = value;
    }
    if (step.keepsClean) results.get(step.keepsClean)![i] = clean;
  }
  for (const [name, values] of results) images.set(name, values);
}

/** A whole sampler; `start` is normal noise. */
export function sampleOracle(
  plan: SamplerPlan,
  model: (x: Float64Array, t: number) => Float64Array,
  start: ArrayLike<number>,
  normal: (step: number, i: number) => number = () => 0,
): Float64Array {
  const sample = Float64Array.from(start, (z) => z * plan.start);
  const images: Images = new Map([["sample", sample]]);
  if (plan.firstInput !== 1)
    images.set(
      "input",
      sample.map((x) => x * plan.firstInput),
    );
  for (const [k, step] of plan.steps.entries()) {
    const seen = images.get("input") ?? images.get("sample")!;
    stepOracle(step, images, step.model ? model(seen, step.timestep) : undefined, (i) => normal(k, i));
  }
  return images.get("sample")!;
}

/** The dual-domain step, from facts of its paper. */
export function dualDomainOracle(
  step: DualDomainStep,
  pixel: { clean: number; consistent: number; measured: number; base: number },
  { clip, scale, shift }: { clip: readonly [number, number]; scale: number; shift: number },
  z: number,
): number {
  const network = clamp(pixel.clean, clip[0], clip[1]);
  const weight = (delta: number) => clamp(delta * pixel.base, 0, 1);
  const fused = weight(step.delta) * network + (1 - weight(step.delta)) * (scale * pixel.consistent + shift);
  const early =
    weight(step.deltaMeasured) * network + (1 - weight(step.deltaMeasured)) * (scale * pixel.measured + shift);
  return step.signal * (step.keep * fused + (1 - step.keep) * early) + step.noise * z;
}
