/** Runs samplers: the network is the caller's, everything else is one native pass over memory per step. */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { copyInTurns } from "../core/turns.ts";
import { floats, requireSameShape } from "../image/input.ts";
import { allocate, type OperationOptions, runJob } from "../native/job.ts";
import { checkSeed } from "../physics/noise.ts";
import { requireCount } from "./check.ts";
import { row, type SamplerPlan, type SamplerStep, stepOf } from "./plan.ts";

/** The images between steps, by name: "sample" is x, "input" what the network sees where that is not x. */
export interface SamplerState {
  readonly shape: readonly number[];
  readonly images: Map<string, Float32Array<ArrayBuffer>>;
}

export interface NoiseOptions extends OperationOptions {
  /** Whole number from 0 to 2^53 − 1. */
  seed: number;
  /** Noise of step i is stream stream + 1 + i of the seed, the start is stream `stream`; default 0. */
  stream?: number | undefined;
  /** Number of the first element, a multiple of 4: a batch in pieces equals the batch at once; default 0. */
  first?: number | undefined;
}

/** What a network says: its output, and its variance where the sampler takes a learned one. */
export type ModelOutput = ArrayLike | { readonly output: ArrayLike; readonly variance: ArrayLike };

/** `input` is reused for the next call: copy what is to be kept. */
export type Model = (input: Volume, timestep: number, step: number) => ModelOutput | Promise<ModelOutput>;

export interface SampleOptions extends NoiseOptions {
  shape: readonly number[];
  /** Instead of drawn noise; of the plan's noise level where `isStart`, else normal noise that is scaled to it. */
  start?: ArrayLike | undefined;
  isStart?: boolean | undefined;
}

/** A state whose sample is zero. Throws ERR_SINO_OUT_OF_MEMORY. */
export function samplerState(shape: readonly number[]): SamplerState {
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw sinoError("ERR_SINO_SHAPE", `Expected non-negative integers for shape but received ${show(shape)}.`);
  return { shape: [...shape], images: new Map([["sample", allocate(sizeOf(shape))]]) };
}

/**
 * Applies step `index` of a sampler to `state`, in place, with what the network said of it. Philox gives its noise.
 * Throws ERR_SINO_SHAPE, and ERR_SINO_OUT_OF_RANGE {step, timestep, count} where the result has NaN or infinity.
 */
export async function samplingStep(
  step: SamplerStep,
  state: SamplerState,
  said: ModelOutput | undefined,
  index: number,
  options: NoiseOptions,
): Promise<void> {
  const { images } = state;
  const parameters: Record<string, unknown> = {
    device: options.device ?? "auto",
    ...noiseOf(index, options),
    count: sizeOf(state.shape),
    sample: images.get("sample"),
    fromSample: step.estimate.sample,
    fromOutput: step.estimate.output,
    low: step.clip?.[0] ?? -Infinity,
    high: step.clip?.[1] ?? Infinity,
    terms: step.reads.length,
    rows: Float64Array.from(step.rows.flatMap((r) => [r.sample, r.output, r.clean, r.noise, ...r.terms])),
    ...(await saidOf(step, state, said, options)),
  };
  const names = new Map([["sample", "sample"]]);
  for (const [k, name] of step.reads.entries()) {
    parameters[`term${k}`] = imageOf(state, name);
    names.set(name, `term${k}`);
  }
  const put = (result: string, to: string) => {
    const replaced = names.get(to);
    if (replaced) parameters[`${result}Into`] = replaced;
    else parameters[result] = imageOf(state, to);
  };
  for (const [r, { to }] of step.rows.entries()) put(`row${r}`, to);
  if (step.keepsClean) put("clean", step.keepsClean);
  const { nonFinite } = await runJob("samplingStep", parameters, { signal: options.signal });
  requireFiniteStep(nonFinite!, index, step.timestep);
}

/** Also for steps of other samplers: throws ERR_SINO_OUT_OF_RANGE {step, timestep, count} unless `count` is 0. */
export function requireFiniteStep(count: number, step: number, timestep: number): void {
  if (count === 0) return;
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `Step ${step} (timestep ${timestep}) made ${count} values that are NaN or infinite. The network's output or the start has them; clip the clean image if it grew without bound.`,
    { details: { step, timestep, count } },
  );
}

/** The native names of where a step's noise comes from. */
export function noiseOf(index: number, { seed, stream = 0, first = 0 }: NoiseOptions): object {
  requireCount(stream, "stream", 0, 2 ** 32 - 2 - index);
  return { seed: checkSeed(seed), stream: stream + 1 + index, first };
}

function imageOf({ images, shape }: SamplerState, name: string): Float32Array<ArrayBuffer> {
  const found = images.get(name) ?? allocate(sizeOf(shape));
  images.set(name, found);
  return found;
}

async function saidOf(
  step: SamplerStep,
  state: SamplerState,
  said: ModelOutput | undefined,
  options: OperationOptions,
): Promise<object> {
  if (!step.model) return {};
  const given = said as { output?: ArrayLike; variance?: ArrayLike } | undefined;
  const output = given?.output ?? (said as ArrayLike);
  const expected = { data: state.images.get("sample")!, shape: state.shape };
  const result: Record<string, unknown> = { output: await floats(output, "the network's output", options) };
  requireSameShape(output, "the network's output", expected, "the sample");
  if (!step.variance) return result;
  if (!given?.variance)
    throw sinoError("ERR_SINO_ARG_TYPE", "Expected {output, variance} of a network with learned variance.");
  result["variance"] = await floats(given.variance, "the network's variance", options);
  requireSameShape(given.variance, "the network's variance", expected, "the sample");
  return { ...result, logScale: step.variance.logScale, logSlope: step.variance.logSlope };
}

/**
 * Draws one batch: noise of the plan's level, then every step, the network asked once in each. Returns the last sample.
 * Aborts with `signal.reason` between steps and within them. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE,
 * ERR_SINO_OUT_OF_MEMORY, and what the network throws.
 *
 * @example
 * const schedule = noiseSchedule();
 * const plan = ddim(schedule, timesteps(schedule, 50), { prediction: "epsilon", clip: [-1, 1] });
 * const image = await sample(plan, (x, t) => unet(x, t), { shape: [1, 1, 512, 512], seed: 1 });
 */
export async function sample(plan: SamplerPlan, model: Model, options: SampleOptions): Promise<Volume> {
  if (typeof model !== "function")
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected a function for model but received ${show(model)}.`);
  const { signal, onProgress, start } = options;
  const state = samplerState(options.shape);
  const scale = start && options.isStart ? 1 : plan.start;
  if (start) {
    requireSameShape(start, "start", { data: state.images.get("sample")!, shape: state.shape }, "shape");
    await copyInTurns(await floats(start, "start", options), state.images.get("sample")!, signal);
  }
  await samplingStep(startStep(plan, scale, !start), state, undefined, -1, options);
  const total = plan.steps.length;
  for (const [i, step] of plan.steps.entries()) {
    signal?.throwIfAborted();
    const seen = volume(state.images.get("input") ?? state.images.get("sample")!, state.shape);
    const said = step.model ? await model(seen, step.timestep, i) : undefined;
    await samplingStep(step, state, said, i, options);
    onProgress?.({ phase: "sample", done: i + 1, total });
  }
  return volume(state.images.get("sample")!, state.shape);
}

function startStep(plan: SamplerPlan, scale: number, isDrawn: boolean): SamplerStep {
  const from = (factor: number) => (isDrawn ? { noise: factor } : { sample: factor });
  const rows = [row("sample", from(scale))];
  if (plan.firstInput !== 1) rows.push(row("input", from(scale * plan.firstInput)));
  return stepOf({ timestep: plan.steps[0]?.timestep ?? 0, model: false, rows });
}
