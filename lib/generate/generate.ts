/** Images out of noise, by a network that `sinogram train` made with the task diffusion. */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { rowMajorData } from "../data/elements.ts";
import type { SamplerPlan } from "../diffusion/plan.ts";
import { cleanFrom } from "../diffusion/prediction.ts";
import { ddim } from "../diffusion/samplers/ddim.ts";
import { dpmSolver } from "../diffusion/samplers/dpm-solver.ts";
import { uniPc } from "../diffusion/samplers/unipc.ts";
import { noiseSchedule } from "../diffusion/schedule.ts";
import { sample } from "../diffusion/step.ts";
import { levelsOf, startingTimesteps } from "../diffusion/timesteps.ts";
import { combine } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import { type ModelOptions, openModel } from "../models/model.ts";
import type { Values } from "../models/session.ts";
import { grainOf, isConditional, type Trained } from "../models/trained.ts";
import { allocate, type OperationOptions } from "../native/job.ts";
import { networkModel } from "../networks/index.ts";
import { normalNoise } from "../physics/noise.ts";
import { type ClassifierGuidance, openClassifier } from "./classifier.ts";
import { requireMultiple, type Stage, sizeBehind } from "./stages.ts";

export const samplers = ["dpm-solver", "ddim", "unipc"] as const;
export type Sampler = (typeof samplers)[number];

export interface GenerateOptions extends OperationOptions, Pick<ModelOptions, "provider" | "threads"> {
  /** How many images; default 1, or as many as there are to start from. */
  count?: number | undefined;
  /** Image i has noise of its own, whatever the count. */
  seed: number;
  /** Runs of the network per image; default 20. */
  steps?: number | undefined;
  /** Default "dpm-solver". */
  sampler?: Sampler | undefined;
  /** Rows and columns; default those that the network was trained on. */
  size?: readonly [rows: number, columns: number] | undefined;
  /** Images that run through the network together; default 4. */
  batch?: number | undefined;
  /** For networks with classes: which one; default none of them. */
  class?: number | undefined;
  /** For networks with values: as many numbers as it has; default none, as zeros. */
  values?: readonly number[] | undefined;
  /** For networks with a context: vectors [length, context]; default one of zeros. */
  context?: ArrayLike | undefined;
  /** Classifier-free guidance: none + guidance · (condition − none), Ho & Salimans 2022; default what the model's card says, else 1. */
  guidance?: number | undefined;
  /** A classifier that draws the images towards one of its classes; default none. */
  classifier?: ClassifierGuidance | undefined;
  /** Images [n, row, column] to start from, in the units of the data. */
  start?: ArrayLike | undefined;
  /** How much noise they get before it is taken away again, 0 to 1; default 0.5. */
  strength?: number | undefined;
  /** What the images go through next, as `openStages` gives it; default nothing. `size` is that before them. */
  stages?: readonly Stage[] | undefined;
}

/**
 * Draws images [n, row, column], in the units that the network was trained on, and takes them through `stages`. Images to start from have
 * the size of the network or, where there are stages, that behind them: they are averaged then. Throws ERR_SINO_UNSUPPORTED (no diffusion
 * network; a condition that it never learned), ERR_SINO_OUT_OF_RANGE (more steps than it was trained with; NaN from the
 * network, with {step, timestep, count}), ERR_SINO_SHAPE (sizes that do not fit network or stages), ERR_SINO_MODEL, or `signal.reason`.
 *
 * @example
 * const hu = await generate(await loadTrained("models/ct-prior"), { count: 16, seed: 7 });
 */
export async function generate(trained: Trained, options: GenerateOptions): Promise<Volume> {
  const { stages = [], ...first } = options;
  if (stages.length === 0) return draw(trained, options);
  const size = first.size ?? (trained.size as readonly [number, number] | undefined);
  if (!size) throw sinoError("ERR_SINO_SHAPE", "Expected a size [rows, columns], as the model's card names none.");
  requireMultiple(size, grainOf(trained.network), "the network");
  const behind = sizeBehind(stages, size);
  const start = first.start && (await startOfSize(first.start, size, behind, options));
  let images = await draw(trained, { ...first, size, start });
  const { seed, batch, provider, threads, signal, device, onProgress } = options;
  for (const stage of stages)
    images = await stage.apply(images, { seed, batch, provider, threads, signal, device, onProgress });
  return images;
}

/** Images to start a cascade from. */
async function startOfSize(
  start: ArrayLike,
  size: readonly [number, number],
  behind: readonly number[],
  { signal, device }: OperationOptions,
): Promise<ArrayLike> {
  const given = start.shape.slice(-2);
  if (given.join() === size.join()) return start;
  if (given.join() === behind.join()) return resample(start, { signal, device, shape: size, method: "area" });
  throw sinoError(
    "ERR_SINO_SHAPE",
    `Expected images of ${behind.join(" × ")} or ${size.join(" × ")} to start from but received ${given.join(" × ")}.`,
  );
}

async function draw(trained: Trained, options: GenerateOptions): Promise<Volume> {
  const { network, weights, diffusion, scale, calibration } = trained;
  if (!diffusion || network.kind !== "unet" || isConditional(trained))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      'Expected a network that was trained with the task "diffusion" and without targets.',
    );
  requireOneChannel(network.inChannels, network.outChannels);
  const { seed, batch = 4, start, signal, device, onProgress, guidance = trained.guidance ?? 1 } = options;
  const [rows, columns] = sizeFor(trained, options);
  requireMultiple([rows, columns], grainOf(network), "the network");
  const count = start ? sizeOf(start.shape) / (rows * columns) : (options.count ?? 1);
  requireCount(count, "count");
  const conditions = conditionsOf(network, options);
  const contextLength = options.context?.shape[0];
  const isGuided = guidance !== 1 && (options.class ?? options.values ?? options.context) !== undefined;
  const lanes = Math.min(batch, count);
  const { plan, level, slopeShare } = planOf(trained, options);
  const clean = start ? await scaledStart(start, [count, rows, columns], trained, { signal, device }) : undefined;
  const runs = isGuided ? 2 * lanes : lanes;
  const bytes = networkModel(network, weights, { batch: runs, size: [rows, columns], contextLength }, { calibration });
  const model = await openModel(bytes, options);
  const pull = options.classifier && (await openClassifier(options.classifier, [lanes, 1, rows, columns], options));
  const job = { signal, device };
  const pixels = rows * columns;
  const shape = [lanes, 1, rows, columns];
  const result = volume(allocate(count * pixels), [count, rows, columns]);
  const ask = async (x: Volume, t: number): Promise<ArrayLike> => {
    const feeds = feedsOf(conditions, lanes, isGuided);
    feeds["x"] = { data: isGuided ? twice(x.data) : x.data, shape: [runs, 1, rows, columns] };
    feeds["t"] = { data: new Float32Array(runs).fill(t), shape: [runs] };
    const { y } = await model.run(feeds);
    const said = y!.data as Float32Array;
    const part = (i: number) => ({ data: said.subarray(i * x.data.length, (i + 1) * x.data.length), shape });
    const terms: [number, ArrayLike][] = isGuided
      ? [
          [guidance, part(0)], // told the condition
          [1 - guidance, part(1)],
        ]
      : [[1, part(0)]];
    if (pull) terms.push([pull.scale * slopeShare(t), await pull.slope(x, t)]);
    return terms.length === 1 ? part(0) : combine(terms, job);
  };
  try {
    for (let first = 0; first < count; first += lanes) {
      const noise = { seed, first: first * pixels };
      const begun = clean && (await noisy(clean, first * pixels, shape, level, noise, job));
      const images = await sample(plan, ask, {
        ...job,
        ...noise,
        shape,
        ...(begun && { start: begun, isStart: true }),
        onProgress: (p) =>
          onProgress?.({
            phase: "sample",
            done: (first / lanes) * p.total + p.done,
            total: Math.ceil(count / lanes) * p.total,
          }),
      });
      const { data } = await combine([[1 / scale.factor, images]], { ...job, offset: scale.offset });
      result.data.set(data.subarray(0, Math.min(lanes, count - first) * pixels), first * pixels);
    }
    return result;
  } finally {
    await Promise.all([model.dispose(), pull?.dispose()]);
  }
}

/** The sampler's steps, and how much of image and noise there is at its start. */
function planOf(
  { diffusion, range = [-1, 1] }: Trained,
  options: GenerateOptions,
): { plan: SamplerPlan; level: [number, number]; slopeShare: (t: number) => number } {
  const { prediction } = diffusion!;
  const { steps = 20, sampler = "dpm-solver", start, strength = 0.5 } = options;
  if (!samplers.includes(sampler))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a sampler ${samplers.join(", ")} but received ${show(sampler)}.`,
    );
  if (start && !(strength > 0 && strength <= 1))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a strength above 0 and up to 1 but received ${show(strength)}.`);
  const schedule = noiseSchedule(diffusion!);
  const list = startingTimesteps(schedule, steps, start ? strength : 1);
  const to = { prediction, clip: range };
  const alpha = schedule.alphasCumprod[list[0]!]!;
  const plan =
    sampler === "ddim"
      ? ddim(schedule, list, to)
      : (sampler === "unipc" ? uniPc : dpmSolver)(levelsOf(schedule, list), to);
  // what a slope of the log-probability adds to the clean image is (σ²/α) · slope (Dhariwal & Nichol 2021, eq. 11)
  const slopeShare = (t: number) => {
    const signal = Math.sqrt(schedule.alphasCumprod[Math.round(t)]!);
    const sigma = Math.sqrt(1 - signal ** 2);
    return sigma ** 2 / signal / cleanFrom(prediction, signal, sigma).output;
  };
  return { plan, level: [Math.sqrt(alpha), Math.sqrt(1 - alpha)], slopeShare };
}

interface Condition {
  readonly name: string;
  /** Of one image. */
  readonly shape: readonly number[];
  readonly given: number | readonly number[];
  /** What stands for no condition. */
  readonly none: number | readonly number[];
}

/** Throws ERR_SINO_UNSUPPORTED for conditions that the network never learned. */
function conditionsOf(
  network: { classes?: number | undefined; values?: number | undefined; context?: number | undefined },
  options: GenerateOptions,
): Condition[] {
  const { classes, values, context } = network;
  const refuse = (what: string, has: string) =>
    sinoError("ERR_SINO_UNSUPPORTED", `The network never learned ${what}: it has ${has}.`);
  const list: Condition[] = [];
  if (
    options.class !== undefined &&
    !(Number.isInteger(options.class) && options.class >= 0 && options.class < (classes ?? 0))
  )
    throw refuse(`class ${options.class}`, classes ? `classes 0 to ${classes - 1}` : "no classes");
  if (classes) list.push({ name: "class", shape: [], given: options.class ?? classes, none: classes });
  if (options.values && options.values.length !== (values ?? 0))
    throw refuse(`${options.values.length} values`, values ? `${values}` : "none");
  if (values) {
    const none = new Array<number>(values).fill(0);
    list.push({ name: "values", shape: [values], given: options.values ?? none, none });
  }
  const said = options.context;
  if (said && (said.shape.length !== 2 || said.shape[1] !== context))
    throw refuse(`a context of [${said.shape.join(", ")}]`, context ? `one of [length, ${context}]` : "none");
  if (context) {
    const shape = [said?.shape[0] ?? 1, context];
    const none = new Array<number>(sizeOf(shape)).fill(0);
    list.push({ name: "context", shape, given: said ? Array.from(rowMajorData(said)) : none, none });
  }
  return list;
}

function feedsOf(conditions: readonly Condition[], lanes: number, isGuided: boolean): Record<string, Values> {
  const feeds: Record<string, Values> = {};
  for (const { name, shape, given, none } of conditions) {
    const rows = [...Array(lanes).fill(given), ...Array(isGuided ? lanes : 0).fill(none)] as (number | number[])[];
    feeds[name] =
      name === "class"
        ? { data: BigInt64Array.from(rows as number[], BigInt), shape: [rows.length] }
        : { data: Float32Array.from(rows.flat()), shape: [rows.length, ...shape] };
  }
  return feeds;
}

function twice(data: Float32Array): Float32Array {
  const both = new Float32Array(2 * data.length);
  both.set(data);
  both.set(data, data.length);
  return both;
}

function sizeFor({ size: trained }: Trained, { size, start }: GenerateOptions): readonly [number, number] {
  const found = size ?? start?.shape.slice(-2) ?? trained;
  if (found?.length !== 2 || (start && found.some((n, i) => n !== start.shape.at(i - 2))))
    throw sinoError("ERR_SINO_SHAPE", `Expected a size [rows, columns], that of start, but received ${show(found)}.`);
  return found as [number, number];
}

async function scaledStart(
  start: ArrayLike,
  shape: readonly number[],
  { scale: { offset, factor }, range: [low, high] = [-1, 1] }: Trained,
  job: OperationOptions,
): Promise<Volume> {
  const scaled = await combine([[factor, start]], { ...job, offset: -offset * factor, low, high });
  return volume(scaled.data, shape);
}

/** Images from element `first` on with noise as it is at the sampler's start; beyond the last one, nothing. */
async function noisy(
  clean: Volume,
  first: number,
  shape: readonly number[],
  [alpha, sigma]: readonly [number, number],
  { seed }: { seed: number },
  job: OperationOptions,
): Promise<Volume> {
  const some = new Float32Array(sizeOf(shape));
  some.set(clean.data.subarray(first, first + some.length));
  const noise = await normalNoise(shape, { ...job, seed, stream: 0, first });
  return combine(
    [
      [alpha, volume(some, shape)],
      [sigma, noise],
    ],
    job,
  );
}

function requireOneChannel(inChannels: number, outChannels: number): void {
  if (inChannels === 1 && outChannels === 1) return;
  throw sinoError(
    "ERR_SINO_UNSUPPORTED",
    `Expected a network of one channel but it has ${inChannels} and ${outChannels}.`,
  );
}

function requireCount(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a positive integer for ${name} but received ${show(value)}.`);
}
